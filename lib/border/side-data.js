"use strict";

const { BodyKind, RecordSentinel } = require("../../native/border");

/** @typedef {import("../../native/border").AnyBodyKind} AnyBodyKind */
/** @typedef {import("../../native").DataPlane} DataPlane */

/** @type {never[]} */
const NONE = [];

/**
 * The buffers and long strings that travel beside the records of a batch, in their order. They are fetched when it is taken, before
 * anything is done about it: a listener of the program's that runs the event loop from within has the next batch taken, and what
 * is beside that one belongs to others.
 */
class SideData {
  /**
   * @param {DataPlane} native
   * @param {string} text of the batch, which tells whether there are any
   */
  constructor(native, text) {
    let end = text.length - 1;
    this.moreWait = text.charCodeAt(end) === RecordSentinel.MORE_WAIT;
    if (this.moreWait) end--;
    /** @type {Buffer[]} @private */
    this.allBuffers = NONE;
    /** @private */
    this.buffersTaken = 0;
    /** @type {string[]} @private */
    this.allStrings = NONE;
    /** @private */
    this.stringsTaken = 0;
    if (text.charCodeAt(end) === RecordSentinel.BUFFERS_BESIDE) {
      this.allBuffers = native.takeBuffers();
      end--;
    }
    if (text.charCodeAt(end) === RecordSentinel.STRINGS_BESIDE)
      this.allStrings = native.takeStrings();
  }

  /** @returns {string} the next string */
  string() {
    return this.allStrings[this.stringsTaken++];
  }

  /** @returns {Buffer} the next buffer */
  buffer() {
    return this.allBuffers[this.buffersTaken++];
  }

  /**
   * @param {number} count
   * @returns {Buffer[]} the next buffers
   */
  buffers(count) {
    this.buffersTaken += count;
    return this.allBuffers.slice(this.buffersTaken - count, this.buffersTaken);
  }
}

/** @param {AnyBodyKind} body @returns {boolean} whether a buffer travels beside the RESPONSE */
function carriesBuffer(body) {
  return body !== BodyKind.NONE && body !== BodyKind.OK;
}

module.exports = { carriesBuffer, SideData };
