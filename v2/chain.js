"use strict";

/**
 * How an emission begins on a socket and on a namespace of Socket.IO 2.x: flags and rooms are noted on the object itself.
 *
 * @type {Record<string, any> & ThisType<{ flags: any, to(room: string): any }>}
 */
const CHAIN = {
  get volatile() {
    this.flags.volatile = true;
    return this;
  },

  get local() {
    this.flags.local = true;
    return this;
  },

  /** @param {boolean} compress */
  compress(compress) {
    this.flags.compress = compress;
    return this;
  },

  /** @param {boolean} binary false: bytes are written as JSON */
  binary(binary) {
    this.flags.binary = binary;
    return this;
  },

  /** @param {string} room */
  in(room) {
    return this.to(room);
  },
};

module.exports = { CHAIN };
