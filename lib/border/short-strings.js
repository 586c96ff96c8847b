"use strict";

// Packets of short strings, as most events and answers are. To make a text of one is what an emit costs most: JSON.stringify(),
// the concatenation with the header, and a call of Node.js that copies it into the batch. So such a packet is written into the
// batch character by character.
//
// What this must not change: the bytes are those of `JSON.stringify()`. Where a character would be escaped, or takes more than
// one byte, nothing is written, and the packet goes the long way; __test__/short-strings.test.js compares the two.

/** Characters from which on a string does not pass for short: from there on others are faster, see lib/codec/long-text.js. */
const SHORT_STRING = 256;

/** Bytes of what stands around two strings: `["`, `","` and `"]`. */
const PUNCTUATION = 7;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING = 0x5d;

/**
 * @param {any} value
 * @returns {boolean} whether it is a string that may be written here
 */
function isShortString(value) {
  return typeof value === "string" && value.length < SHORT_STRING;
}

/**
 * @param {string} header
 * @param {string} first
 * @param {string | undefined} second
 * @returns {number} enough bytes for the packet
 */
function stringsRoom(header, first, second) {
  const length = second === undefined ? 0 : second.length;
  return header.length + first.length + length + PUNCTUATION;
}

/**
 * Writes a packet whose data is an array of one or two strings.
 *
 * @param {Uint8Array} buffer with room for it
 * @param {number} at
 * @param {string} header
 * @param {string} first
 * @param {string | undefined} second
 * @returns {number} the position after it; −1: it can't be written here
 */
function writeStrings(buffer, at, header, first, second) {
  for (let i = 0; i < header.length; i++) {
    const unit = header.charCodeAt(i);
    if (unit >= 0x80) return -1;
    buffer[at++] = unit;
  }
  buffer[at++] = OPENING;
  at = writeString(buffer, at, first);
  if (at < 0) return -1;
  if (second !== undefined) {
    buffer[at++] = COMMA;
    at = writeString(buffer, at, second);
    if (at < 0) return -1;
  }
  buffer[at++] = CLOSING;
  return at;
}

/**
 * @param {Uint8Array} buffer
 * @param {number} at
 * @param {string} string
 * @returns {number} the position after it, with its quotes; −1: it can't be written here
 */
function writeString(buffer, at, string) {
  buffer[at++] = QUOTE;
  for (let i = 0; i < string.length; i++) {
    const unit = string.charCodeAt(i);
    if (unit < 0x20 || unit === QUOTE || unit === BACKSLASH || unit >= 0x80) return -1;
    buffer[at++] = unit;
  }
  buffer[at++] = QUOTE;
  return at;
}

module.exports = { isShortString, stringsRoom, writeStrings };
