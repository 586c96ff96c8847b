"use strict";

const { nextTick } = require("../base/loop");

/** @typedef {import("../border/border").Border} Border */

/** @type {WeakMap<object, number>} the numbers by which the workers know HTTP servers */
const numbers = new WeakMap();
let last = 0;

/**
 * Sees to it that the methods of an HTTP server that close its connections reach those which workers have.
 *
 * @param {any} server
 * @param {Border} border
 * @returns {number} the number of the server
 */
function trackListener(server, border) {
  const known = numbers.get(server);
  if (known !== undefined) return known;
  const number = ++last;
  numbers.set(server, number);
  const { closeIdleConnections, closeAllConnections } = server;
  server.closeIdleConnections = function () {
    closeIdleConnections.call(server);
    closeTaken(border, number, false, false);
    // called by close(): then those that still wait for an answer must not stay behind it
    nextTick(() => {
      if (!server.listening) closeTaken(border, number, false, true);
    });
  };
  server.closeAllConnections = function () {
    closeAllConnections.call(server);
    closeTaken(border, number, true, false);
  };
  return number;
}

/**
 * @param {Border} border
 * @param {number} number
 * @param {boolean} busy also those with a request that has no answer yet
 * @param {boolean} later those as soon as they have answered
 */
function closeTaken(border, number, busy, later) {
  border.operations.flush(); // the answers that have been asked for come first
  border.native.closePolling(number, busy, later);
}

module.exports = { trackListener };
