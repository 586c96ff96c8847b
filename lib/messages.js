"use strict";

// The messages that a packet is made of, and how many bytes to keep free for them in a batch.

const { toBytes } = require("./encoder");
const { LongText } = require("./long-text");

const MAX_UTF8 = 3; // bytes of UTF-8 per UTF-16 unit, at most
const GUESSED = 1 << 20; // bytes of a text that are kept free without a look at its characters, at most

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
 * @returns {number} enough bytes for them and their lengths and count
 */
function messagesRoom(messages) {
  let size = 4;
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i];
    if (typeof message === "string") size += 4 + textRoom(message);
    else size += message instanceof LongText ? longTextRoom(message) : 4 + message.length;
  }
  return size;
}

module.exports = { longTextRoom, messagesOf, messagesRoom, textRoom };
