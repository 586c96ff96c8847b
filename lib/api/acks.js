"use strict";

// Acknowledgements of a socket: those that its client owes, and those that it owes its client.

const debug = require("debug")("socket.io:socket");
const { timedOut } = require("../base/errors");
const { PacketType } = require("../codec");
const { trace } = require("../base/trace");

/**
 * What is asked of a socket.
 *
 * @typedef {object} Socket
 * @property {Map<number, Function>} acks
 * @property {Map<number, Function>} [_acks] undefined: there has been none yet
 * @property {(packet: import("../codec/packet").Packet) => void} packet
 */

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
  socket.acks.set(id, (/** @type {unknown[]} */ ...answer) => {
    clearTimeout(timer);
    ack.call(socket, null, ...answer);
  });
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
  return (...args) => {
    if (sent) return;
    if (trace.socket) debug("sending ack %j", args);
    socket.packet({ id, type: PacketType.ACK, data: args });
    sent = true;
  };
}

module.exports = { answerOnce, awaitAnswer, takeAnswer };
