"use strict";

const lib = require("../lib/codec");
const { PacketType } = require("../lib/codec");

/**
 * Finds the type of the packet of an event, before it is encoded: adapters of 2.x send packets with their type to other
 * servers, which rely on it.
 *
 * @param {any[]} data
 * @param {boolean} [binary] false: bytes are written as JSON
 * @returns {number}
 */
function eventType(data, binary) {
  return binary !== false && lib.hasBinary(data) ? PacketType.BINARY_EVENT : PacketType.EVENT;
}

/**
 * Encodes a packet as its type says.
 *
 * @param {any} packet
 * @returns {string | any[]} the text; or, with attachments, an array of the text and then the attachments
 */
function encode({ type, nsp, id, data }) {
  if (type === PacketType.EVENT) return lib.encodeText(type, nsp, id, data);
  if (type === PacketType.BINARY_EVENT) type = PacketType.EVENT;
  else if (type === PacketType.BINARY_ACK) type = PacketType.ACK;
  return lib.encode(type, nsp, id, data); // finds the attachments; a packet that turns out to have none is a plain one
}

/** The encoder as adapters of 2.x see it (`nsp.server.encoder`). */
class Encoder {
  /**
   * @param {any} packet
   * @param {(encoded: any[]) => void} [callback] called at once
   * @returns {any[]} the text, then the attachments
   */
  encode(packet, callback) {
    const encoded = encode(packet);
    const parts = typeof encoded === "string" ? [encoded] : encoded;
    if (callback) callback(parts);
    return parts;
  }
}

module.exports = { Encoder, encode, eventType };
