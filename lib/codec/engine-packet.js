"use strict";

const { copyOf } = require("../base/bytes");

/** Names of the Engine.IO packet types, by their digit. */
const PACKET_TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];

/**
 * Writes an Engine.IO packet that is not a message.
 *
 * @param {string} type one of PACKET_TYPES
 * @param {any} data a text or bytes
 * @param {number} protocol
 * @returns {string | undefined} undefined when it is a message after all: in protocol 4, bytes are nothing else. In
 *   protocol 3 they have a type, and are written in base64, which every transport carries.
 */
function writePacket(type, data, protocol) {
  const digit = PACKET_TYPES.indexOf(type);
  if (typeof data === "string") return `${digit}${data}`;
  return protocol === 4 ? undefined : `b${digit}${copyOf(data).toString("base64")}`;
}

module.exports = { PACKET_TYPES, writePacket };
