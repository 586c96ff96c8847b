"use strict";

const { Layout, StringEncoding } = require("../../native/border");
const { copyInto, copyOf, isShared, lengthOf } = require("../base/bytes");
const { LongText } = require("../codec");
const { writeLatin1, writeUtf16, writeUtf8 } = require("../node");
const { nextTick } = require("../base/loop");

const { ATTACHED, BINARY, HANDLE, KIND, LENGTH, PARTED } = Layout;

const INITIAL_SIZE = 1 << 20; // bytes; pages that are never written cost no memory
/** Bytes from this size on go beside the batch: copied once, and not into it and out of it. */
const ATTACH_FROM = 16 << 10;
const MOST = 2 ** (8 * LENGTH) - 1; // bytes of an operation: as many as its length can tell

// sizes in bytes
const WORD = 4;
const FORM = 1;
/** Of what stands before the operands. */
const HEAD = LENGTH + KIND;
/** The same of an operation for one connection, with its handle. */
const NAMED = HEAD + HANDLE;

/** @typedef {import("../../native/border").AnyOperationKind} AnyOperationKind */

/**
 * The bytes in which operations are written one after another, and when they leave: together, once per tick.
 *
 * From `reserve()` to `finish()` no code of the program runs. An operation that throws in between has not been appended. Each
 * operation stands behind its length, so an error in one does not spoil the others.
 */
class Batch {
  /**
   * @param {(operations: Buffer, length: number) => void} deliver takes the bytes; they are reused when it returns
   * @param {(bytes: Uint8Array) => number} attach copies bytes for the next batch, and gives the number by which that names
   *   them; none of the program's code runs
   */
  constructor(deliver, attach) {
    this.deliver = deliver;
    this.attach = attach;
    /** @type {Buffer} */
    this.buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
    this.view = viewOf(this.buffer);
    this.length = 0;
    /** bytes that have been attached to the batch */
    this.attached = 0;
    /** whether it is known when what has been appended leaves */
    this.scheduled = false;
    /** @private packets that are handed to the program in ticks to come */
    this._handing = 0;
    /** @private whether the program is in such a tick: what it appends leaves when the last of these ticks has ended */
    this._isHanding = false;
    /** whether what is left is flushed at the end of each turn: the program may have the event loop go on within such a tick */
    this.hasTurns = false;
    /** the number of the batch that is being written */
    this.batch = 0;
    this.flush = this.flush.bind(this);
  }

  /** Hands over what has been appended. */
  flush() {
    this.scheduled = false;
    const { length } = this;
    if (length === 0) return;
    this.length = 0;
    this.attached = 0;
    this.batch++;
    const { buffer } = this;
    if (buffer.length > INITIAL_SIZE) this.use(Buffer.allocUnsafeSlow(INITIAL_SIZE)); // give a big one back
    this.deliver(buffer, length);
  }

  /**
   * No tick comes any more: what has been appended is handed over, and so is each operation from now on.
   *
   * @param {() => void} done is called whenever that has been done
   */
  hurry(done) {
    this.finish = (/** @type {number} */ start, /** @type {number} */ end) => {
      Batch.prototype.finish.call(this, start, end);
      this.flush();
      done();
    };
    this.flush();
    done();
  }

  /** Ticks come all the same. */
  calm() {
    this.finish = Batch.prototype.finish;
  }

  // What the program sends when it is given a packet leaves with that tick: one of its own for it, as for all else, would cost
  // more than to write the packet. Whatever else happens, a tick that is expected comes, and ends.

  /** A packet will be handed to the program, in a tick of its own. */
  expectTick() {
    this._handing++;
  }

  /** That tick begins. */
  beginTick() {
    this._isHanding = this.hasTurns;
  }

  /** It ends. */
  endTick() {
    this._isHanding = false;
    if (--this._handing === 0 && this.scheduled) this.flush();
  }

  // --- writing ---

  /**
   * Makes room for an operation and sees to it that it leaves: in the next tick, or at the end of this one.
   *
   * @param {number} size bytes, at most
   * @returns {number} where to write
   */
  reserve(size) {
    if (!(this.length + size <= this.buffer.length) || this.attached > INITIAL_SIZE) {
      if (!(size <= MOST))
        throw new RangeError(`can't send a packet of ${size} bytes: ${MOST} at most`);
      this.flush();
      if (size > this.buffer.length) this.use(Buffer.allocUnsafeSlow(size));
    }
    if (!this.scheduled) {
      this.scheduled = true;
      if (!this._isHanding) nextTick(this.flush);
    }
    return this.length;
  }

  /**
   * @param {Buffer} buffer
   * @protected
   */
  use(buffer) {
    this.buffer = buffer;
    this.view = viewOf(buffer);
  }

  /**
   * The operation that begins at `start` is whole.
   *
   * @param {number} start
   * @param {number} end
   * @protected
   */
  finish(start, end) {
    this.view.setUint32(start, end - start - LENGTH, true);
    this.length = end;
  }

  /**
   * Begins an operation for a connection.
   *
   * @param {number} start
   * @param {AnyOperationKind} kind
   * @param {number} handle
   * @param {number} generation
   * @returns {number} where its operands are written
   * @protected
   */
  named(start, kind, handle, generation) {
    this.buffer[start + LENGTH] = kind;
    this.view.setUint32(start + HEAD, handle, true);
    this.view.setUint32(start + HEAD + WORD, generation, true);
    return start + NAMED;
  }

  /**
   * Begins an operation for a cluster.
   *
   * @param {number} start
   * @param {AnyOperationKind} kind
   * @param {number} cluster
   * @returns {number} where its operands are written
   * @protected
   */
  ofCluster(start, kind, cluster) {
    this.buffer[start + LENGTH] = kind;
    return this.u32(start + HEAD, cluster);
  }

  /**
   * The same, with the name of a room.
   *
   * @param {number} start
   * @param {AnyOperationKind} kind
   * @param {number} cluster
   * @param {string | number} name
   * @param {string} text the same
   * @returns {number} where its operands are written
   * @protected
   */
  name(start, kind, cluster, name, text) {
    const at = this.ofCluster(start, kind, cluster);
    this.buffer[at] = typeof name === "number" ? 1 : 0;
    return this.text(at + 1, text);
  }

  /**
   * @param {number} at
   * @param {readonly number[]} targets two numbers each
   * @returns {number} the position after them
   * @protected
   */
  targets(at, targets) {
    return this.words(this.u32(at, targets.length / 2), targets);
  }

  /**
   * @param {number} at
   * @param {readonly number[]} words
   * @returns {number} the position after them
   * @protected
   */
  words(at, words) {
    for (let i = 0; i < words.length; i++) at = this.u32(at, words[i]);
    return at;
  }

  /**
   * Writes the messages of a packet.
   *
   * @param {number} at
   * @param {any[]} messages texts as they are, and bytes
   * @returns {number} the position after them
   * @protected
   */
  messages(at, messages) {
    at = this.attachOrWrite(at, messages[0]);
    at = this.u32(at, messages.length - 1);
    for (let i = 1; i < messages.length; i++) at = this.attachOrWrite(at, messages[i]);
    return at;
  }

  /**
   * @param {number} at
   * @param {string | LongText | Uint8Array} message
   * @returns {number} the position after it, or after its number
   * @protected
   */
  attachOrWrite(at, message) {
    if (typeof message === "string" || message instanceof LongText)
      return this.message(at, message);
    const length = lengthOf(message);
    if (length < ATTACH_FROM) return this.message(at, message);
    const number = this.attach(isShared(message) ? copyOf(message) : message);
    this.attached += length;
    return this.u32(this.u32(at, ATTACHED), number);
  }

  /**
   * @param {number} at
   * @param {string | LongText | Uint8Array} message
   * @returns {number} the position after it
   * @protected
   */
  message(at, message) {
    if (typeof message === "string") return this.text(at, message);
    if (message instanceof LongText) return this.longText(at, message);
    return this.bytes(at, message, BINARY);
  }

  /**
   * Writes a length and a text.
   *
   * @param {number} at
   * @param {string} text
   * @returns {number} the position after it
   * @protected
   */
  text(at, text) {
    const length = writeUtf8(this.buffer, text, at + WORD);
    this.u32(at, length);
    return at + WORD + length;
  }

  /**
   * Writes a text in parts.
   *
   * @param {number} at
   * @param {LongText} text
   * @returns {number} the position after it
   * @protected
   */
  longText(at, text) {
    const { buffer } = this;
    const { ascii, json, strings } = text;
    at = this.u32(at, PARTED);
    at = this.u32(at, text.characters + text.bytes);
    at = this.u32(at, strings.length);
    at = this.text(at, json[0]);
    for (let i = 0; i < strings.length; i++) {
      const string = strings[i];
      buffer[at] = ascii[i] ? StringEncoding.ASCII : StringEncoding.UTF16;
      const start = at + FORM + WORD;
      const length = ascii[i]
        ? writeLatin1(buffer, string, start)
        : writeUtf16(buffer, string, start);
      this.u32(at + FORM, length);
      at = this.text(start + length, json[i + 1]);
    }
    return at;
  }

  /**
   * Writes a length and bytes.
   *
   * @param {number} at
   * @param {Uint8Array} bytes
   * @param {number} flag set in the length
   * @returns {number} the position after them
   * @protected
   */
  bytes(at, bytes, flag) {
    const length = lengthOf(bytes);
    at = this.u32(at, length | flag);
    copyInto(this.buffer, bytes, at);
    return at + length;
  }

  /**
   * @param {number} at
   * @param {number} value
   * @returns {number} the position after it
   * @protected
   */
  u32(at, value) {
    this.view.setUint32(at, value, true);
    return at + WORD;
  }

  /**
   * @param {number} at
   * @param {number} value a whole number
   * @returns {number} the position after it
   * @protected
   */
  u64(at, value) {
    return this.u32(this.u32(at, value), value / 2 ** 32);
  }
}

/**
 * @param {Buffer} buffer
 * @returns {DataView} of all of it
 */
function viewOf(buffer) {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

module.exports = { ATTACH_FROM, Batch, HEAD, NAMED, WORD };
