"use strict";

// What comes in on a connection, shown to those who listen to Engine.IO packets. Nobody else pays for it: see
// Conn#watch().

const trace = require("./engine-trace");
const { writeText } = require("./encoder");
const { PACKET_TYPES } = require("./packet");

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
 * @param {any} data
 * @param {Buffer[] | null} [attachments]
 */
function showPacketIn(conn, type, nsp, id, data, attachments) {
  const wireType = attachments ? type + BINARY : type;
  const text = writeText(wireType, nsp, id, data, attachments?.length);
  showMessageIn(conn, text, { type: wireType, nsp, id, data });
  for (const attachment of attachments ?? []) showMessageIn(conn, attachment);
}

/**
 * Shows a message to the listeners of "packet", "data" and "message".
 *
 * @param {Conn} conn
 * @param {any} data
 * @param {any} [packet] the Socket.IO packet that it is
 */
function showMessageIn(conn, data, packet) {
  trace.traceMessage(conn, data, packet);
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
  const type = PACKET_TYPES[Number(text[0])];
  trace.traceControl(conn, type, text);
  conn.emit("packet", text.length > 1 ? { type, data: text.slice(1) } : { type });
}

module.exports = { showControlIn, showMessageIn, showPacketIn };
