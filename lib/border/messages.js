"use strict";

// The messages that a packet is made of, and how many bytes to keep free for them in a batch.

const { lengthOf, toBytes } = require("../base/bytes");
const { LongText } = require("../codec");
const { Layout } = require("../../native/border");

const MAX_UTF8 = 3; // bytes of UTF-8 per UTF-16 unit, at most
const LONGEST = Layout.BINARY - 3; // bytes of a message: that bit of its length says that it is binary, and two lengths mean else
const GUESSED = 1 << 20; // bytes that are kept free for a text without counting what it takes, at most

/**
 * @param {string} text
 * @returns {number} enough bytes for it; exact only when guessing would waste a lot
 */
function textRoom(text) {
  const most = text.length * MAX_UTF8;
  return most < GUESSED ? most : Buffer.byteLength(text);
}

/**
 * @param {LongText} text
 * @returns {number} enough bytes for it and what stands before its parts
 */
function longTextRoom(text) {
  return 16 + text.characters * MAX_UTF8 + text.bytes;
}

/**
 * Reads each value once. No code of the program runs between this and the writing of the messages, so they stay as they are.
 *
 * @param {any[]} parts texts and anything binary
 * @returns {any[]} texts and bytes
 */
function messagesOf(parts) {
  const messages = new Array(parts.length);
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    messages[i] = typeof part === "string" || part instanceof LongText ? part : toBytes(part);
  }
  return messages;
}

/**
 * @param {any[]} messages
 * @param {number} [attachFrom] bytes that are attached, and only numbered, from this size on
 * @returns {number} enough bytes for them and their lengths and count
 */
function messagesRoom(messages, attachFrom = Infinity) {
  let size = 4;
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i];
    if (typeof message === "string") size += 4 + textRoom(message);
    else if (message instanceof LongText) size += longTextRoom(message);
    else size += 4 + Math.min(bytesRoom(message), attachFrom);
  }
  return size;
}

/**
 * @param {Uint8Array} bytes
 * @returns {number} how many there are
 * @throws {RangeError} when there are more than a message may have
 */
function bytesRoom(bytes) {
  const length = lengthOf(bytes);
  if (length > LONGEST)
    throw new RangeError(
      `can't send ${length} bytes in one piece: ${LONGEST} at most, so send them in several`,
    );
  return length;
}

module.exports = { bytesRoom, longTextRoom, messagesOf, messagesRoom, textRoom };
