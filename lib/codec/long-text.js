"use strict";

/**
 * Characters from which on a string is long: for a shorter one, JSON.stringify() costs about as much as what is done here.
 */
const LONG_STRING = 256;

/** Bytes that a string and what is said about it take, beside its characters. */
const OVERHEAD = 9;

/**
 * The text of a packet with long strings among its arguments, in parts: JSON, a string, JSON, a string …, JSON. The worker
 * writes the strings as JSON, which would take this thread, of which there is only one, much longer.
 */
class LongText {
  constructor() {
    /** @type {string[]} one more than there are strings */
    this.json = [];
    /** @type {string[]} */
    this.strings = [];
    /** @type {boolean[]} whether each of them is ASCII */
    this.ascii = [];
    /** characters of JSON */
    this.characters = 0;
    /** bytes of the strings */
    this.bytes = 0;
  }

  /**
   * @param {string} json what stands before the string
   * @param {string} string
   */
  add(json, string) {
    const ascii = isAscii(string);
    this.json.push(json);
    this.strings.push(string);
    this.ascii.push(ascii);
    this.characters += json.length;
    this.bytes += OVERHEAD + (ascii ? string.length : 2 * string.length);
  }

  /**
   * @param {string} json what stands at the end
   * @returns {this}
   */
  end(json) {
    this.json.push(json);
    this.characters += json.length;
    return this;
  }

  /**
   * Puts another end in the place of one.
   *
   * @param {string} before
   * @param {string} after
   */
  replaceEnd(before, after) {
    const last = this.json.length - 1;
    const json = replaceEnd(this.json[last], before, after);
    this.characters += json.length - this.json[last].length;
    this.json[last] = json;
  }

  /** The text as it goes on the wire. */
  toString() {
    const { json, strings } = this;
    let text = json[0];
    for (let i = 0; i < strings.length; i++) text += JSON.stringify(strings[i]) + json[i + 1];
    return text;
  }
}

/**
 * @param {string} text
 * @param {string} before
 * @param {string} after
 * @returns {string} the text with another end, if it ends so
 */
function replaceEnd(text, before, after) {
  return text.endsWith(before) ? text.slice(0, -before.length) + after : text;
}

/**
 * @param {string} string
 * @returns {boolean} false for some that are, when it takes long to find out
 */
function isAscii(string) {
  // V8 counts the bytes of a string fast if it stores a byte for each character, and slowly if it does not
  return string.charCodeAt(0) < 0x80 && Buffer.byteLength(string) === string.length;
}

/**
 * @param {any} data
 * @returns {boolean} whether there is a long string among its elements
 */
function hasLongString(data) {
  if (!Array.isArray(data)) return false;
  for (let i = 0; i < data.length; i++) {
    const item = data[i];
    if (typeof item === "string" && item.length >= LONG_STRING) return true;
  }
  return false;
}

/**
 * Writes a packet with long strings in it.
 *
 * @param {string} header
 * @param {any[]} data
 * @returns {LongText | undefined} undefined: it must be written as a whole, since something in it may ask for its own place
 */
function writeLongText(header, data) {
  if (/** @type {any} */ (data).toJSON !== undefined || data.some(writesItself)) return undefined;
  const text = new LongText();
  let json = header + "[";
  for (let i = 0; i < data.length; i++) {
    if (i > 0) json += ",";
    const item = data[i];
    if (typeof item === "string" && item.length >= LONG_STRING) {
      text.add(json, item);
      json = "";
    } else {
      json += JSON.stringify(item) ?? "null";
    }
  }
  return text.end(json + "]");
}

/**
 * @param {any} item
 * @returns {boolean} whether it has a toJSON() method, which is told where in the array it stands
 */
function writesItself(item) {
  if (item === null || item === undefined) return false;
  return typeof item !== "string" && item.toJSON !== undefined;
}

/**
 * @param {any} encoded a text, or the messages that a packet is made of
 * @returns {any} the same for those who want to look at it
 */
function joined(encoded) {
  if (encoded instanceof LongText) return encoded.toString();
  if (!Array.isArray(encoded) || !(encoded[0] instanceof LongText)) return encoded;
  return [encoded[0].toString(), ...encoded.slice(1)];
}

/**
 * @param {any} encoded a text, or the messages that a packet is made of
 * @param {string} before
 * @param {string} after
 * @returns {any} the same with another end of its text
 */
function withEnd(encoded, before, after) {
  if (typeof encoded === "string") return replaceEnd(encoded, before, after);
  if (Array.isArray(encoded)) encoded[0] = withEnd(encoded[0], before, after);
  else if (encoded instanceof LongText) encoded.replaceEnd(before, after);
  return encoded;
}

module.exports = { LongText, hasLongString, joined, withEnd, writeLongText };
