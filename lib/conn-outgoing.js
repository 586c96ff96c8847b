"use strict";

// What leaves by a connection, shown to those who listen to "packetCreate", "flush" and "drain". Nobody else pays for it:
// see Conn#watch().

const debug = require("debug")("engine:socket");
const trace = require("./engine-trace");
const { NO_COMPRESS, VOLATILE } = require("./ops");
const { PACKET_TYPES } = require("./packet");

/** @typedef {import("./conn").Conn} Conn */

/**
 * Shows the messages that a Socket.IO packet is made of.
 *
 * @param {Conn} conn
 * @param {any} encoded a text, or the messages
 * @param {number} flags VOLATILE, NO_COMPRESS
 * @param {any} [options] those of the packets; made from the flags when left out
 */
function showMessagesOut(conn, encoded, flags, options) {
  if (flags & VOLATILE && !takesVolatile(conn)) return;
  options ??= flags & VOLATILE ? { volatile: true } : {};
  options.compress = (flags & NO_COMPRESS) === 0;
  const list = Array.isArray(encoded) ? encoded : [encoded];
  for (const message of list) showPacketOut(conn, "message", message, options);
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
 * Shows an Engine.IO packet.
 *
 * @param {Conn} conn
 * @param {string} type
 * @param {any} data
 * @param {any} options
 * @param {Function} [callback] to be called when the packet has left
 */
function showPacketOut(conn, type, data, options, callback) {
  if (debug.enabled) debug('sending packet "%s" (%s)', type, data);
  /** @type {any} */
  const packet = { type, options };
  if (data) packet.data = data;
  conn.emit("packetCreate", packet);
  conn._outbox?.add(packet, callback);
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
  showPacketOut(conn, type, text.length > 1 ? text.slice(1) : undefined, { compress: true });
}

module.exports = { showControlOut, showMessagesOut, showPacketOut };
