"use strict";

// Connections whose peer has ended its half.

const { nextTick } = require("../base/loop");
const { blank, inside, insideOf } = require("./inside");
const { declare } = require("./parts");

/** @typedef {import("./inside").HttpServer} HttpServer */
/** @typedef {import("./inside").Stream} Stream */

const ASKS_HALF_OPEN = declare(
  "half-open connections",
  "`httpAllowHalfOpen` of a server, which is asked when the peer of a connection has ended its half; `getpeername()` of its handle",
  "who ends its half right behind a request that a worker answers gets no answer",
  () => Reflect.get(blank, "httpAllowHalfOpen") === false,
);

/** @param {HttpServer} server @returns {boolean} whether a peer that has ended its half of a connection still gets its answers */
function answersHalfOpen(server) {
  return !!inside(server).httpAllowHalfOpen;
}

/** @type {WeakMap<object, Set<Unanswered>>} by their sockets, the requests that wait for an answer */
const unanswered = new WeakMap();

/** @type {WeakSet<object>} the servers that allow it only now */
const allowing = new WeakSet();

/**
 * A request that waits for an answer.
 *
 * @typedef {object} Unanswered
 * @property {import("node:http").ServerResponse} res
 * @property {() => void} onhalfEnd called when the peer has ended its half of the connection
 */

/**
 * Has Node.js wait for the answer to a request that came by a connection of HTTP/1, even when its peer has ended its half: the
 * connection ends behind that answer, and those to other such requests right behind it. Without this, Node.js ends the connection,
 * as it does when the answer to a request of somebody else's is to come before.
 *
 * @param {Stream} socket
 * @param {Unanswered} request
 */
function awaitAnswer(socket, request) {
  if (!ASKS_HALF_OPEN || !insideOf(socket)?.server) return;
  let requests = unanswered.get(socket);
  if (requests === undefined) {
    requests = new Set();
    unanswered.set(socket, requests);
    socket.prependListener("end", allowHalfOpen); // before those of Node.js
    socket.on("end", disallowHalfOpen);
  }
  requests.add(request);
}

/**
 * @param {Stream} socket
 * @param {Unanswered} request one that is answered, or will never be
 */
function leaveUnanswered(socket, request) {
  unanswered.get(socket)?.delete(request);
}

/**
 * Leaves our half of a connection open when its peer ends the other one, as over TCP: over TLS, Node.js ends both.
 *
 * @param {Stream} socket
 */
function keepHalfOpen(socket) {
  socket.allowHalfOpen = true;
  socket.once("end", endIfGone);
}

/**
 * Over TLS, a reset looks like an end, and what is written behind it is never said to have left: nothing would end our half.
 *
 * @this {Stream}
 */
function endIfGone() {
  if (hasGone(this)) this.destroy();
}

/** @param {Stream} socket @returns {boolean} whether its connection is known to be broken */
function hasGone(socket) {
  const status = insideOf(socket)._handle?.getpeername?.({});
  return status !== undefined && status < 0;
}

/** @this {Stream} */
function allowHalfOpen() {
  const requests = unanswered.get(this);
  const { server } = insideOf(this);
  if (!requests?.size || !server || Reflect.get(server, "httpAllowHalfOpen") !== false) return;
  if (hasGone(this)) return;
  const waiting = [...requests];
  const isOurs = () => waiting.some(({ res }) => res.socket === this); // whose answer is the next that leaves
  if (!isOurs()) return;
  // Node.js waits for the last answer, but somebody else's may never come.
  const look = () => {
    if (!isOurs()) Reflect.get(this, "destroySoon").call(this);
  };
  for (const { res } of waiting) res.once("finish", look);
  this.allowHalfOpen = true;
  Reflect.set(server, "httpAllowHalfOpen", true);
  allowing.add(server);
  // should a listener throw, that of ours is not called which undoes this
  nextTick(undoAllowing, server);
  for (const request of waiting) request.onhalfEnd();
}

/** @this {Stream} */
function disallowHalfOpen() {
  const { server } = insideOf(this);
  if (server) undoAllowing(server);
}

/** @param {HttpServer} server */
function undoAllowing(server) {
  if (allowing.delete(server)) Reflect.set(server, "httpAllowHalfOpen", false);
}

module.exports = { answersHalfOpen, awaitAnswer, keepHalfOpen, leaveUnanswered };
