"use strict";

// What comes in on a connection, shown to those who listen to Engine.IO packets. Nobody else pays for it: see
// Conn#watch(). Each packet is shown in a tick of its own, as all that comes up is: so it stays in order with an upgrade
// of the transport, with the handlers of the events before it, and with the end.

const trace = require("./conn-trace");
const { PACKET_TYPES, writeText } = require("../codec");
const { nextTick } = require("../base/loop");

/** @typedef {import("./conn").Conn} Conn */

/** What makes the type of a packet the one with attachments. */
const BINARY = 3;

/**
 * Shows a Socket.IO packet, in the form in which it came.
 *
 * @param {Conn} conn
 * @param {number} type
 * @param {string} nsp
 * @param {number | undefined} id
 * @param {any} data read now: who gets the packet puts the attachments into it
 * @param {Buffer[] | null} [attachments]
 */
function showPacketIn(conn, type, nsp, id, data, attachments) {
  const wireType = attachments ? type + BINARY : type;
  const text = writeText(wireType, nsp, id, data, attachments?.length);
  trace.traceDecoded(text, wireType, attachments?.length, nsp, id, data);
  showMessageIn(conn, text);
  for (const attachment of attachments ?? []) showMessageIn(conn, attachment);
}

/**
 * Shows a message to the listeners of "packet", "data" and "message".
 *
 * @param {Conn} conn
 * @param {any} data
 */
function showMessageIn(conn, data) {
  nextTick(emitMessage, conn, data);
}

/**
 * @param {Conn} conn
 * @param {any} data
 */
function emitMessage(conn, data) {
  if (conn.readyState === "closed") return;
  trace.traceMessage(conn, data);
  conn.emit("packet", { type: "message", data });
  conn.emit("data", data);
  conn.emit("message", data);
}

/**
 * Shows a packet of the protocol itself.
 *
 * @param {Conn} conn
 * @param {string} text
 */
function showControlIn(conn, text) {
  nextTick(emitControl, conn, text);
}

/**
 * @param {Conn} conn
 * @param {string} text
 */
function emitControl(conn, text) {
  if (conn.readyState === "closed") return;
  const type = PACKET_TYPES[Number(text[0])];
  trace.traceControl(conn, type, text);
  conn.emit("packet", text.length > 1 ? { type, data: text.slice(1) } : { type });
}

module.exports = { showControlIn, showMessageIn, showPacketIn };
