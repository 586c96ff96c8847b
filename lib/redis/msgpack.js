"use strict";

const { bare } = require("../base/bare");

// Values as the official adapters pack them: MessagePack. Those for Pub/Sub have their own ways for `undefined`, Dates and ArrayBuffers
// (those of the package notepack.io); the one for streams has not (@msgpack/msgpack), and does not read them. Only what is between
// servers comes here, and broadcasts that JavaScript has to see: all others are packed and unpacked in Rust.

// the types of extensions: all of notepack.io's own are the same, told apart by their lengths
const UNDEFINED = 0;
const BYTES = 0;
const TIME = -1; // how version 3 of it packs Dates, as MessagePack says
const DEPTH = 1000; // of values in values, at most: much deeper ones end the stack
const POW_32 = 2 ** 32;

/** What is no MessagePack, or no value that can be packed. */
class MsgpackError extends Error {}

/** Appends values to a list of pieces. */
class Packer {
  constructor() {
    /** @protected @type {Buffer[]} */
    this._done = [];
    /** @protected */
    this._buffer = Buffer.allocUnsafe(1024);
    /** @protected */
    this._at = 0;
  }

  /** @returns {Buffer} all of it */
  finish() {
    this._done.push(this._buffer.subarray(0, this._at));
    return this._done.length === 1 ? this._done[0] : Buffer.concat(this._done);
  }

  /**
   * @param {number} size
   * @returns {number} where so many bytes are to be written
   * @protected
   */
  reserve(size) {
    if (this._at + size > this._buffer.length) {
      this._done.push(this._buffer.subarray(0, this._at));
      this._buffer = Buffer.allocUnsafe(Math.max(size, 2 * this._buffer.length));
      this._at = 0;
    }
    const at = this._at;
    this._at += size;
    return at;
  }

  /**
   * @param {number} byte
   * @protected
   */
  byte(byte) {
    const at = this.reserve(1);
    this._buffer[at] = byte & 0xff;
  }

  /**
   * @param {number} prefix
   * @param {number} value
   * @param {number} size 1, 2 or 4 bytes
   * @protected
   */
  sized(prefix, value, size) {
    const at = this.reserve(1 + size);
    this._buffer[at] = prefix;
    if (size === 1) this._buffer[at + 1] = value & 0xff;
    else if (size === 2) this._buffer.writeUInt16BE(value & 0xffff, at + 1);
    else this._buffer.writeUInt32BE(value >>> 0, at + 1);
  }

  /**
   * @param {number} value a whole one
   * @protected
   */
  wide(value) {
    const at = this.reserve(8);
    this._buffer.writeInt32BE(Math.floor(value / POW_32) | 0, at);
    this._buffer.writeUInt32BE(value >>> 0, at + 4);
  }

  /**
   * @param {number} length
   * @param {readonly [number, number, number]} prefixes of a length of 1, 2 and 4 bytes
   * @protected
   */
  length(length, [one, two, four]) {
    if (length < 0x100 && one !== 0) this.sized(one, length, 1);
    else if (length < 0x10000) this.sized(two, length, 2);
    else this.sized(four, length, 4);
  }

  /**
   * @param {unknown} value
   * @param {number} [depth]
   */
  value(value, depth = 0) {
    if (depth > DEPTH) throw new MsgpackError(`more than ${DEPTH} values in each other`);
    switch (typeof value) {
      case "string":
        this.string(value);
        return;
      case "number":
        this.number(value);
        return;
      case "boolean":
        this.byte(value ? 0xc3 : 0xc2);
        return;
      case "undefined":
        this.nothing();
        return;
      case "object":
        if (value === null) this.byte(0xc0);
        else this.object(value, depth + 1);
        return;
      default:
        throw new MsgpackError(`a ${typeof value} can't be packed`);
    }
  }

  /**
   * @param {string} text
   * @protected
   */
  string(text) {
    const length = Buffer.byteLength(text);
    if (length < 0x20) this.byte(0xa0 | length);
    else this.length(length, [0xd9, 0xda, 0xdb]);
    const at = this.reserve(length);
    this._buffer.write(text, at, length);
  }

  /**
   * @param {number} value
   * @protected
   */
  number(value) {
    if (!this.isWhole(value)) {
      const at = this.reserve(9);
      this._buffer[at] = 0xcb;
      this._buffer.writeDoubleBE(value, at + 1);
    } else if (value >= 0) {
      if (value < 0x80) this.byte(value);
      else if (value < POW_32) this.length(value, [0xcc, 0xcd, 0xce]);
      else {
        this.byte(0xcf);
        this.wide(value);
      }
    } else if (value >= -0x20) this.byte(value);
    else if (value >= -0x80) this.sized(0xd0, value, 1);
    else if (value >= -0x8000) this.sized(0xd1, value, 2);
    else if (value >= -0x80000000) this.sized(0xd2, value, 4);
    else {
      this.byte(0xd3);
      this.wide(value);
    }
  }

  /**
   * @param {object} value
   * @param {number} depth
   * @protected
   */
  object(value, depth) {
    if (Array.isArray(value)) {
      const { length } = value;
      if (length < 0x10) this.byte(0x90 | length);
      else this.length(length, [0, 0xdc, 0xdd]);
      for (let i = 0; i < length; i++) this.value(value[i], depth);
    } else if (value instanceof Date) {
      this.date(value);
    } else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      this.binary(value);
    } else if ("toJSON" in value && typeof value.toJSON === "function") {
      this.value(value.toJSON(), depth);
    } else {
      const entries = Object.entries(value).filter(([, item]) => typeof item !== "function");
      if (entries.length < 0x10) this.byte(0x80 | entries.length);
      else this.length(entries.length, [0, 0xde, 0xdf]);
      for (const [key, item] of entries) {
        this.string(key);
        this.value(item, depth);
      }
    }
  }

  /** @protected */
  nothing() {
    this.sized(0xd4, UNDEFINED, 1);
    this.byte(0);
  }

  /**
   * @param {Date} value
   * @protected
   */
  date(value) {
    this.sized(0xd7, 0, 1);
    this.wide(value.getTime());
  }

  /**
   * @param {number} value
   * @returns {boolean} whether it is packed as a whole number
   * @protected
   */
  isWhole(value) {
    return Math.floor(value) === value && Number.isFinite(value);
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} value
   * @returns {boolean} whether it is packed as MessagePack says
   * @protected
   */
  isBin(value) {
    return Buffer.isBuffer(value);
  }

  /**
   * @param {ArrayBuffer | ArrayBufferView} value
   * @protected
   */
  binary(value) {
    // of a view, what it shows: notepack.io packs all that is in its ArrayBuffer
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    if (this.isBin(value)) {
      this.length(bytes.length, [0xc4, 0xc5, 0xc6]);
    } else {
      this.length(bytes.length, [0xc7, 0xc8, 0xc9]);
      this.byte(BYTES);
    }
    const at = this.reserve(bytes.length);
    this._buffer.set(bytes, at);
  }
}

/** Packs by MessagePack's own ways alone, as the package @msgpack/msgpack does. */
class PlainPacker extends Packer {
  /** @protected */
  nothing() {
    this.byte(0xc0);
  }

  /**
   * @param {Date} value
   * @protected
   */
  date(value) {
    const time = value.getTime() || 0; // of no valid one
    const seconds = Math.floor(time / 1000);
    const nanoseconds = (time - seconds * 1000) * 1e6;
    const isShort = seconds >= 0 && seconds < 2 ** 34;
    if (isShort && nanoseconds === 0 && seconds < POW_32) {
      this.sized(0xd6, TIME, 1);
      const at = this.reserve(4);
      this._buffer.writeUInt32BE(seconds, at);
    } else if (isShort) {
      this.sized(0xd7, TIME, 1);
      const at = this.reserve(8);
      this._buffer.writeUInt32BE(nanoseconds * 4 + Math.floor(seconds / POW_32), at);
      this._buffer.writeUInt32BE(seconds >>> 0, at + 4);
    } else {
      this.sized(0xc7, 12, 1);
      this.byte(TIME);
      const at = this.reserve(4);
      this._buffer.writeUInt32BE(nanoseconds, at);
      this.wide(seconds);
    }
  }

  /**
   * @param {number} value
   * @returns {boolean}
   * @protected
   */
  isWhole(value) {
    return Number.isSafeInteger(value);
  }

  /** @protected */
  isBin() {
    return true;
  }
}

/** Reads values from bytes that anybody may have sent. */
class Unpacker {
  /** @param {Buffer} bytes */
  constructor(bytes) {
    /** @private */
    this._bytes = bytes;
    /** @private */
    this._at = 0;
  }

  /** Nothing may be left. */
  end() {
    if (this._at !== this._bytes.length) throw new MsgpackError("trailing bytes");
  }

  /**
   * @param {number} size
   * @returns {number} where so many bytes are
   * @private
   */
  take(size) {
    const at = this._at;
    if (size > this._bytes.length - at) throw new MsgpackError("it ends too early");
    this._at += size;
    return at;
  }

  /**
   * @param {number} size 1, 2 or 4
   * @returns {number}
   * @private
   */
  unsigned(size) {
    return this._bytes.readUIntBE(this.take(size), size);
  }

  /**
   * @param {boolean} signed
   * @returns {number} of 8 bytes
   * @private
   */
  wide(signed) {
    const at = this.take(8);
    const high = signed ? this._bytes.readInt32BE(at) : this._bytes.readUInt32BE(at);
    return high * POW_32 + this._bytes.readUInt32BE(at + 4);
  }

  /**
   * @param {number} length
   * @returns {string}
   * @private
   */
  string(length) {
    const at = this.take(length);
    return this._bytes.toString("utf8", at, at + length);
  }

  /**
   * @param {number} length
   * @returns {Buffer} a copy: of what it was read from nothing has to stay
   * @private
   */
  binary(length) {
    const at = this.take(length);
    return Buffer.from(this._bytes.subarray(at, at + length));
  }

  /**
   * @param {number} length
   * @param {number} depth
   * @returns {unknown[]}
   * @private
   */
  array(length, depth) {
    if (length > this._bytes.length - this._at) throw new MsgpackError("it ends too early");
    const items = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth));
    return items;
  }

  /**
   * @param {number} length
   * @param {number} depth
   * @returns {Record<string, unknown>}
   * @private
   */
  map(length, depth) {
    if (length > this._bytes.length - this._at) throw new MsgpackError("it ends too early");
    /** @type {Record<string, unknown>} */
    const map = {};
    for (let i = 0; i < length; i++) {
      const key = this.value(depth);
      if (typeof key !== "string" && typeof key !== "number")
        throw new MsgpackError("a key is no text");
      const value = this.value(depth);
      // a member of that name would be the prototype
      if (key === "__proto__") {
        Object.defineProperty(
          map,
          key,
          bare({ value, enumerable: true, configurable: true, writable: true }),
        );
      } else map[key] = value;
    }
    return map;
  }

  /**
   * @param {number} length
   * @returns {unknown}
   * @private
   */
  extension(length) {
    const type = this._bytes.readInt8(this.take(1));
    const bytes = this.binary(length);
    if (type === TIME && length === 4) return new Date(bytes.readUInt32BE(0) * 1e3);
    if (type === TIME && length === 8) {
      const high = bytes.readUInt32BE(0); // 30 bits of nanoseconds, 34 of seconds
      const seconds = (high & 3) * POW_32 + bytes.readUInt32BE(4);
      return new Date(seconds * 1e3 + (high >>> 2) / 1e6);
    }
    if (type !== 0) return [type, bytes]; // as notepack.io does
    if (length === 1) return undefined;
    if (length === 8) return new Date(bytes.readInt32BE(0) * POW_32 + bytes.readUInt32BE(4));
    return [type, bytes];
  }

  /**
   * @param {number} length
   * @returns {unknown}
   * @private
   */
  bytesExtension(length) {
    const type = this._bytes.readInt8(this.take(1));
    const bytes = this.binary(length);
    if (type === TIME && length === 12) {
      const seconds = bytes.readInt32BE(4) * POW_32 + bytes.readUInt32BE(8);
      return new Date(seconds * 1e3 + bytes.readUInt32BE(0) / 1e6);
    }
    if (type !== 0) return [type, bytes];
    return new Uint8Array(bytes).buffer;
  }

  /**
   * @param {number} [depth]
   * @returns {unknown}
   */
  value(depth = 0) {
    if (depth > DEPTH) throw new MsgpackError(`more than ${DEPTH} values in each other`);
    const inner = depth + 1;
    const prefix = this.unsigned(1);
    if (prefix < 0x80) return prefix;
    if (prefix < 0x90) return this.map(prefix & 0x0f, inner);
    if (prefix < 0xa0) return this.array(prefix & 0x0f, inner);
    if (prefix < 0xc0) return this.string(prefix & 0x1f);
    if (prefix > 0xdf) return prefix - 0x100;
    switch (prefix) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.binary(this.unsigned(1));
      case 0xc5:
        return this.binary(this.unsigned(2));
      case 0xc6:
        return this.binary(this.unsigned(4));
      case 0xc7:
        return this.bytesExtension(this.unsigned(1));
      case 0xc8:
        return this.bytesExtension(this.unsigned(2));
      case 0xc9:
        return this.bytesExtension(this.unsigned(4));
      case 0xca:
        return this._bytes.readFloatBE(this.take(4));
      case 0xcb:
        return this._bytes.readDoubleBE(this.take(8));
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xcf:
        return this.wide(false);
      case 0xd0:
        return this._bytes.readInt8(this.take(1));
      case 0xd1:
        return this._bytes.readInt16BE(this.take(2));
      case 0xd2:
        return this._bytes.readInt32BE(this.take(4));
      case 0xd3:
        return this.wide(true);
      case 0xd4:
        return this.extension(1);
      case 0xd5:
        return this.extension(2);
      case 0xd6:
        return this.extension(4);
      case 0xd7:
        return this.extension(8);
      case 0xd8:
        return this.extension(16);
      case 0xd9:
        return this.string(this.unsigned(1));
      case 0xda:
        return this.string(this.unsigned(2));
      case 0xdb:
        return this.string(this.unsigned(4));
      case 0xdc:
        return this.array(this.unsigned(2), inner);
      case 0xdd:
        return this.array(this.unsigned(4), inner);
      case 0xde:
        return this.map(this.unsigned(2), inner);
      case 0xdf:
        return this.map(this.unsigned(4), inner);
      default:
        throw new MsgpackError(`there is no type ${prefix}`);
    }
  }
}

/**
 * @param {unknown} value
 * @returns {Buffer}
 * @throws {MsgpackError} for what can't be packed
 */
function pack(value) {
  return packBy(new Packer(), value);
}

/**
 * @param {unknown} value
 * @returns {Buffer} as the adapter for streams packs it
 * @throws {MsgpackError} for what can't be packed
 */
function packPlain(value) {
  return packBy(new PlainPacker(), value);
}

/**
 * @param {Packer} packer
 * @param {unknown} value
 * @returns {Buffer}
 */
function packBy(packer, value) {
  packer.value(value);
  return packer.finish();
}

/**
 * @param {Buffer} bytes
 * @returns {unknown}
 * @throws {MsgpackError} for what is no MessagePack
 */
function unpack(bytes) {
  const unpacker = new Unpacker(bytes);
  const value = unpacker.value();
  unpacker.end();
  return value;
}

module.exports = { DEPTH, MsgpackError, pack, packPlain, unpack };
