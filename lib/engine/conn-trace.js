"use strict";

// What the debug scopes of an Engine.IO session tell. Packets are read and written by the workers, which send them up for this
// only while a scope that shows them is on: see Conn#observe().

const createDebug = require("debug");
const { trace } = require("../base/trace");

const socket = createDebug("engine:socket");
const transport = createDebug("engine:transport");
const websocket = createDebug("engine:ws");
const parser = createDebug("socket.io-parser");

/**
 * What is asked of a connection here.
 *
 * @typedef {object} Traced
 * @property {string} id
 * @property {string} readyState
 * @property {string} transportName
 * @property {number} protocol
 * @property {{ opts: any, openPacket(sid: string, transport: string): string }} server
 */

/** @returns {boolean} whether what comes in is to be shown */
function showsIncoming() {
  return trace.any && (socket.enabled || websocket.enabled || trace.parser);
}

/** @returns {boolean} whether packets of the protocol itself are to be shown */
function showsControl() {
  return trace.any && (socket.enabled || websocket.enabled);
}

/**
 * @param {Traced} conn
 * @param {string} state the next one
 */
function traceState(conn, state) {
  if (trace.any && socket.enabled)
    socket("readyState updated from %s to %s", conn.readyState, state);
}

/**
 * The handshake is over.
 *
 * @param {Traced} conn
 */
function traceOpen(conn) {
  if (!trace.any || !socket.enabled) return;
  socket("readyState updated from opening to open");
  socket('sending packet "open" (%s)', conn.server.openPacket(conn.id, conn.transportName));
}

/**
 * @param {Traced} conn
 * @param {any} data a message
 */
function traceMessage(conn, data) {
  if (websocket.enabled && conn.transportName === "websocket") {
    websocket('received "%s"', typeof data === "string" ? `4${data}` : data);
  }
  socket("received packet message");
}

/**
 * A worker has decoded a Socket.IO packet.
 *
 * @param {string} text what it was
 * @param {number} type
 * @param {number | undefined} attachments
 * @param {string} nsp
 * @param {number | undefined} id
 * @param {any} data
 */
function traceDecoded(text, type, attachments, nsp, id, data) {
  if (!trace.parser) return;
  // a property that is undefined is not printed
  parser("decoded %s as %j", text, { type, attachments, nsp, id, data: data ?? undefined });
}

/**
 * @param {Traced} conn
 * @param {string} type "ping", "pong" and so on
 * @param {string} text the packet
 */
function traceControl(conn, type, text) {
  if (websocket.enabled && conn.transportName === "websocket") websocket('received "%s"', text);
  socket("received packet %s", type);
  if (type === (conn.protocol === 3 ? "ping" : "pong")) socket("got %s", type);
}

/** What has come is no packet. */
function traceInvalid() {
  if (trace.any) socket("received packet error");
}

/**
 * @param {Traced} conn
 */
function tracePing(conn) {
  socket("writing ping packet - expecting pong within %sms", conn.server.opts.pingTimeout);
}

/**
 * A transport probes.
 *
 * @param {Traced} conn
 * @param {string} next its name
 */
function traceProbe(conn, next) {
  socket('might upgrade socket transport from "%s" to "%s"', conn.transportName, next);
  if (next === "websocket") websocket('received "2probe"');
  socket("got probe ping packet, sending pong");
}

/**
 * A transport takes over.
 *
 * @param {Traced} conn
 * @param {string} next its name
 */
function traceUpgrade(conn, next) {
  if (next === "websocket") websocket('received "5"');
  socket("got upgrade packet - upgrading");
  traceTransportEnd(conn.transportName);
}

/** @param {string} name of a transport that closes */
function traceTransportEnd(name) {
  if (!trace.any) return;
  transport("readyState updated from open to closing (%s)", name);
  if (name === "websocket") websocket("closing");
  transport("readyState updated from closing to closed (%s)", name);
}

module.exports = {
  showsControl,
  showsIncoming,
  traceControl,
  traceDecoded,
  traceInvalid,
  traceMessage,
  traceOpen,
  tracePing,
  traceProbe,
  traceState,
  traceTransportEnd,
  traceUpgrade,
};
