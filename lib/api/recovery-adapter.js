"use strict";

const { NativeAdapter, flagsOf } = require("./adapter");
const { getBorder, messagesOf } = require("../border");
const { invalidOption } = require("../base/errors");
const { nextTick } = require("../base/loop");
const { OffsetMarks } = require("./offset-marks");
const { defaultsOf } = require("../base/options");
const { clearInterval, setInterval } = require("../base/loop");
const { PacketType, withEnd } = require("../codec");
const { RestoredSession } = require("./restored-session");
const { RoomNumbers } = require("./room-numbers");

const RECOVERY_DEFAULTS = Object.freeze(defaultsOf("connectionStateRecovery"));

const SWEEP_INTERVAL = 60 * 1000; // ms; nothing is served late by it, it only gives memory back

/** Packets and sessions are in logs beside the rooms; they go when nobody can ask for them any more. */
const logs = new FinalizationRegistry(({ native, log }) => native.closeRecovery(log));

const UNKNOWN = -2;

/** Characters of an offset that is kept, which is not ours. */
const MAX_GIVEN = 64;

/** What may pass before a packet, or a ping, is on its way. */
const DELAY = 5_000; // ms

const NOT_OPEN = -1;

/**
 * @typedef {object} Kept what is kept here of a session that was lost
 * @property {any} data of its socket
 * @property {any[]} rooms of its socket
 * @property {number} from the number of the packet stored last before it began; -1 for none
 * @property {number} to the number of the packet stored last before it was lost
 * @property {boolean} noticed whether the end of its connection was seen when it came: else it may have been lost for long
 * @property {number} unproven from when on it is not known of what was sent whether it came, ms
 * @property {string | undefined} given the offset with which it began: with that it comes back if it has got nothing since
 */

/** @typedef {{ socket: any, from: number, persisted: boolean }} Live */

/** @typedef {{ session: RestoredSession, last: number }} Returning and the number of the last packet that its client has got */

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
 * names it; a client that comes back gives the offset of the last event that it has got. It has none before its first one:
 * then it has missed all since it came. And a volatile event that ends with a text spoils it (see OffsetMarks).
 *
 * A client that is back before its end was noticed takes its session over: its old connection ends, and so is lost.
 *
 * What is stored is in the addon (`src/socketio/recovery_log.rs`). Here are the names of rooms, what programs keep in
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
    /** @private the number of the packet that comes next; in the log they are one higher, and 0 is that of none */
    this._next = 0;
    /** @private the batch of operations in which a packet was stored last */
    this._storedIn = -1;
    /** @private @type {Map<number, Kept>} what is kept here of the sessions that were lost, by their keys */
    this._kept = new Map();
    /** @private @type {Map<string, Live>} those that are connected, by their pids */
    this._live = new Map();
    /** @private @type {Map<string, Returning>} those that are coming back, by their pids */
    this._returning = new Map();
    /** @private */
    this._marks = new OffsetMarks();
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
    const { pid } = socket;
    if (pid === undefined || this._live.get(pid)?.socket === socket) return; // a middleware may answer twice
    const from = this.arrival(socket)?.last ?? this._next - 1;
    this._live.set(pid, { socket, from, persisted: false });
  }

  /** @param {any} socket */
  ondisconnecting(socket) {
    const { id, pid } = socket;
    const owner = this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
    // a middleware may be so late that its client is back already, with this id
    if (owner === undefined || owner === socket) super.ondisconnecting(socket);
    const live = this._live.get(pid);
    if (live === undefined) {
      this.arrival(socket);
    } else if (live.socket === socket) {
      this._live.delete(pid);
      if (socket.recovered && !live.persisted) this.forget(pid);
    }
  }

  /**
   * Ends the way back of a socket: it is connected, or will never be.
   *
   * @param {any} socket
   * @returns {Returning | undefined} nothing when it is not this one that is coming back
   * @private
   */
  arrival(socket) {
    const returning = this._returning.get(socket.pid);
    if (returning?.session.socket !== socket) return undefined;
    this._returning.delete(socket.pid);
    return returning;
  }

  /**
   * Forgets a session that came back and has ended for good: who was thrown out does not come back by it.
   *
   * @param {string} pid
   * @private
   */
  forget(pid) {
    const { native, operations } = this.open();
    operations.flush(); // what it missed may be under way
    const key = native.forgetSession(this._log, pid);
    if (key !== null) this._kept.delete(key);
  }

  /**
   * @returns {import("../border/border").Border}
   * @private
   */
  open() {
    const border = (this._border ??= getBorder(this.nsp.server.opts.workers));
    if (this._log === NOT_OPEN) {
      const { native } = border;
      this._log = native.openRecovery(whole(this._maxBytes), this._next + 1);
      logs.register(this, { native, log: this._log });
    }
    return border;
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
      // one that awaits an acknowledgement ends with a function there
      const last = packet.data?.[packet.data.length - 1];
      if (typeof last === "string" && packet.id === undefined && packet.type === PacketType.EVENT)
        this._marks.note(last, this._next - 1, opts.rooms);
      super.broadcast(packet, opts);
      return;
    }
    packet.data.push(this.nextOffset());
    if (this._log === NOT_OPEN) {
      this._next++;
      super.broadcast(packet, opts);
    } else {
      this.store(packet, this.encode(packet), opts);
    }
  }

  /** @private */
  nextOffset() {
    return this._prefix + this._next.toString(36);
  }

  /**
   * Stores a packet and sends it; in one operation, unless somebody wants to see it first.
   *
   * @param {any} packet
   * @param {string | import("../codec/long-text").LongText | any[]} encoded what encode() made of it
   * @param {any} opts { rooms, except, flags }
   * @private
   */
  store(packet, encoded, opts) {
    const { operations } = this.open();
    // Looked at before rooms get their numbers: what the program runs now may let a number go that nothing refers to yet.
    if (Array.isArray(encoded)) encoded = messagesOf(encoded);
    const { data } = packet;
    const before = data[data.length - 1];
    const offset = this.nextOffset();
    if (before !== offset) {
      // A toJSON() of it has emitted: that packet is stored before this one, and has its number. What a parser of the
      // program's own has made keeps the number, which is an older one then: better twice than not at all.
      data[data.length - 1] = offset;
      encoded = withEnd(encoded, `"${before}"]`, `"${offset}"]`);
    }
    if (this._roomNumbers.crowded) this.releaseRooms();
    const kept = {
      log: this._log,
      time: Date.now(),
      rooms: this._roomNumbers.of(opts.rooms),
      except: this._roomNumbers.of(opts.except ?? NO_ROOMS),
    };
    const apart = this.oneByOne || this.isShown;
    const to = apart ? NOBODY : this.receivers(opts);
    operations.keep(kept, flagsOf(opts.flags), to, apart ? NOBODY : this.excepted(opts), encoded);
    this._next++;
    this._storedIn = operations.batch;
    this._sweeper ??= this.startSweeper();
    if (this.oneByOne) super.broadcast(packet, opts);
    else if (apart) this.deliver(packet, encoded, opts);
  }

  /** @param {any} session { sid, pid, rooms, data } */
  persistSession({ sid, pid, rooms, data }) {
    const { native } = this.open();
    const size = sizeOf(rooms);
    if (this._roomNumbers.crowded) this.releaseRooms();
    const numbers = this._roomNumbers.of(rooms);
    const lostAt = Date.now();
    const persisted = native.persistSession(this._log, pid, sid, numbers, size, lostAt);
    if (persisted === null) return;
    const live = this._live.get(pid);
    const to = this._next - 1;
    /** @type {Kept} */
    const kept = { data, rooms, from: -1, to, noticed: true, unproven: lostAt, given: undefined };
    if (live !== undefined) {
      live.persisted = true;
      kept.from = live.from;
      const { client, _auth: auth } = live.socket;
      if (typeof auth?.offset === "string" && auth.offset.length <= MAX_GIVEN)
        kept.given = auth.offset;
      kept.noticed = client._end?.reason === "transport close" && !client._superseded;
      kept.unproven = whole(lostAt - unprovenTime(client.conn.server?.opts));
    }
    this._kept.set(persisted.key, kept);
    for (const key of persisted.forgotten) this._kept.delete(key);
    this._sweeper ??= this.startSweeper();
  }

  /** A client need not have got an event to be recovered. */
  get recoversWithoutOffset() {
    return true;
  }

  /**
   * @param {any} pid
   * @param {string} [offset] that of the last event which the client has got; none when it has not got any
   * @param {any} [client] that comes back
   * @returns {any} the session with what it has missed, in a promise; null when it can't be recovered
   */
  restoreSession(pid, offset, client) {
    if (this._log === NOT_OPEN) return null;
    const border = this.open();
    const before = (this._live.get(pid) ?? this._returning.get(pid)?.session)?.socket?.client;
    if (before !== undefined && before !== client) supersede(before);
    // of those that come in one moment, the first
    if (this._live.has(pid) || this._returning.has(pid)) return null;
    if (this._storedIn === border.operations.batch) border.operations.flush(); // it may push out others
    const key = border.native.findSession(this._log, pid);
    const kept = key === null ? undefined : this._kept.get(key);
    if (kept === undefined) return null;
    const last = this.lastOf(kept, offset);
    if (last === UNKNOWN) return null;
    const found = border.native.restoreSession(this._log, pid, last + 1, this.oldest());
    if (found === null) return null;
    const { sid } = found;
    // a second socket with its id would take the first one's place
    if (this.nsp.sockets.has(sid)) return null;
    const rooms = found.rooms.map((number) => this._roomNumbers.name(number));
    const state = { sid, pid, rooms, data: kept.data };
    const parser = this.nsp.server._parser;
    const place = { border, parser, log: this._log, key: found.key, last: last + 1 };
    const session = new RestoredSession(state, place);
    this._returning.set(pid, { session, last });
    return Promise.resolve(session);
  }

  /**
   * What may not have come is sent again: better twice than not at all.
   *
   * @param {Kept} kept
   * @param {string | undefined} offset
   * @returns {number} of the last packet that the client has got, or that was not for it; UNKNOWN for an offset that is none
   * @private
   */
  lastOf(kept, offset) {
    const { rooms, from, to, noticed, given } = kept;
    if (offset !== undefined) {
      const number = this.numberOf(offset);
      // an older one is of a session before: the client has got nothing in this one
      if (number !== -1) return Math.max(number, from);
    }
    const { native } = this.open();
    const before = native.lastPacketBefore(this._log, kept.unproven) - 1;
    const proven = Math.min(Math.max(before, from), to);
    if (offset === undefined || offset === given) return proven;
    const since = noticed ? from : proven;
    const marked = this._marks.find(offset, since, to, !noticed, rooms);
    if (marked !== undefined) return marked;
    // it may have been for a room that the client has left
    if (this._marks.find(offset, since, to, true) !== undefined) return proven;
    return this._marks.hasForgotten(from) ? proven : UNKNOWN;
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
    const { native, operations } = this.open();
    operations.flush();
    // who was lost may need what was sent while nobody had noticed
    const oldest = this.oldest();
    const sent = whole(oldest - unprovenTime(this.nsp.server.engine?.opts));
    let expired = native.expireRecovery(this._log, oldest, sent);
    if (expired === null) return;
    for (const key of expired.forgotten) this._kept.delete(key);
    // of those whose socket could not be made, nobody tells
    for (const pid of this._returning.keys())
      if (native.findSession(this._log, pid) === null) this._returning.delete(pid);
    if (this._kept.size === 0)
      expired = native.expireRecovery(this._log, oldest, oldest) ?? expired;
    this.releaseRooms();
    if (expired.empty) this.close();
  }

  /**
   * Gives up the numbers of rooms that nothing refers to any more.
   *
   * @private
   */
  releaseRooms() {
    const { native, operations } = this.open();
    operations.flush(); // what is under way refers to rooms too
    this._roomNumbers.release(native.unusedRecoveryRooms(this._log));
  }
}

/**
 * Ends the connection of a client that is back by another one.
 *
 * @param {any} client
 */
function supersede(client) {
  try {
    client._supersede();
  } catch (error) {
    // of a listener of the program, as when a connection ends by itself: the client that comes back has no part in it
    nextTick(() => {
      throw error;
    });
  }
}

/**
 * Whatever was sent longer ago than this, a client has got that was not timed out: it has answered a ping behind that.
 *
 * @param {any} [options] of the engine
 * @returns {number} ms
 */
function unprovenTime(options) {
  const { pingInterval = 25_000, pingTimeout = 20_000 } = options ?? {};
  return 2 * pingInterval + pingTimeout + DELAY;
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
