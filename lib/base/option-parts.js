"use strict";

// Options of ours that have parts: which there may be, and what reads each. A part that is misspelt would be one that nobody reads, so it
// is refused.

const { invalidOption, unusable } = require("./errors");

/**
 * Reads an option that has parts.
 *
 * @param {string} path where it is, as in "limits.connects"
 * @param {any} value
 * @param {Record<string, (path: string, value: any) => unknown>} parts what reads each of them
 * @param {string} [others] what may be given in place of an object, as in "true"
 * @returns {Record<string, any>} those that are there
 * @throws {TypeError} when it is no object, or has a part of another name
 */
function readParts(path, value, parts, others) {
  const names = Object.keys(parts);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const object = `an object with some of ${names.join(", ")}`;
    const fix = others === undefined ? `give ${object}` : `give ${others}, or ${object}`;
    throw invalidOption(`option ${path}`, value, fix);
  }
  checkParts(path, value, names);
  return Object.fromEntries(
    names
      .filter((name) => value[name] !== undefined)
      .map((name) => [name, parts[name](`${path}.${name}`, value[name])]),
  );
}

/**
 * @param {string} path
 * @param {object} value
 * @param {string[]} names the parts that it may have
 * @throws {TypeError} when it has another one
 */
function checkParts(path, value, names) {
  if (Array.isArray(value)) return;
  for (const name of Object.keys(value))
    if (!names.includes(name))
      throw unusable(
        `option ${path}`,
        `an object with ${name}`,
        `its parts are ${names.join(", ")}`,
      );
}

module.exports = { checkParts, readParts };
