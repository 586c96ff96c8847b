"use strict";

const debug = require("debug")("socket.io-parser");
const { LazyEmitter } = require("../node");
const { MESSAGES } = require("../base/errors");
const { PacketType, RESERVED_EVENTS } = require("./packet");
const { isBinary } = require("./encoder");

/** @typedef {import("./packet").Packet} Packet */

const MAX_ATTACHMENTS = 10;

/**
 * Puts attachments where their placeholders are, in place.
 *
 * @param {any} value
 * @param {any[]} attachments
 * @returns {any}
 * @throws when a placeholder names no attachment
 */
function reconstruct(value, attachments) {
  if (!value || typeof value !== "object") return value;
  if (value._placeholder === true) {
    const { num } = value;
    // whole, too: upstream lets 0.5 name nothing, and the program gets undefined for the client's bytes
    if (Number.isInteger(num) && num >= 0 && num < attachments.length) return attachments[num];
    throw new Error(MESSAGES.ILLEGAL_ATTACHMENTS);
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = reconstruct(value[i], attachments);
  } else {
    // "__proto__" is a key of its own here, made by JSON.parse: assigning to it calls no setter
    for (const key of Object.keys(value)) value[key] = reconstruct(value[key], attachments);
  }
  return value;
}

/**
 * @param {any} value
 * @returns {boolean}
 */
function isObject(value) {
  return Object.prototype.toString.call(value) === "[object Object]";
}

/**
 * @param {number} type
 * @param {any} data
 * @returns {boolean}
 */
function isPayloadValid(type, data) {
  switch (type) {
    case PacketType.CONNECT:
      return isObject(data);
    case PacketType.CONNECT_ERROR:
      return typeof data === "string" || isObject(data);
    case PacketType.EVENT:
    case PacketType.BINARY_EVENT:
      return (
        Array.isArray(data) &&
        (typeof data[0] === "number" ||
          (typeof data[0] === "string" && !RESERVED_EVENTS.has(data[0])))
      );
    case PacketType.ACK:
    case PacketType.BINARY_ACK:
      return Array.isArray(data);
    default:
      return false;
  }
}

// type, attachments, namespace, id, JSON
const HEADER = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*)(?:,|$))?(\d+)?/;

/**
 * Reads the text of one packet.
 *
 * @param {string} text
 * @returns {Packet}
 * @throws when it is not a packet
 */
function decodeText(text) {
  const match = HEADER.exec(text);
  if (!match) throw new Error("unknown packet type " + Number(text.charAt(0)));
  /** @type {Packet} */
  const packet = { type: Number(match[1]), nsp: match[3] || "/" };
  const binary = packet.type === PacketType.BINARY_EVENT || packet.type === PacketType.BINARY_ACK;
  if (binary) {
    const count = Number(match[2]);
    if (!(count >= 1)) throw new Error("Illegal attachments");
    if (count > MAX_ATTACHMENTS) throw new Error("too many attachments");
    packet.attachments = count;
  } else if (match[2] !== undefined) {
    throw new Error("invalid payload");
  }
  if (match[4] !== undefined) packet.id = Number(match[4]);
  if (match[0].length < text.length) {
    try {
      packet.data = JSON.parse(text.slice(match[0].length));
    } catch {
      packet.data = false; // no type accepts it
    }
    if (!isPayloadValid(packet.type, packet.data)) throw new Error("invalid payload");
  }
  if (debug.enabled) debug("decoded %s as %j", text, packet);
  return packet;
}

/**
 * The decoder for packets that do not come from a native session: `io.bind()` of a foreign engine, `client.ondata()`.
 *
 * Emits "decoded" (packet).
 */
class Decoder extends LazyEmitter {
  constructor() {
    super();
    /** @type {Packet | null} the packet whose attachments are awaited */
    this.pending = null;
    /** @type {any[]} */
    this.attachments = [];
  }

  /**
   * @param {any} data a text, or the bytes of an attachment
   * @throws when it is neither, or against the protocol
   */
  add(data) {
    if (typeof data === "string") {
      if (this.pending) throw new Error("got plaintext data when reconstructing a packet");
      const packet = decodeText(data);
      if (packet.attachments === undefined) {
        this.emit("decoded", packet);
        return;
      }
      packet.type = packet.type === PacketType.BINARY_EVENT ? PacketType.EVENT : PacketType.ACK;
      this.pending = packet;
      return;
    }
    if (data === null || typeof data !== "object" || !isBinary(data))
      throw new Error("Unknown type: " + data);
    const packet = this.pending;
    if (!packet) throw new Error("got binary data when not reconstructing a packet");
    this.attachments.push(data);
    if (this.attachments.length < Number(packet.attachments)) return;
    const { attachments } = this;
    this.destroy();
    delete packet.attachments;
    packet.data = reconstruct(packet.data, attachments);
    this.emit("decoded", packet);
  }

  /** Forgets an unfinished packet. */
  destroy() {
    this.pending = null;
    this.attachments = [];
  }
}

module.exports = { Decoder, reconstruct };
