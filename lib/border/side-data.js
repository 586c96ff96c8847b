"use strict";

const { BodyKind } = require("../../native/border");

/** @typedef {import("../../native/border").AnyBodyKind} AnyBodyKind */
/** @typedef {import("../../native").DataPlane} DataPlane */

/** The buffers and long strings that travel beside the records of a batch, in their order; fetched only when one has some. */
class SideData {
  /** @param {DataPlane} native */
  constructor(native) {
    this.native = native;
    /** @type {Buffer[] | null} */
    this.allBuffers = null;
    this.buffersTaken = 0;
    /** @type {string[] | null} */
    this.allStrings = null;
    this.stringsTaken = 0;
  }

  /** @returns {string} the next string */
  string() {
    this.allStrings ??= this.native.takeStrings();
    return this.allStrings[this.stringsTaken++];
  }

  /** @returns {Buffer} the next buffer */
  buffer() {
    this.allBuffers ??= this.native.takeBuffers();
    return this.allBuffers[this.buffersTaken++];
  }

  /**
   * @param {number} count
   * @returns {Buffer[]} the next buffers
   */
  buffers(count) {
    this.allBuffers ??= this.native.takeBuffers();
    this.buffersTaken += count;
    return this.allBuffers.slice(this.buffersTaken - count, this.buffersTaken);
  }
}

/** @param {AnyBodyKind} body @returns {boolean} whether a buffer travels beside the RESPONSE */
function carriesBuffer(body) {
  return body !== BodyKind.NONE && body !== BodyKind.OK;
}

module.exports = { carriesBuffer, SideData };
