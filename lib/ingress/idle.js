"use strict";

const { httpServerOf, isBetweenRequests } = require("../node");
const { setImmediate } = require("../base/loop");

/** Turns of the event loop that a request needs which has come already: it is read, and begins. */
const TURNS = 2;

/** @type {WeakSet<object>} the sockets that are looked after */
const known = new WeakSet();

/**
 * Keeps Node.js from closing a kept connection by which a request has come. It has a time for the next request
 * (`keepAliveTimeout`), and after the event loop was blocked for longer Node.js looks at the clock before it looks at the sockets.
 * The client would lose a request that it has sent in time, and with it, when that polls, its session.
 *
 * So the socket is looked at once more. If it brings nothing then, it is closed as Node.js would have closed it.
 *
 * @param {import("node:net").Socket} socket of a request that has been read
 */
function readBeforeClosing(socket) {
  if (known.has(socket)) return;
  known.add(socket);
  socket.prependListener?.("timeout", onTimeout); // before Node's
}

/** @this {import("node:net").Socket} */
function onTimeout() {
  const server = httpServerOf(this);
  // Otherwise what becomes of it is up to the program, or to Node.js.
  if (!server || server.listenerCount("timeout") > 0 || !isBetweenRequests(this)) return;
  server.once("timeout", noop); // Node's listener, which comes next, leaves the socket to who listens there
  setImmediate(lookAgain, this, this.bytesRead, TURNS);
}

/**
 * @param {import("node:net").Socket} socket
 * @param {number} bytes that had been read when its time was over
 * @param {number} left turns
 */
function lookAgain(socket, bytes, left) {
  httpServerOf(socket)?.removeListener("timeout", noop); // should Node's listener have been taken away
  if (socket.destroyed || socket.bytesRead !== bytes) return;
  if (left > 1) setImmediate(lookAgain, socket, bytes, left - 1);
  else socket.destroy();
}

function noop() {}

module.exports = { readBeforeClosing };
