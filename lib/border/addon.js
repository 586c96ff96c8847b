"use strict";

// The one border that a thread has to its workers, which the addon has.

const { isMainThread } = require("node:worker_threads");
const { loadAddon } = require("../base/addon");
const { invalidOption } = require("../base/errors");
const { Border, MAX_WORKERS } = require("./border");

const { DataPlane } = loadAddon();

const { bun, deno, electron } = process.versions;

/** Whether libuv runs the event loop. Elsewhere its functions may be there, and do nothing but end the process (Bun). */
const HAS_LIBUV = !bun && !deno;

const READERS = ["load", "workers", "javascript"];

/** @type {Border | undefined} */
let border;

/**
 * @param {unknown} [workers] the option of that name
 * @returns {Border} the border of this thread, made at the first call
 */
function getBorder(workers) {
  const count = workerCount(workers);
  border ??= new Border(DataPlane, count, socketReader(), HAS_LIBUV);
  return border;
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
 * Reads who is to read the sockets. Not this thread where others of the process may have servers, nor where libuv's event
 * loop is not all that runs, and heard only later (Electron).
 *
 * @returns {import("./border").Reader}
 * @throws {TypeError} when the environment variable names nobody
 */
function socketReader() {
  const { FERROSOCKET_READER: variable } = process.env;
  if (variable && !READERS.includes(variable))
    throw invalidOption(
      "environment variable FERROSOCKET_READER",
      variable,
      `give ${READERS.join(", ")}`,
    );
  if (!isMainThread || !HAS_LIBUV || electron) return "workers";
  return /** @type {import("./border").Reader} */ (variable) || "load";
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

module.exports = { getBorder, workerCount };
