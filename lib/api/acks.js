"use strict";

// Acknowledgements of a socket: those that its client owes, and those that it owes its client.

const debug = require("debug")("socket.io:socket");
const { handedOver, timedOut } = require("../base/errors");
const { PacketType } = require("../codec");
const { nextTick } = require("../base/loop");
const { trace } = require("../base/trace");

/**
 * What is asked of a socket.
 *
 * @typedef {object} Socket
 * @property {Map<number, Function>} acks
 * @property {Map<number, Function>} [_acks] undefined: there has been none yet
 * @property {(packet: import("../codec/packet").Packet) => void} packet
 * @property {{ _owed: { count: number } }} server counts those that clients wait for
 */

/** In place of an answer of the client, which is another process's. */
const HANDED_OVER = Symbol("handed over");

/** A callback that is called with `HANDED_OVER` in place of an answer. @typedef {Function & { takesError?: true }} Answered */

/**
 * @param {Socket} socket
 * @param {number} id that of the event
 * @param {Function} ack called with what the client answers
 * @param {number} [timeout] ms; then it is called with an error first, or null
 */
function awaitAnswer(socket, id, ack, timeout) {
  if (timeout === undefined) {
    socket.acks.set(id, ack);
    return;
  }
  const timer = setTimeout(() => {
    if (debug.enabled) debug("event with ack id %d has timed out after %d ms", id, timeout);
    socket.acks.delete(id);
    ack.call(socket, timedOut());
  }, timeout);
  const answered = (/** @type {unknown[]} */ ...answer) => {
    clearTimeout(timer);
    if (answer[0] === HANDED_OVER) ack.call(socket, handedOver());
    else ack.call(socket, null, ...answer);
  };
  answered.takesError = true;
  socket.acks.set(id, answered);
}

/**
 * The client is another process's: it answers there. Who waits with a timeout need not.
 *
 * @param {Socket} socket
 */
function failAnswers(socket) {
  const acks = socket._acks;
  if (acks === undefined) return;
  for (const [id, ack] of acks) {
    acks.delete(id);
    if (/** @type {Answered} */ (ack).takesError) nextTick(ack, HANDED_OVER);
  }
}

/**
 * The client has answered.
 *
 * @param {Socket} socket
 * @param {number} id
 * @param {unknown} [answer] its arguments
 */
function takeAnswer(socket, id, answer) {
  const ack = socket._acks?.get(id);
  if (typeof ack !== "function") {
    if (trace.socket) debug("bad ack %s", id);
    return;
  }
  if (trace.socket) debug("calling ack %s with %j", id, answer);
  try {
    ack.apply(socket, answer);
  } finally {
    socket._acks?.delete(id);
  }
}

/**
 * Makes the function with which a handler answers an event.
 *
 * @param {Socket} socket
 * @param {number} id that of the event
 * @returns {(...args: unknown[]) => void} only its first call counts
 */
function answerOnce(socket, id) {
  let sent = false;
  const owed = socket.server._owed;
  owed.count++;
  return (...args) => {
    if (sent) return;
    if (trace.socket) debug("sending ack %j", args);
    socket.packet({ id, type: PacketType.ACK, data: args });
    sent = true;
    owed.count--;
  };
}

module.exports = { answerOnce, awaitAnswer, failAnswers, HANDED_OVER, takeAnswer };
