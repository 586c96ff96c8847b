"use strict";

const { nextTick } = require("../base/loop");

/** @typedef {import("../border/border").Bridge} Bridge */

/** @type {WeakMap<object, number>} the numbers by which the workers know HTTP servers */
const numbers = new WeakMap();
let last = 0;

/**
 * Sees to it that the methods of an HTTP server that close its connections reach those which workers have.
 *
 * @param {any} server
 * @param {Bridge} bridge
 * @returns {number} the number of the server
 */
function trackListener(server, bridge) {
  const known = numbers.get(server);
  if (known !== undefined) return known;
  const number = ++last;
  numbers.set(server, number);
  const { closeIdleConnections, closeAllConnections } = server;
  server.closeIdleConnections = function () {
    closeIdleConnections.call(server);
    closeTaken(bridge, number, false, false);
    // called by close(): then those that still wait for an answer must not stay behind it
    nextTick(() => {
      if (!server.listening) closeTaken(bridge, number, false, true);
    });
  };
  server.closeAllConnections = function () {
    closeAllConnections.call(server);
    closeTaken(bridge, number, true, false);
  };
  return number;
}

/**
 * @param {Bridge} bridge
 * @param {number} number
 * @param {boolean} busy also those with a request that has no answer yet
 * @param {boolean} later those as soon as they have answered
 */
function closeTaken(bridge, number, busy, later) {
  bridge.ops.flush(); // the answers that have been asked for come first
  bridge.native.closePolling(number, busy, later);
}

module.exports = { trackListener };
