"use strict";

// The option `admission`: when a server has so much to do that nobody else is let in. It is read once, when the engine is made; what is
// measured is in the addon (src/limits/overload.rs).

const { invalidOption } = require("./errors");
const { readParts } = require("./option-parts");

/** @typedef {import("../../native").AdmissionConfig} AdmissionConfig */

/** What is too much, if nothing else is said. @type {AdmissionConfig} */
const DEFAULTS = Object.freeze({ inboxAge: 10_000 });

/**
 * @param {string} unit
 * @returns {(path: string, value: any) => number}
 */
function readBound(unit) {
  return (path, value) => {
    if (!(typeof value === "number" && value >= 1 && value < Infinity))
      throw invalidOption(
        `option ${path}`,
        value,
        `give a number of ${unit} from 1 on, or leave it out`,
      );
    return value;
  };
}

/** @type {(path: string, value: any) => number} */
function readMemory(path, value) {
  if (process.platform !== "linux")
    throw invalidOption(`option ${path}`, value, "it is known on Linux only: leave it out");
  return readBound("bytes")(path, value);
}

const PARTS = {
  inboxAge: readBound("milliseconds"),
  inboxBytes: readBound("bytes"),
  memory: readMemory,
};

/**
 * @param {any} value the option
 * @returns {AdmissionConfig | undefined} undefined: everybody is let in
 * @throws {TypeError} when it can't have that value
 */
function readAdmission(value) {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return { ...DEFAULTS };
  return readParts("admission", value, PARTS, "true");
}

module.exports = { readAdmission };
