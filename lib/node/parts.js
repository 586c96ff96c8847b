"use strict";

// The parts of Node.js that we use although it does not document them. No file of another folder names one; a test sees to that.
//
// Each part is declared with what it is and what happens without it. It is tried out once, when its file is loaded, or, where
// that takes a listening server or a connection, on each of these. If a part is missing or behaves differently, the functions
// beside its declaration say so, and connections take a slower way that does not need it. Nothing there may throw for that reason.
//
// A new part needs: a call of `declare()`, a function with a plain name that the face of this folder offers, and its rows in
// __test__/node-internals.test.js and __test__/support/missing-parts.js.

const debug = require("debug")("engine:door");

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} uses what it is in Node.js
 * @property {string} otherwise what happens without it
 * @property {boolean | undefined} works whether this Node.js has it; undefined: each object is looked at when it is used
 */

/** @type {Part[]} */
const PARTS = [];

/**
 * @param {string} name
 * @param {string} uses
 * @param {string} otherwise
 * @param {() => boolean} [tryOut] none: each object is looked at when it is used
 * @returns {boolean} whether it works
 */
function declare(name, uses, otherwise, tryOut) {
  const works = tryOut === undefined ? undefined : passes(tryOut);
  PARTS.push({ name, uses, otherwise, works });
  if (works === false) debug("this Node.js lacks %s (%s): %s", uses, name, otherwise);
  return works === true;
}

/** @param {() => boolean} tryOut @returns {boolean} */
function passes(tryOut) {
  try {
    return tryOut();
  } catch {
    return false;
  }
}

/** @param {number} major @param {number} minor @returns {boolean} whether this is that version of Node.js, or newer */
function isAtLeast(major, minor) {
  const [a, b] = process.versions.node.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

module.exports = { PARTS, declare, isAtLeast };
