"use strict";

const { handlesTimeout, isBetweenRequests } = require("../base/node-internals");
const { setImmediate } = require("../base/loop");

/** Turns of the event loop that a request needs which has come already: it is read, and begins. */
const TURNS = 2;

/** Marks the listeners of this file, those of other copies of the package, too. */
const OURS = Symbol.for("ferrosocket.readBeforeClosing");

/**
 * Keeps Node.js from closing kept connections by which a request has come. They have a time for the next request
 * (`keepAliveTimeout`), and after the event loop was blocked for longer Node.js looks at the clock before it looks at the sockets.
 * The client would lose a request that it has sent in time, and with it, when that polls, its session.
 *
 * So the sockets are looked at once more. A connection that brings nothing then is closed as Node.js would have closed it.
 *
 * @param {any} server an HTTP server
 */
function readBeforeClosing(server) {
  const listener = (/** @type {any} */ socket) => {
    // what becomes of it is up to the program then
    if (server.listeners("timeout").some((/** @type {any} */ other) => !other[OURS])) return;
    if (isBetweenRequests(socket)) lookAgain(socket, socket.bytesRead, TURNS);
    else if (!handlesTimeout(socket)) socket.destroy();
  };
  server.on("timeout", Object.assign(listener, { [OURS]: true }));
}

/**
 * @param {any} socket
 * @param {number} bytes that had been read when its time was over
 * @param {number} left turns
 */
function lookAgain(socket, bytes, left) {
  if (socket.destroyed || socket.bytesRead !== bytes) return;
  if (left > 0) setImmediate(lookAgain, socket, bytes, left - 1);
  else socket.destroy();
}

module.exports = { readBeforeClosing };
