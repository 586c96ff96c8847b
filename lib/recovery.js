"use strict";

const { NativeAdapter } = require("./adapter");
const { invalidOption } = require("./errors");
const { PacketType } = require("./packet");

const RECOVERY_DEFAULTS = Object.freeze({
  maxDisconnectionDuration: 2 * 60 * 1000, // ms
  skipMiddlewares: true,
  maxStoredBytes: 64 * 1024 * 1024, // per namespace: two minutes of half a megabyte a second
});

const SWEEP_INTERVAL = 60 * 1000; // ms; nothing is served late by it, it only gives memory back
const PACKET_OVERHEAD = 256; // bytes that a stored packet takes beside its messages, about
const SESSION_OVERHEAD = 512; // bytes that a session takes beside its rooms, about; what `data` holds is the program's

/**
 * @typedef {object} Stored
 * @property {string | any[]} encoded as it was sent: what the program does to its arguments later does not matter
 * @property {Set<any>} rooms
 * @property {Set<any>} except
 * @property {number} emittedAt ms
 * @property {number} size bytes
 */

/**
 * The last packets of a namespace, oldest first. Each has a number, one higher than that of the packet before, so that one
 * is found without a search.
 */
class PacketLog {
  /** @param {number} maxBytes how much is kept; what is older goes */
  constructor(maxBytes) {
    this.maxBytes = maxBytes;
    this.bytes = 0;
    /** the number of the oldest packet that is kept */
    this.first = 0;
    /** @type {(Stored | undefined)[]} the kept ones from `head` on */
    this.slots = [];
    this.head = 0;
  }

  /** The number of the packet that comes next. */
  get next() {
    return this.first + this.slots.length - this.head;
  }

  /** @param {Stored} packet */
  push(packet) {
    this.slots.push(packet);
    this.bytes += packet.size;
    while (this.bytes > this.maxBytes) this.shift();
  }

  /** @param {number} time ms; what is older goes */
  expire(time) {
    for (;;) {
      const oldest = this.slots[this.head];
      if (oldest === undefined || oldest.emittedAt >= time) return;
      this.shift();
    }
  }

  /** @private */
  shift() {
    this.bytes -= /** @type {Stored} */ (this.slots[this.head]).size;
    this.slots[this.head++] = undefined;
    this.first++;
    // moving the rest costs less than what has been taken out: constant time per packet
    if (this.head * 2 >= this.slots.length) {
      this.slots = this.slots.slice(this.head);
      this.head = 0;
    }
  }

  /**
   * @param {number} number
   * @yields {Stored} the packets from this number on
   */
  *from(number) {
    for (let i = this.head + number - this.first; i < this.slots.length; i++)
      yield /** @type {Stored} */ (this.slots[i]);
  }
}

/**
 * The adapter behind the option `connectionStateRecovery`: it remembers who was in which room, and what was sent, so that a
 * client that was away for a moment is given what it has missed.
 *
 *     connected ──lost──► persisted ──comes back in time──► connected, with its id, rooms, data and the packets it missed
 *                             └──too late, or its packets are gone──► forgotten
 *
 * An event that is neither volatile nor awaits an acknowledgement is stored as it was sent, and ends with an offset that
 * names it; a client that comes back gives the offset of the last event that it has got.
 */
class RecoveryAdapter extends NativeAdapter {
  /** @param {any} nsp */
  constructor(nsp) {
    super(nsp);
    const { maxDisconnectionDuration, maxStoredBytes = RECOVERY_DEFAULTS.maxStoredBytes } =
      nsp.server.opts.connectionStateRecovery;
    if (!(maxStoredBytes >= 0)) {
      const fix = "give a number of bytes";
      throw invalidOption("option connectionStateRecovery.maxStoredBytes", maxStoredBytes, fix);
    }
    /** @private ms */
    this._maxAge = maxDisconnectionDuration;
    /** @private */
    this._log = new PacketLog(maxStoredBytes);
    /** @type {Map<string, any>} by pid, in the order in which they were lost */
    this.sessions = new Map();
    /** @private bytes */
    this._sessionBytes = 0;
    /** @private begins every offset: an argument of the program must not be taken for one */
    this._prefix = Date.now().toString(36) + ".";
    /** @type {NodeJS.Timeout | undefined} @private runs while something is stored */
    this._sweeper = undefined;
  }

  close() {
    clearInterval(this._sweeper);
    this._sweeper = undefined;
  }

  /**
   * @param {any} packet
   * @param {any} opts { rooms, except, flags }
   */
  broadcast(packet, opts) {
    if (
      packet.type !== PacketType.EVENT ||
      packet.id !== undefined ||
      opts.flags?.volatile !== undefined
    ) {
      super.broadcast(packet, opts);
      return;
    }
    packet.data.push(this._prefix + this._log.next.toString(36));
    const encoded = this.encode(packet);
    this.sweepFromNowOn();
    this._log.push({
      encoded,
      rooms: opts.rooms,
      except: opts.except,
      emittedAt: Date.now(),
      size: PACKET_OVERHEAD + sizeOf(encoded),
    });
    if (this.oneByOne) super.broadcast(packet, opts);
    else this.deliver(packet, encoded, opts);
  }

  /** @param {any} session { sid, pid, rooms, data } */
  persistSession(session) {
    this.forget(session.pid);
    session.disconnectedAt = Date.now();
    this.sessions.set(session.pid, session);
    this._sessionBytes += SESSION_OVERHEAD + sizeOf(session.rooms);
    for (const pid of this.sessions.keys()) {
      if (this._sessionBytes <= this._log.maxBytes) break;
      this.forget(pid);
    }
    this.sweepFromNowOn();
  }

  /**
   * @param {any} pid
   * @param {string} offset that of the last event which the client has got
   * @returns {any} the session with what it has missed, in a promise; null when it can't be recovered
   */
  restoreSession(pid, offset) {
    const session = this.sessions.get(pid);
    if (session === undefined) return null;
    if (session.disconnectedAt + this._maxAge < Date.now()) {
      this.forget(pid);
      return null;
    }
    // recovered already: a second socket with its id would take the first one's place
    if (this.nsp.sockets.has(session.sid)) return null;
    const number = this.numberOf(offset);
    if (number === -1) return null;
    const missedMessages = [];
    for (const stored of this._log.from(number + 1)) {
      if (concerns(session.rooms, stored)) missedMessages.push(stored.encoded);
    }
    const { server } = this.nsp;
    return Promise.resolve({
      ...session,
      missedMessages,
      /** The same, decoded, as adapters give them. */
      get missedPackets() {
        return missedMessages.map((encoded) => decode(server._parser, encoded));
      },
    });
  }

  /**
   * @param {string} offset
   * @returns {number} of the packet that it names; -1 when it is none of ours, or one after it is gone
   * @private
   */
  numberOf(offset) {
    if (!offset.startsWith(this._prefix)) return -1;
    const digits = offset.slice(this._prefix.length);
    const number = Number.parseInt(digits, 36);
    if (number.toString(36) !== digits) return -1;
    // the packet itself may be gone: it is those after it that are missed
    return number >= this._log.first - 1 && number < this._log.next ? number : -1;
  }

  /**
   * @param {any} pid
   * @private
   */
  forget(pid) {
    const session = this.sessions.get(pid);
    if (session === undefined) return;
    this.sessions.delete(pid);
    this._sessionBytes -= SESSION_OVERHEAD + sizeOf(session.rooms);
  }

  /** @private */
  sweepFromNowOn() {
    this._sweeper ??= setInterval(() => this.sweep(), SWEEP_INTERVAL).unref();
  }

  /** Forgets what is too old. */
  sweep() {
    const time = Date.now() - this._maxAge;
    for (const [pid, session] of this.sessions) {
      if (session.disconnectedAt >= time) break; // those after it were lost later
      this.forget(pid);
    }
    this._log.expire(time);
    if (this.sessions.size === 0 && this._log.bytes === 0) this.close();
  }
}

/**
 * @param {any[]} rooms of the session
 * @param {Stored} packet
 * @returns {boolean} whether it would have been sent to the socket
 */
function concerns(rooms, packet) {
  if (packet.rooms.size > 0 && !rooms.some((room) => packet.rooms.has(room))) return false;
  return !rooms.some((room) => packet.except.has(room));
}

/**
 * @param {any} parts a text, or a list of texts and anything binary
 * @returns {number} the bytes that it takes, about
 */
function sizeOf(parts) {
  if (typeof parts === "string") return parts.length;
  let size = 0;
  for (const part of parts) size += part?.length ?? part?.byteLength ?? part?.size ?? 0;
  return size;
}

/**
 * @param {any} parser
 * @param {string | any[]} encoded
 * @returns {any} the data of the packet
 */
function decode(parser, encoded) {
  const decoder = new parser.Decoder();
  let data;
  decoder.on("decoded", (/** @type {any} */ packet) => (data = packet.data));
  for (const message of Array.isArray(encoded) ? encoded : [encoded]) decoder.add(message);
  return data;
}

module.exports = { PacketLog, RECOVERY_DEFAULTS, RecoveryAdapter };
