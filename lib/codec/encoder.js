"use strict";

const debug = require("debug")("socket.io-parser");
const { unreadableArgument } = require("../base/errors");
const { PacketType } = require("./packet");
const { hasLongString, writeLongText } = require("./long-text");
const { trace } = require("../base/trace");

/** @typedef {import("./packet").Packet} Packet */
/** @typedef {import("./long-text").LongText} LongText */

/** The types of packets as text. */
const DIGITS = Object.freeze(["0", "1", "2", "3", "4", "5", "6"]);

const withFile = typeof File === "function";

/**
 * @param {any} value an object
 * @returns {boolean} whether it travels as an attachment: Buffer, view, ArrayBuffer, Blob or File
 */
function isBinary(value) {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof Blob ||
    (withFile && value instanceof File)
  );
}

/**
 * Looks for something binary anywhere in a value.
 *
 * @param {any} value
 * @param {boolean} [fromToJSON] whether the value is what a toJSON() gave: only one level of it is followed
 * @returns {boolean}
 */
function hasBinary(value, fromToJSON) {
  if (value === null || typeof value !== "object") return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (typeof item === "object" && item !== null && hasBinary(item)) return true;
    }
    return false;
  }
  if (isBinary(value)) return true;
  if (typeof value.toJSON === "function" && !fromToJSON) return hasBinary(value.toJSON(), true);
  for (const key in value) {
    if (Object.prototype.hasOwnProperty.call(value, key)) {
      const item = value[key];
      if (typeof item === "object" && item !== null && hasBinary(item)) return true;
    }
  }
  return false;
}

/**
 * Copies a value with placeholders instead of what is binary.
 *
 * @param {any} value
 * @param {any[]} attachments the list that the binary parts are appended to
 * @param {boolean} [fromToJSON]
 * @returns {any}
 */
function deconstruct(value, attachments, fromToJSON) {
  if (!value || typeof value !== "object") return value;
  if (isBinary(value)) {
    attachments.push(value);
    return { _placeholder: true, num: attachments.length - 1 };
  }
  if (Array.isArray(value)) {
    const copy = new Array(value.length);
    for (let i = 0; i < value.length; i++) copy[i] = deconstruct(value[i], attachments);
    return copy;
  }
  if (value instanceof Date) return value;
  if (typeof value.toJSON === "function" && !fromToJSON) {
    return deconstruct(value.toJSON(), attachments, true);
  }
  /** @type {Record<string, any>} */
  const copy = {};
  for (const key in value) {
    if (Object.prototype.hasOwnProperty.call(value, key))
      copy[key] = deconstruct(value[key], attachments);
  }
  return copy;
}

/**
 * Copies the data of a packet with placeholders instead of what is binary.
 *
 * @param {any} data
 * @param {any[]} attachments the list that the binary parts are appended to
 * @returns {any}
 * @throws {TypeError} when a Blob is among them
 */
function takeAttachments(data, attachments) {
  const copy = deconstruct(data, attachments);
  for (let num = 0; num < attachments.length; num++)
    if (attachments[num] instanceof Blob) throw unreadableArgument(pathTo(num, copy) ?? "?");
  return copy;
}

/**
 * @param {number} num
 * @param {any} copy what deconstruct() gave
 * @returns {string | undefined} where the placeholder of that number stands; undefined when it is not in there
 */
function pathTo(num, copy) {
  if (typeof copy !== "object" || copy === null) return undefined;
  if (copy._placeholder === true && copy.num === num) return "";
  for (const key of Object.keys(copy)) {
    const rest = pathTo(num, copy[key]);
    if (rest !== undefined) return (Array.isArray(copy) ? `[${key}]` : `.${key}`) + rest;
  }
  return undefined;
}

/**
 * Writes the text of a packet.
 *
 * @param {number} type
 * @param {string | undefined} nsp
 * @param {number | undefined} id
 * @param {any} data
 * @param {number} [attachments]
 * @param {(key: string, value: any) => any} [replacer]
 * @returns {string}
 */
function writeText(type, nsp, id, data, attachments, replacer) {
  let text = DIGITS[type] ?? String(type);
  if (attachments !== undefined) text += attachments + "-";
  if (nsp && nsp !== "/") text += nsp + ",";
  if (id !== undefined && id !== null) text += id;
  if (data !== undefined && data !== null) text += JSON.stringify(data, replacer);
  return text;
}

/**
 * The same for a packet that is sent, which the debug scope shows.
 *
 * @type {typeof writeText}
 */
function encodeText(type, nsp, id, data, attachments, replacer) {
  const text = writeText(type, nsp, id, data, attachments, replacer);
  if (trace.parser) debug("encoded %j as %s", shown(type, nsp, id, data, attachments), text);
  return text;
}

/**
 * @param {number} type
 * @param {string | undefined} nsp
 * @param {number | undefined} id
 * @param {any} data
 * @param {number} [attachments]
 * @returns {Packet} the packet as the debug scope shows it: with its keys in the order in which upstream has them
 */
function shown(type, nsp, id, data, attachments) {
  if (attachments !== undefined) return { type, nsp, data, id, attachments };
  return type === PacketType.ACK ? { id, type, data, nsp } : { type, data, id, nsp };
}

/**
 * Encodes a packet in the default format.
 *
 * @param {number} type
 * @param {string | undefined} nsp
 * @param {number | undefined} id
 * @param {any} data
 * @param {(key: string, value: any) => any} [replacer]
 * @returns {string | any[]} the text; or, with attachments, an array of the text and then the attachments as they were given
 */
function encode(type, nsp, id, data, replacer) {
  if (trace.parser) debug("encoding packet %j", shown(type, nsp, id, data));
  if ((type === PacketType.EVENT || type === PacketType.ACK) && hasBinary(data)) {
    /** @type {any[]} */
    const attachments = [];
    const copy = takeAttachments(data, attachments);
    const binaryType = type === PacketType.EVENT ? PacketType.BINARY_EVENT : PacketType.BINARY_ACK;
    attachments.unshift(encodeText(binaryType, nsp, id, copy, attachments.length, replacer));
    return attachments;
  }
  return encodeText(type, nsp, id, data, undefined, replacer);
}

/**
 * The same for a packet that nobody looks at before a worker gets it: long strings among the arguments of an event or
 * an ack don't become JSON here.
 *
 * @param {number} type
 * @param {string | undefined} nsp
 * @param {number | undefined} id
 * @param {any} data
 * @returns {string | LongText | any[]} as of encode(); the text may be one that is not put together yet
 */
function encodeForWorker(type, nsp, id, data) {
  if (!hasLongString(data) || trace.parser) return encode(type, nsp, id, data);
  /** @type {any[]} */
  const attachments = [];
  const binary = hasBinary(data);
  if (binary) {
    data = takeAttachments(data, attachments);
    type = type === PacketType.EVENT ? PacketType.BINARY_EVENT : PacketType.BINARY_ACK;
  }
  const header = writeText(type, nsp, id, undefined, binary ? attachments.length : undefined);
  const text = writeLongText(header, data) ?? header + JSON.stringify(data);
  if (!binary) return text;
  attachments.unshift(text);
  return attachments;
}

/**
 * The encoder as adapters see it (`nsp.server.encoder`).
 */
class Encoder {
  /** @param {(key: string, value: any) => any} [replacer] given to JSON.stringify */
  constructor(replacer) {
    this.replacer = replacer;
  }

  /**
   * @param {Packet} packet
   * @param {(encoded: any[]) => void} [callback] for adapters written for Socket.IO 2.x
   * @returns {any[]} the text, then the attachments
   */
  encode(packet, callback) {
    const encoded = encode(packet.type, packet.nsp, packet.id, packet.data, this.replacer);
    const parts = typeof encoded === "string" ? [encoded] : encoded;
    if (callback) callback(parts);
    return parts;
  }
}

module.exports = {
  Encoder,
  encode,
  encodeForWorker,
  encodeText,
  hasBinary,
  isBinary,
  writeText,
};
