"use strict";

// The addon, and the one border that a thread has to its workers.

const { invalidOption } = require("../base/errors");
const { Border, MAX_WORKERS } = require("./border");

/** @type {Border | undefined} */
let border;

/**
 * @param {unknown} [workers] the option of that name
 * @returns {Border} the border of this thread, made at the first call
 */
function getBorder(workers) {
  const count = workerCount(workers);
  border ??= new Border(loadAddon().DataPlane, count);
  return border;
}

/**
 * Loads the addon. It is not loaded with the package: requiring that must start nothing. Nor is it loaded for the first
 * client only: an error has to reach the program, and not a client.
 *
 * @returns {typeof import("../../native")}
 * @throws {Error} when there is none for this platform
 */
function loadAddon() {
  return require("../../native");
}

/**
 * Reads how many worker threads are asked for.
 *
 * @param {unknown} option the option `workers`
 * @returns {number} 0 for the default number
 * @throws {TypeError} when it is not a number of threads
 */
function workerCount(option) {
  const { FERROSOCKET_WORKERS: variable } = process.env;
  if (option !== undefined) return checkWorkers("option workers", option);
  return variable ? checkWorkers("environment variable FERROSOCKET_WORKERS", variable) : 0;
}

/**
 * @param {string} what
 * @param {any} value
 * @returns {number}
 */
function checkWorkers(what, value) {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS) return count;
  throw invalidOption(what, value, `give a whole number from 1 to ${MAX_WORKERS}`);
}

module.exports = { getBorder, loadAddon, workerCount };
