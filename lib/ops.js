"use strict";

const { toBytes } = require("./encoder");
const { LongText } = require("./long-text");
const { longTextRoom, messagesOf, messagesRoom, textRoom } = require("./messages");
const { trace } = require("./trace");
const { nextTick } = require("./loop");

const INITIAL_SIZE = 1 << 20; // bytes; pages that are never written cost no memory

const SEND = 1;
const SEND_BINARY = 2;
const BROADCAST = 3;
const JOIN = 4;
const LEAVE = 5;
const JOINED = 6;
const CLOSE = 7;
const RELEASE = 8;
const WATCH = 9;
const SEND_RAW = 10;
const MARK = 11;
const MULTICAST = 12;
const SEND_PACKET = 13;
const KEEP = 14;
const REPLAY = 15;

/** Flags of what is sent. */
const VOLATILE = 1;
const NO_COMPRESS = 2;

/** Marks the target of a broadcast as a connection instead of a room. */
const TARGET_CONNECTION = 0x80000000;

/** Marks the length of a message as that of bytes instead of a text. */
const BINARY = 0x80000000;

/** Stands for the length of a text that comes in parts. */
const PARTED = 0xffffffff;

/**
 * How a packet is kept for those who come back.
 *
 * @typedef {object} Kept
 * @property {number} log
 * @property {number} time ms
 * @property {readonly number[]} rooms that it is for, by the numbers that the log knows; none: for everybody
 * @property {readonly number[]} except rooms that are left out
 */

/**
 * @typedef {Buffer & Record<"utf8Write" | "latin1Write" | "ucs2Write", (text: string, offset: number) => number>} WritableBuffer
 */

/**
 * @param {number} size
 * @returns {WritableBuffer}
 */
function allocate(size) {
  return /** @type {WritableBuffer} */ (Buffer.allocUnsafeSlow(size));
}

/**
 * What this thread tells the workers: operations are appended in order and leave together once per tick.
 */
class Ops {
  /** @param {(ops: Buffer, length: number) => void} deliver takes the bytes; they are reused when it returns */
  constructor(deliver) {
    this.deliver = deliver;
    this.buffer = allocate(INITIAL_SIZE);
    this.length = 0;
    this.scheduled = false;
    /** the number of the batch that is being written */
    this.batch = 0;
    /** @type {any[] | null} what the MULTICAST carries that was written last */
    this.cast = null;
    this.castFlags = 0;
    this.castHandle = -1;
    this.castStart = 0; // where its count is
    this.castEnd = 0;
    this.castCount = 0;
    this.flush = this.flush.bind(this);
  }

  /** Hands over what has been appended. */
  flush() {
    this.scheduled = false;
    trace.refresh();
    const { length } = this;
    if (length === 0) return;
    this.length = 0;
    this.batch++;
    this.cast = null;
    const { buffer } = this;
    if (buffer.length > INITIAL_SIZE) this.buffer = allocate(INITIAL_SIZE); // give a big one back
    this.deliver(buffer, length);
  }

  /**
   * Makes room for an operation and sees to it that it leaves at the end of this tick.
   *
   * @param {number} size bytes, at most
   * @returns {number} where to write
   */
  reserve(size) {
    if (this.length + size > this.buffer.length) {
      this.flush();
      if (size > this.buffer.length) this.buffer = allocate(size);
    }
    if (!this.scheduled) {
      this.scheduled = true;
      nextTick(this.flush);
    }
    return this.length;
  }

  /**
   * @param {number} at
   * @param {number} value
   * @returns {number} the position after it
   */
  u32(at, value) {
    const { buffer } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
    return at + 4;
  }

  /**
   * @param {number} at
   * @param {number} value a whole number
   * @returns {number} the position after it
   */
  u64(at, value) {
    return this.u32(this.u32(at, value), value / 2 ** 32);
  }

  /**
   * Writes a length and a text.
   *
   * @param {number} at
   * @param {string} text
   * @returns {number} the position after it
   */
  text(at, text) {
    const length = this.buffer.utf8Write(text, at + 4);
    this.u32(at, length);
    return at + 4 + length;
  }

  /**
   * Writes a text in parts.
   *
   * @param {number} at
   * @param {LongText} text
   * @returns {number} the position after it
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
      buffer[at] = ascii[i] ? 0 : 1;
      const length = ascii[i]
        ? buffer.latin1Write(string, at + 5)
        : buffer.ucs2Write(string, at + 5);
      this.u32(at + 1, length);
      at = this.text(at + 5 + length, json[i + 1]);
    }
    return at;
  }

  /**
   * Writes the messages of a packet.
   *
   * @param {number} at
   * @param {any[]} messages texts as they are, and bytes
   * @returns {number} the position after them
   */
  messages(at, messages) {
    at = this.message(at, messages[0]);
    at = this.u32(at, messages.length - 1);
    for (let i = 1; i < messages.length; i++) at = this.message(at, messages[i]);
    return at;
  }

  /**
   * @param {number} at
   * @param {string | LongText | Uint8Array} message
   * @returns {number} the position after it
   */
  message(at, message) {
    if (typeof message === "string") return this.text(at, message);
    if (message instanceof LongText) return this.longText(at, message);
    at = this.u32(at, message.length | BINARY);
    this.buffer.set(message, at);
    return at + message.length;
  }

  /**
   * @param {number} handle
   * @param {number} flags
   * @param {string} text a Socket.IO packet
   */
  send(handle, flags, text) {
    let at = this.reserve(10 + textRoom(text));
    this.buffer[at] = SEND;
    at = this.u32(at + 1, handle);
    this.buffer[at] = flags;
    this.length = this.text(at + 1, text);
  }

  /**
   * @param {number} handle
   * @param {number} flags NO_COMPRESS
   * @param {string} text an Engine.IO packet that is not a message: its digit and its data
   */
  sendPacket(handle, flags, text) {
    let at = this.reserve(10 + textRoom(text));
    this.buffer[at] = SEND_PACKET;
    at = this.u32(at + 1, handle);
    this.buffer[at] = flags;
    this.length = this.text(at + 1, text);
  }

  /**
   * @param {number} handle
   * @param {number} flags
   * @param {LongText} text a Socket.IO packet
   */
  sendLong(handle, flags, text) {
    let at = this.reserve(6 + longTextRoom(text));
    this.buffer[at] = SEND;
    at = this.u32(at + 1, handle);
    this.buffer[at] = flags;
    this.length = this.longText(at + 1, text);
  }

  /**
   * @param {number} handle
   * @param {number} flags
   * @param {any[]} parts the messages of a packet, texts and anything binary
   */
  sendBinary(handle, flags, parts) {
    const messages = messagesOf(parts);
    let at = this.reserve(6 + messagesRoom(messages));
    this.buffer[at] = SEND_BINARY;
    at = this.u32(at + 1, handle);
    this.buffer[at] = flags;
    this.length = this.messages(at + 1, messages);
  }

  /**
   * @param {number} flags
   * @param {number[]} to targets: rooms, or TARGET_CONNECTION | handle
   * @param {number[]} except targets
   * @param {string | LongText | any[]} encoded a text, or the messages of a packet
   */
  broadcast(flags, to, except, encoded) {
    const messages = Array.isArray(encoded) ? messagesOf(encoded) : [encoded];
    let at = this.reserve(10 + 4 * (to.length + except.length) + messagesRoom(messages));
    this.buffer[at] = BROADCAST;
    this.buffer[at + 1] = flags;
    at = this.targets(at + 2, to);
    at = this.targets(at, except);
    this.length = this.messages(at, messages);
  }

  /**
   * Sends a packet to whom it is for now, and keeps it for those who come back.
   *
   * @param {Kept} kept
   * @param {number} flags
   * @param {readonly number[]} to targets; none: it is sent in another way
   * @param {readonly number[]} except targets
   * @param {string | LongText | any[]} encoded a text, or the messages of a packet
   */
  keep(kept, flags, to, except, encoded) {
    const messages = Array.isArray(encoded) ? messagesOf(encoded) : [encoded];
    const numbers = kept.rooms.length + kept.except.length + to.length + except.length;
    let at = this.reserve(30 + 4 * numbers + messagesRoom(messages));
    this.buffer[at] = KEEP;
    at = this.u64(this.u32(at + 1, kept.log), kept.time);
    at = this.targets(this.targets(at, kept.rooms), kept.except);
    this.buffer[at] = flags;
    at = this.targets(this.targets(at + 1, to), except);
    this.length = this.messages(at, messages);
  }

  /**
   * Sends a client what it has missed.
   *
   * @param {number} handle
   * @param {number} log
   * @param {number} session
   * @param {number} last the number of the packet that it has got last
   */
  replay(handle, log, session, last) {
    let at = this.reserve(25);
    this.buffer[at] = REPLAY;
    at = this.u32(this.u32(at + 1, handle), log);
    this.length = this.u64(this.u64(at, session), last);
  }

  /**
   * Sends a packet that is being sent to many, one call for each: as long as nothing else is written between two
   * calls, the second only adds its target to the operation of the first, and the worker encodes the packet once.
   *
   * @param {number} handle
   * @param {number} flags
   * @param {any[]} parts the messages of a packet: the very same array for all its targets
   */
  multicast(handle, flags, parts) {
    if (
      this.cast === parts &&
      this.castEnd === this.length &&
      this.castFlags === flags &&
      this.castHandle !== handle && // the same client again: it may be meant to get two copies
      this.length + 4 <= this.buffer.length
    ) {
      this.castHandle = handle;
      this.castEnd = this.length = this.u32(this.length, handle);
      this.u32(this.castStart, ++this.castCount);
      return;
    }
    const messages = messagesOf(parts);
    let at = this.reserve(10 + messagesRoom(messages));
    this.buffer[at] = MULTICAST;
    this.buffer[at + 1] = flags;
    at = this.messages(at + 2, messages);
    this.cast = parts;
    this.castFlags = flags;
    this.castHandle = handle;
    this.castStart = at;
    this.castCount = 1;
    at = this.u32(at, 1);
    this.castEnd = this.length = this.u32(at, handle);
  }

  /**
   * @param {number} at
   * @param {readonly number[]} targets
   * @returns {number} the position after them
   */
  targets(at, targets) {
    at = this.u32(at, targets.length);
    for (let i = 0; i < targets.length; i++) at = this.u32(at, targets[i]);
    return at;
  }

  /**
   * @param {number} handle
   * @param {number} room
   */
  join(handle, room) {
    this.pair(JOIN, handle, room);
  }

  /**
   * @param {number} handle
   * @param {number} room
   */
  leave(handle, room) {
    this.pair(LEAVE, handle, room);
  }

  /** @param {number} handle a client that has joined its first namespace */
  joined(handle) {
    this.length = this.one(JOINED, handle);
  }

  /**
   * @param {number} handle
   * @param {boolean} discard whether to drop what waits to be written
   */
  close(handle, discard) {
    this.byte(CLOSE, handle, discard ? 1 : 0);
  }

  /** @param {number} handle a closed session, of which all is done */
  release(handle) {
    this.length = this.one(RELEASE, handle);
  }

  /** @param {number} handle a client of which we want to hear when all that was sent to it has left */
  mark(handle) {
    this.length = this.one(MARK, handle);
  }

  /**
   * @param {number} handle
   * @param {number} mask 1 heartbeats, 2 packets of the protocol itself
   */
  watch(handle, mask) {
    this.byte(WATCH, handle, mask);
  }

  /**
   * @param {number} handle
   * @param {number} flags
   * @param {any} data one Engine.IO message, a text or bytes
   */
  sendRaw(handle, flags, data) {
    const text = typeof data === "string";
    const bytes = text ? null : toBytes(data);
    let at = this.reserve(11 + (bytes === null ? textRoom(data) : bytes.length));
    this.buffer[at] = SEND_RAW;
    at = this.u32(at + 1, handle);
    this.buffer[at] = flags;
    this.buffer[at + 1] = text ? 0 : 1;
    if (bytes === null) {
      this.length = this.text(at + 2, data);
    } else {
      at = this.u32(at + 2, bytes.length);
      this.buffer.set(bytes, at);
      this.length = at + bytes.length;
    }
  }

  /**
   * @param {number} kind
   * @param {number} handle
   * @returns {number} the position after it
   */
  one(kind, handle) {
    const at = this.reserve(5);
    this.buffer[at] = kind;
    return this.u32(at + 1, handle);
  }

  /**
   * @param {number} kind
   * @param {number} handle
   * @param {number} value
   */
  byte(kind, handle, value) {
    const at = this.reserve(6);
    this.buffer[at] = kind;
    this.u32(at + 1, handle);
    this.buffer[at + 5] = value;
    this.length = at + 6;
  }

  /**
   * @param {number} kind
   * @param {number} handle
   * @param {number} room
   */
  pair(kind, handle, room) {
    const at = this.reserve(9);
    this.buffer[at] = kind;
    this.u32(at + 1, handle);
    this.length = this.u32(at + 5, room);
  }
}

module.exports = { Ops, NO_COMPRESS, TARGET_CONNECTION, VOLATILE };
