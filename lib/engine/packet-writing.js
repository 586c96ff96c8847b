"use strict";

const { NO_COMPRESS } = require("../border");
const { isBinary, readWebSocketFrame, writePacket } = require("../codec");

/**
 * What is asked of a session.
 *
 * @typedef {import("../border/operations").Named & Writer} Session
 *
 * @typedef {object} Writer
 * @property {number} protocol
 * @property {string} transportName
 * @property {{ opts: any }} server
 * @property {import("../border/border").Border} _border
 */

/** The digit of a message, as a byte. */
const MESSAGE = "4".charCodeAt(0);

/**
 * Hands an Engine.IO packet to the worker.
 *
 * @param {Session} conn
 * @param {string} type
 * @param {any} data
 * @param {any} [options]
 */
function writeEnginePacket(conn, type, data, options) {
  const flags = options?.compress === false ? NO_COMPRESS : 0;
  const frame = options?.wsPreEncodedFrame;
  if (
    frame !== undefined &&
    conn.transportName === "websocket" &&
    !conn.server.opts.perMessageDeflate
  ) {
    writeFrame(conn, frame, flags);
    return;
  }
  if (!data) data = "";
  else if (typeof data !== "string" && !isBinary(data)) data = String(data);
  const { operations } = conn._border;
  const text = type === "message" ? undefined : writePacket(type, data, conn.protocol);
  if (text === undefined) operations.sendRaw(conn, flags, data);
  else operations.sendPacket(conn, flags, text);
}

/**
 * Sends what a WebSocket frame holds that somebody has made for many.
 *
 * @param {Session} conn
 * @param {Buffer[]} frame
 * @param {number} flags
 */
function writeFrame(conn, frame, flags) {
  const { isText, payload } = readWebSocketFrame(Buffer.concat(frame));
  const { operations } = conn._border;
  if (!isText) operations.sendRaw(conn, flags, payload);
  else if (payload[0] === MESSAGE) operations.sendRaw(conn, flags, payload.toString("utf8", 1));
  else operations.sendPacket(conn, flags, payload.toString());
}

module.exports = { writeEnginePacket };
