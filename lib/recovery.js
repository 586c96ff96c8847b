"use strict";

const { NativeAdapter, flagsOf } = require("./adapter");
const { getBridge } = require("./bridge");
const { invalidOption } = require("./errors");
const { clearInterval, setInterval } = require("./loop");
const { PacketType } = require("./packet");
const { RestoredSession } = require("./restored-session");
const { RoomNumbers } = require("./room-numbers");

const RECOVERY_DEFAULTS = Object.freeze({
  maxDisconnectionDuration: 2 * 60 * 1000, // ms
  skipMiddlewares: true,
  maxStoredBytes: 64 * 1024 * 1024, // per namespace: two minutes of half a megabyte a second
});

const SWEEP_INTERVAL = 60 * 1000; // ms; nothing is served late by it, it only gives memory back

/** Packets and sessions are in logs beside the rooms; they go when nobody can ask for them any more. */
const logs = new FinalizationRegistry(({ native, log }) => native.closeRecovery(log));

const NOT_OPEN = -1;

/** @type {number[]} */
const NOBODY = [];

/** @type {ReadonlySet<any>} */
const NO_ROOMS = new Set();

/**
 * The adapter behind the option `connectionStateRecovery`: it remembers who was in which room, and what was sent, so that a
 * client that was away for a moment is given what it has missed.
 *
 *     connected ──lost──► persisted ──comes back in time──► connected, with its id, rooms, data and the packets it missed
 *                             └──too late, or its packets are gone──► forgotten
 *
 * An event that is neither volatile nor awaits an acknowledgement is stored as it was sent, and ends with an offset that
 * names it; a client that comes back gives the offset of the last event that it has got.
 *
 * What is stored is in the addon (`src/socketio/recovery.rs`). Here are the names of rooms, what programs keep in
 * `socket.data`, and the count of the packets: each knows its number when it is encoded.
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
    this._maxBytes = maxStoredBytes;
    /** @private the number of the log, once somebody has come: what was sent before, nobody has missed */
    this._log = NOT_OPEN;
    /** @private the number of the packet that comes next */
    this._next = 0;
    /** @private the batch of operations in which a packet was stored last */
    this._storedIn = -1;
    /** @private @type {Map<number, any>} what programs keep with the sessions, by their keys */
    this._kept = new Map();
    /** @private */
    this._roomNumbers = new RoomNumbers();
    /** @private begins every offset: an argument of the program must not be taken for one */
    this._prefix = Date.now().toString(36) + ".";
    /** @type {NodeJS.Timeout | undefined} @private runs while something is stored */
    this._sweeper = undefined;
  }

  close() {
    clearInterval(this._sweeper);
    this._sweeper = undefined;
  }

  /** @param {any} socket */
  onconnected(socket) {
    this.open();
    super.onconnected(socket);
  }

  /**
   * @returns {import("./bridge").Bridge}
   * @private
   */
  open() {
    const bridge = (this._bridge ??= getBridge(this.nsp.server.opts.workers));
    if (this._log === NOT_OPEN) {
      const { native } = bridge;
      this._log = native.openRecovery(whole(this._maxBytes), this._next);
      logs.register(this, { native, log: this._log });
    }
    return bridge;
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
    packet.data.push(this._prefix + this._next.toString(36));
    if (this._log === NOT_OPEN) {
      this._next++;
      super.broadcast(packet, opts);
    } else {
      this.store(packet, this.encode(packet), opts);
    }
  }

  /**
   * Stores a packet and sends it; in one operation, unless somebody wants to see it first.
   *
   * @param {any} packet
   * @param {string | import("./long-text").LongText | any[]} encoded what encode() made of it
   * @param {any} opts { rooms, except, flags }
   * @private
   */
  store(packet, encoded, opts) {
    const { ops } = this.open();
    if (this._roomNumbers.crowded) this.releaseRooms();
    const kept = {
      log: this._log,
      time: Date.now(),
      rooms: this._roomNumbers.of(opts.rooms),
      except: this._roomNumbers.of(opts.except ?? NO_ROOMS),
    };
    const apart = this.oneByOne || this.isShown;
    const to = apart ? NOBODY : this.receivers(opts);
    ops.keep(kept, flagsOf(opts.flags), to, apart ? NOBODY : this.excepted(opts), encoded);
    this._next++;
    this._storedIn = ops.batch;
    this._sweeper ??= this.startSweeper();
    if (this.oneByOne) super.broadcast(packet, opts);
    else if (apart) this.deliver(packet, encoded, opts);
  }

  /** @param {any} session { sid, pid, rooms, data } */
  persistSession({ sid, pid, rooms, data }) {
    const { native } = this.open();
    if (this._roomNumbers.crowded) this.releaseRooms();
    const numbers = this._roomNumbers.of(rooms);
    const size = sizeOf(rooms);
    const persisted = native.persistSession(this._log, pid, sid, numbers, size, Date.now());
    if (persisted === null) return;
    this._kept.set(persisted.key, data);
    for (const key of persisted.forgotten) this._kept.delete(key);
    this._sweeper ??= this.startSweeper();
  }

  /**
   * @param {any} pid
   * @param {string} offset that of the last event which the client has got
   * @returns {any} the session with what it has missed, in a promise; null when it can't be recovered
   */
  restoreSession(pid, offset) {
    const last = this.numberOf(offset);
    if (last === -1 || this._log === NOT_OPEN) return null;
    const bridge = this.open();
    if (this._storedIn === bridge.ops.batch) bridge.ops.flush(); // it may push out others
    const found = bridge.native.restoreSession(this._log, pid, last, this.oldest());
    if (found === null) return null;
    const { key, sid } = found;
    // recovered already: a second socket with its id would take the first one's place
    if (this.nsp.sockets.has(sid)) return null;
    const rooms = found.rooms.map((number) => this._roomNumbers.name(number));
    const state = { sid, pid, rooms, data: this._kept.get(key) };
    const parser = this.nsp.server._parser;
    return Promise.resolve(
      new RestoredSession(state, { bridge, parser, log: this._log, key, last }),
    );
  }

  /**
   * @param {string} offset
   * @returns {number} of the packet that it names; -1 when it is none of ours
   * @private
   */
  numberOf(offset) {
    if (!offset.startsWith(this._prefix)) return -1;
    const digits = offset.slice(this._prefix.length);
    const number = Number.parseInt(digits, 36);
    return number < this._next && number >= 0 && number.toString(36) === digits ? number : -1;
  }

  /**
   * @returns {number} when that was lost which is just not too old
   * @private
   */
  oldest() {
    return whole(Date.now() - this._maxAge);
  }

  /** @private */
  startSweeper() {
    return setInterval(() => this.sweep(), SWEEP_INTERVAL).unref();
  }

  /** Forgets what is too old. */
  sweep() {
    const { native, ops } = this.open();
    ops.flush();
    const expired = native.expireRecovery(this._log, this.oldest());
    if (expired === null) return;
    for (const key of expired.forgotten) this._kept.delete(key);
    this.releaseRooms();
    if (expired.empty) this.close();
  }

  /**
   * Gives up the numbers of rooms that nothing refers to any more.
   *
   * @private
   */
  releaseRooms() {
    const { native, ops } = this.open();
    ops.flush(); // what is under way refers to rooms too
    this._roomNumbers.release(native.unusedRecoveryRooms(this._log));
  }
}

/**
 * @param {any} number
 * @returns {number} the next whole one that the addon takes
 */
function whole(number) {
  return Math.min(Math.max(Math.ceil(number) || 0, 0), Number.MAX_SAFE_INTEGER);
}

/**
 * @param {any[]} rooms
 * @returns {number} the bytes that their names take, about
 */
function sizeOf(rooms) {
  let size = 0;
  for (const room of rooms) size += room?.length ?? 0;
  return size;
}

module.exports = { RECOVERY_DEFAULTS, RecoveryAdapter };
