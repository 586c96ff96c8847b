"use strict";

// What leaves by a connection, shown to those who listen to "packetCreate", "flush" and "drain". Nobody else pays for it:
// see Conn#watch().
//
// A packet is written between the first and the other two, as upstream has it: what their listeners send comes after it, and
// what they throw does not keep it back. So here are generators, which stop where it has to be written.

const debug = require("debug")("engine:socket");
const trace = require("./conn-trace");
const { NO_COMPRESS, VOLATILE } = require("../border");
const { PACKET_TYPES } = require("../codec");

/** @typedef {import("./conn").Conn} Conn */

/**
 * Shows the messages that a Socket.IO packet is made of. Stops when they have to be written, all at once.
 *
 * @param {Conn} conn
 * @param {any} encoded a text, or the messages
 * @param {number} flags VOLATILE, NO_COMPRESS
 * @param {any} [options] those of the packets; made from the flags when left out
 * @returns {Generator<void, void>}
 */
function* showMessagesOut(conn, encoded, flags, options) {
  if (flags & VOLATILE && !takesVolatile(conn)) return;
  options ??= flags & VOLATILE ? { volatile: true } : {};
  options.compress = (flags & NO_COMPRESS) === 0;
  const list = Array.isArray(encoded) ? encoded : [encoded];
  let written = false;
  for (const message of list) {
    const packet = create(conn, "message", message, options);
    if (!written) yield;
    written = true;
    conn._outbox?.add(packet);
  }
}

/**
 * @param {Conn} conn
 * @returns {boolean} whether its worker will send a volatile packet, as far as this thread knows
 */
function takesVolatile(conn) {
  const { bufferPolicy, maxBufferedBytes } = conn.server.opts;
  if (bufferPolicy === "dropVolatile" && maxBufferedBytes)
    return conn.bufferedAmount <= maxBufferedBytes;
  if (conn.transportName === "polling") return conn.server.isPolled(conn.id);
  return conn.bufferedAmount === 0;
}

/**
 * Shows an Engine.IO packet. Stops when it has to be written.
 *
 * @param {Conn} conn
 * @param {string} type
 * @param {any} data
 * @param {any} options
 * @param {Function} [callback] to be called when the packet has left
 * @returns {Generator<void, void>}
 */
function* showPacketOut(conn, type, data, options, callback) {
  const packet = create(conn, type, data, options);
  yield;
  conn._outbox?.add(packet, callback);
}

/**
 * @param {Conn} conn
 * @param {string} type
 * @param {any} data
 * @param {any} options
 * @returns {any} the packet as listeners see it
 */
function create(conn, type, data, options) {
  if (debug.enabled) debug('sending packet "%s" (%s)', type, data);
  /** @type {any} */
  const packet = { type, options };
  if (data) packet.data = data;
  conn.emit("packetCreate", packet);
  return packet;
}

/**
 * Shows a packet of the protocol itself, which the worker has sent.
 *
 * @param {Conn} conn
 * @param {string} text
 */
function showControlOut(conn, text) {
  if (conn.readyState === "closed") return;
  const type = PACKET_TYPES[Number(text[0])];
  if (type === "ping") trace.tracePing(conn);
  const data = text.length > 1 ? text.slice(1) : undefined;
  conn._outbox?.add(create(conn, type, data, { compress: true }));
}

module.exports = { showControlOut, showMessagesOut, showPacketOut };
