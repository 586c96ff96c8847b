"use strict";

// Sockets of Node.js whose connections are the workers'.
//
// A worker that takes a connection over has a descriptor of its own, and reads and writes by itself. What Node.js has of the
// connection is in the way then: its handle is closed. So far the shortcut; this file says what it must not change.
//
// - Where a program has been given the socket object, or may have been (see reasons.js), the object stays what it is: counted by
//   its server, open until the connection has ended, with "close" then, and with `destroy()` and `end()` that end the
//   connection. Only its handle is another one, which leads to the worker.
// - Where nobody has, there is no socket any more (or has never been one: see Acceptor). A program that asks for it later, by
//   `socket.request`, gets one that is made then, and is as true.
//
// What is not: `bytesRead` and `bytesWritten` stand still, and `write()` fails with EPIPE: the bytes of a connection are the
// worker's alone.

const { replaceHandle, standInSocket } = require("../base/node-internals");

/**
 * What takes a connection to a worker.
 *
 * @typedef {object} Door
 * @property {import("../border/border").Border} border
 * @property {number} token the name of the connection
 * @property {any} server the HTTP server that counts the connection
 * @property {any} kept the socket that programs may have
 */

/** Bytes of an answer to an upgrade request, at least: to Node.js and to others, nothing has been written to a socket without. */
const ANSWER_LENGTH = 129;

/**
 * Goes on with the socket of a connection that a worker has taken; its own handle is closed.
 *
 * @param {any} socket
 * @param {Door} door
 */
function keepSocket(socket, door) {
  if (socket.timeout) socket.setTimeout(0);
  replaceHandle(socket, () => door.border.endWire(door.token), ANSWER_LENGTH);
  prepare(socket, door);
}

/**
 * Makes the socket of a connection that a worker has, or has had, for a program that asks for it.
 *
 * @param {Door} door
 * @param {import("../border/border").Peer} names
 * @returns {any}
 */
function makeSocket(door, names) {
  const { border, token, server } = door;
  const isOpen = /** @type {any} */ (border.doors.get(token)) === door;
  if (!isOpen) return standInSocket(names, server);
  const end = () => border.endWire(token);
  const socket = standInSocket(names, server, ANSWER_LENGTH, end);
  prepare(socket, door);
  return socket;
}

/**
 * @param {any} socket
 * @param {Door} door
 */
function prepare(socket, door) {
  door.kept = socket;
  socket.on("error", noop); // the peer may be gone, and nobody else may listen
  socket.resetAndDestroy = socket.destroy; // what Node.js does needs a handle of its own
}

function noop() {}

module.exports = { keepSocket, makeSocket };
