"use strict";

// The option `admission`: when a server has so much to do that nobody else is let in. It is read once, when the engine is made; what is
// measured is in the addon (src/limits/overload.rs).

const { invalidOption } = require("./errors");

/** @typedef {import("../../native").AdmissionConfig} AdmissionConfig */

/** What is too much, if nothing else is said. @type {AdmissionConfig} */
const DEFAULTS = Object.freeze({ inboxAge: 10_000 });

const PARTS = {
  inboxAge: "give a number of milliseconds from 1 on, or leave it out",
  inboxBytes: "give a number of bytes from 1 on, or leave it out",
  memory: "give a number of bytes from 1 on, or leave it out",
};

/**
 * @param {any} value the option
 * @returns {AdmissionConfig | undefined} undefined: everybody is let in
 * @throws {TypeError} when it can't have that value
 */
function readAdmission(value) {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return { ...DEFAULTS };
  const names = Object.keys(PARTS);
  if (typeof value !== "object" || Array.isArray(value))
    throw invalidOption(
      "option admission",
      value,
      `give true, or an object with some of ${names.join(", ")}`,
    );
  for (const name of Object.keys(value))
    if (!names.includes(name))
      throw invalidOption(
        "option admission",
        `an object with ${name}`,
        `its parts are ${names.join(", ")}`,
      );
  for (const [name, fix] of Object.entries(PARTS)) {
    const part = value[name];
    if (part !== undefined && !(typeof part === "number" && part >= 1 && part < Infinity))
      throw invalidOption(`option admission.${name}`, part, fix);
  }
  if (value.memory !== undefined && process.platform !== "linux")
    throw invalidOption(
      "option admission.memory",
      value.memory,
      "it is known on Linux only: leave it out",
    );
  const { inboxAge, inboxBytes, memory } = value;
  return { inboxAge, inboxBytes, memory };
}

module.exports = { readAdmission };
