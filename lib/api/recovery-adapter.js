"use strict";

const { NativeAdapter, flagsOf } = require("./adapter");
const { getBorder, messagesOf } = require("../border");
const { invalidOption } = require("../base/errors");
const { nextTick } = require("../base/loop");
const { OffsetMarks } = require("./offset-marks");
const { defaultsOf } = require("../base/options");
const { clearInterval, setInterval } = require("../base/loop");
const { PacketType, withEnd } = require("../codec");
const { RestoredSession, takeReturning } = require("./restored-session");
const { RoomNumbers } = require("./room-numbers");

const RECOVERY_DEFAULTS = Object.freeze(defaultsOf("connectionStateRecovery"));

const SWEEP_INTERVAL = 60 * 1000; // ms; it only gives memory back: what is too old is not served, swept or not

/** Closes the log of an adapter, in the addon, when the adapter has been collected. */
const logs = new FinalizationRegistry(({ native, log }) => native.closeRecovery(log));

const UNKNOWN = -2;

/** Of so many earlier prefixes offsets are known. */
const MAX_BEFORE = 8;
/** The longest offset that is kept although it is not one of ours, in characters. */
const MAX_GIVEN = 64;

/** How long a packet or a ping may wait here before it is on its way. */
const DELAY = 5_000; // ms

/** Bytes of packets that are carried to another process at once. */
const CARRIED_BYTES = 1 << 20;

const NOT_OPEN = -1;

/** As upstream has it where its types say that there is a session. */
const NOT_RECOVERED = /** @type {Promise<never>} */ (/** @type {unknown} */ (null));

/** @typedef {import("./handover-states").LostSession} LostSession */
/** @typedef {import("./handover-states").CarriedLog} CarriedLog */
/** @typedef {import("./handover-states").CarriedPacket} CarriedPacket */
/** @typedef {import("./handover-states").CarriedSession} CarriedSession */
/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("./adapter").Encoded} Encoded */
/** @typedef {import("./operator").Target} Target */

/**
 * What is asked of a client.
 *
 * @typedef {object} Client
 * @property {import("../engine/conn").Conn} conn
 * @property {{ reason: string } | undefined} [_end] why it is closed
 * @property {boolean} [_superseded] whether it has come back on another connection
 * @property {() => void} [_supersede] ends this connection, for that reason
 */

/**
 * What is asked of a socket.
 *
 * @typedef {import("./adapter").Member & {
 *   pid?: string,
 *   recovered: boolean,
 *   client: Client,
 *   _auth: unknown,
 * }} Member
 */

/**
 * What is asked of a namespace.
 *
 * @typedef {import("./adapter").Home & {
 *   _preConnectSockets: Map<string, Member>,
 *   server: { opts: { connectionStateRecovery?: RecoveryOptions } },
 * }} Home
 *
 * @typedef {object} RecoveryOptions
 * @property {number} maxDisconnectionDuration ms
 * @property {number} [maxStoredBytes]
 */

/** @typedef {{ socket: Member, from: number, persisted: boolean }} Live */

/** @typedef {{ session: RestoredSession, last: number }} Returning and the number of the last packet that its client has got */

/** @type {number[]} */
const NOBODY = [];

/** @type {ReadonlySet<Room>} */
const NO_ROOMS = new Set();

/**
 * The adapter behind the option `connectionStateRecovery`: it remembers who was in which room, and what was sent, so that a
 * client that was away for a moment is given what it has missed.
 *
 *     connected ──lost──► persisted ──comes back in time──► connected, with its id, rooms, data and the packets it missed
 *                             └──too late, or its packets are gone──► forgotten
 *
 * An event that is neither volatile nor awaits an acknowledgement is stored as it was sent, with an offset as its last
 * argument. A client that comes back sends the offset of the last event that it has got; without one it has missed all events
 * since it came. It takes the last argument of a volatile event for an offset, too, if that is a text (see OffsetMarks).
 *
 * A client may come back before the loss of its old connection has been noticed: then that connection is ended first.
 *
 * Packets and sessions are stored in the addon (`src/socketio/recovery_log.rs`). Kept here are the names of rooms,
 * `socket.data`, and the count of the packets, because a packet contains its number when it is encoded.
 */
class RecoveryAdapter extends NativeAdapter {
  /** @param {Home} nsp */
  constructor(nsp) {
    super(nsp);
    const { maxDisconnectionDuration, maxStoredBytes = RECOVERY_DEFAULTS.maxStoredBytes } =
      /** @type {RecoveryOptions} */ (nsp.server.opts.connectionStateRecovery);
    if (!(maxStoredBytes >= 0)) {
      const fix = "give a number of bytes";
      throw invalidOption("option connectionStateRecovery.maxStoredBytes", maxStoredBytes, fix);
    }
    /** @private ms */
    this._maxAge = maxDisconnectionDuration;
    /** @private */
    this._maxBytes = maxStoredBytes;
    /** @private the number of the log, which is opened when the first client comes: nobody has missed what was sent before */
    this._log = NOT_OPEN;
    /** @private the number of the next packet; in the log, numbers are one higher, and 0 means none */
    this._next = 0;
    /** @private whether the packets are numbered as in another process, which had the clients before */
    this._isNext = false;
    /** @private @type {WeakMap<object, number>} those that have come from there: what was stored last before they began */
    this._goesOn = new WeakMap();
    /** @private the batch of operations in which a packet was stored last */
    this._storedIn = -1;
    /** @private @type {Map<number, LostSession>} what is kept here of the sessions that were lost, by their keys */
    this._kept = new Map();
    /** @private @type {Map<string, Live>} those that are connected, by their pids */
    this._live = new Map();
    /** @private @type {Map<string, Returning>} those that are coming back, by their pids */
    this._returning = new Map();
    /** @private */
    this._marks = new OffsetMarks();
    /** @private */
    this._roomNumbers = new RoomNumbers();
    /** @private what every offset begins with, so that no argument of the program is taken for one */
    this._prefix = newPrefix();
    /** @private @type {{ prefix: string, next: number }[]} what they began with before another process had the clients for a while */
    this._before = [];
    /** @type {NodeJS.Timeout | undefined} @private runs while something is stored */
    this._sweeper = undefined;
  }

  close() {
    clearInterval(this._sweeper);
    this._sweeper = undefined;
  }

  /** @param {Member} socket */
  onconnected(socket) {
    this.open();
    super.onconnected(socket);
    const { pid } = socket;
    if (pid === undefined || this._live.get(pid)?.socket === socket) return; // a middleware may answer twice
    const from =
      takeReturning(this._returning, socket)?.last ?? this._goesOn.get(socket) ?? this._next - 1;
    this._live.set(pid, { socket, from, persisted: false });
  }

  /** @param {Member} socket */
  ondisconnecting(socket) {
    const { id, pid } = socket;
    const owner = this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
    // a middleware may answer so late that the client is back already, with this id
    if (owner === undefined || owner === socket) super.ondisconnecting(socket);
    const live = pid === undefined ? undefined : this._live.get(pid);
    if (pid === undefined || live === undefined) {
      takeReturning(this._returning, socket);
    } else if (live.socket === socket) {
      this._live.delete(pid);
      if (socket.recovered && !live.persisted) this.forget(pid);
    }
  }

  /**
   * Forgets a session that was recovered and has ended for good, so that a client that was thrown out can't use it.
   *
   * @param {string} pid
   * @private
   */
  forget(pid) {
    const { native, operations } = this.open();
    operations.flush(); // an operation that reads its packets may be under way
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
   * @param {Packet} packet
   * @param {Target} opts
   */
  broadcast(packet, opts) {
    if (
      packet.type !== PacketType.EVENT ||
      packet.id !== undefined ||
      opts.flags?.volatile !== undefined
    ) {
      // of an event that awaits an acknowledgement, the client takes nothing for an offset
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
   * @param {Packet} packet
   * @param {Encoded} encoded what encode() made of it
   * @param {Target} opts
   * @private
   */
  store(packet, encoded, opts) {
    const { operations } = this.open();
    // Checked before rooms get their numbers: this may run code of the program, which may free numbers that are not used yet.
    if (Array.isArray(encoded)) encoded = messagesOf(encoded);
    const { data } = packet;
    const before = data[data.length - 1];
    const offset = this.nextOffset();
    if (before !== offset) {
      // A toJSON() in the data has emitted: that packet was stored before this one, with its number. What a parser of the
      // program has encoded keeps the older number: the client may get an event twice, but misses none.
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

  /** @param {import("./restored-session").State} session */
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
    /** @type {LostSession} */
    const kept = { data, rooms, from: -1, to, noticed: false, unproven: 0, given: undefined };
    if (live !== undefined) {
      live.persisted = true;
      kept.from = live.from;
      const { client, _auth: auth } = live.socket;
      const { offset } = /** @type {{ offset?: unknown }} */ (auth ?? {});
      if (typeof offset === "string" && offset.length <= MAX_GIVEN) kept.given = offset;
      kept.noticed = client._end?.reason === "transport close" && !client._superseded;
      kept.unproven = whole(lostAt - unprovenTime(client.conn.server?.opts));
    } else kept.unproven = whole(lostAt - unprovenTime(this.nsp.server.engine?.opts));
    this._kept.set(persisted.key, kept);
    for (const key of persisted.forgotten) this._kept.delete(key);
    this._sweeper ??= this.startSweeper();
  }

  /** @returns {CarriedLog} what another process needs to know, which goes on with the same clients */
  carry() {
    const { _prefix: prefix, _next: next, _log: log } = this;
    if (log === NOT_OPEN) return { prefix, first: next, next };
    const { native, operations } = this.open();
    operations.flush();
    return { prefix, first: native.firstPacket(log) - 1, next };
  }

  /**
   * @param {string} pid of one that is connected
   * @returns {number | undefined} the number of the packet stored last before it began, for another process
   */
  carryFrom(pid) {
    return this._live.get(pid)?.from;
  }

  /** @returns {CarriedSession[]} those who were lost, for another process, to which they may come back */
  carryLost() {
    /** @type {CarriedSession[]} */
    const lost = [];
    if (this._log === NOT_OPEN) return lost;
    for (const { key, pid, sid, lostAt } of this.open().native.lostSessions(this._log)) {
      const kept = this._kept.get(key);
      if (kept !== undefined) lost.push({ pid, sid, lostAt, ...kept });
    }
    return lost;
  }

  /**
   * @param {number} first the number of the first one
   * @returns {CarriedPacket[]} packets that another process is to keep; none: there are no more
   */
  carryPackets(first) {
    if (this._log === NOT_OPEN) return [];
    const names = (/** @type {number[]} */ numbers) =>
      numbers.map((number) => this._roomNumbers.name(number));
    const packets = this.open().native.keptPackets(this._log, first + 1, CARRIED_BYTES);
    return packets.map(({ time, rooms, except, messages }) => ({
      time,
      rooms: names(rooms),
      except: names(except),
      messages,
    }));
  }

  /**
   * Goes on with the clients of another process: their offsets mean here what they have meant there, and who was lost there is
   * known here.
   *
   * @param {CarriedLog} state what `carry()` gave there
   * @param {CarriedPacket[]} packets from the first on
   * @param {CarriedSession[]} lost
   */
  goOn({ prefix, first, next }, packets, lost) {
    // what this program has emitted before anybody was there, nobody has missed
    if (this._log !== NOT_OPEN || prefix.length > MAX_GIVEN || first + packets.length !== next)
      return;
    this._prefix = prefix;
    this._next = first;
    this._isNext = true;
    const { operations, native } = this.open();
    for (const { time, rooms, except, messages } of packets) {
      const numbers = { rooms: this._roomNumbers.of(rooms), except: this._roomNumbers.of(except) };
      operations.keep({ log: this._log, time, ...numbers }, 0, NOBODY, NOBODY, messages);
      this._next++;
    }
    operations.flush();
    this._marks.goOn(next);
    for (const { pid, sid, lostAt, ...kept } of lost) {
      const { rooms } = kept;
      const numbers = this._roomNumbers.of(rooms);
      const persisted = native.persistSession(
        this._log,
        pid,
        sid,
        [...numbers],
        sizeOf(rooms),
        lostAt,
      );
      if (persisted === null) continue;
      this._kept.set(persisted.key, kept);
      for (const key of persisted.forgotten) this._kept.delete(key);
    }
    this._sweeper ??= this.startSweeper();
  }

  /**
   * A socket has come from there. Its client may not have got yet what was sent to it.
   *
   * @param {object} socket
   * @param {number} from the number of the packet stored last before it began, there
   */
  goOnFrom(socket, from) {
    if (this._isNext && from < this._next) this._goesOn.set(socket, from);
  }

  /**
   * Another process has had the clients and goes on no more: the offsets that it has given begin as ours did.
   *
   * @param {number} next the number of the first packet that they have not got from here
   */
  takeBack(next) {
    this._before.unshift({ prefix: this._prefix, next });
    this._prefix = newPrefix(this._before);
    if (this._before.length > MAX_BEFORE) this._before.pop();
  }

  /** Tells the namespace that a client can be recovered before it has got an event. */
  get recoversWithoutOffset() {
    return true;
  }

  /**
   * @param {string} pid
   * @param {string} [offset] that of the last event that the client has got, if it has got one
   * @param {Client} [client] that comes back
   * @returns {Promise<RestoredSession>} the session with what it has missed; null when it can't be recovered
   */
  restoreSession(pid, offset, client) {
    if (this._log === NOT_OPEN) return NOT_RECOVERED;
    const border = this.open();
    const known = this._live.get(pid) ?? this._returning.get(pid)?.session;
    const before = /** @type {Client | undefined} */ (known?.socket?.client);
    if (before !== undefined && before !== client) supersede(before);
    // if several come at once, the first one gets it
    if (this._live.has(pid) || this._returning.has(pid)) return NOT_RECOVERED;
    if (this._storedIn === border.operations.batch) border.operations.flush(); // a packet that is not stored yet may push others out
    const key = border.native.findSession(this._log, pid);
    const kept = key === null ? undefined : this._kept.get(key);
    if (kept === undefined) return NOT_RECOVERED;
    const last = this.lastOf(kept, offset);
    if (last === UNKNOWN) return NOT_RECOVERED;
    const found = border.native.restoreSession(this._log, pid, last + 1, this.oldest());
    if (found === null) return NOT_RECOVERED;
    const { sid } = found;
    // a socket with that id is connected: a second one would replace it
    if (this.nsp.sockets.has(sid)) return NOT_RECOVERED;
    const rooms = found.rooms.map((number) => this._roomNumbers.name(number));
    const state = { sid, pid, rooms, data: kept.data };
    const parser = this.nsp.server._parser;
    const missed = missedOf(border, this._log, found.key, last + 1);
    const session = new RestoredSession(state, missed, parser);
    this._returning.set(pid, { session, last });
    return Promise.resolve(session);
  }

  /**
   * Finds where to go on. What may not have arrived is sent again: better twice than not at all.
   *
   * @param {LostSession} kept
   * @param {string | undefined} offset
   * @returns {number} the number of the last packet that it does not need; UNKNOWN if the offset is none
   * @private
   */
  lastOf(kept, offset) {
    const { rooms, from, to, noticed, given } = kept;
    if (offset !== undefined) {
      const number = this.numberOf(offset);
      // an older one is from an earlier session: the client has got nothing in this one
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
    const number = numberIn(offset, this._prefix);
    if (number !== -1) return number < this._next ? number : -1;
    for (const { prefix, next } of this._before) {
      const known = numberIn(offset, prefix);
      if (known !== -1) return Math.min(known, next - 1); // from there on they are the other process's
    }
    return -1;
  }

  /**
   * @returns {number} the earliest time at which a session may have been lost, to be recovered now
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
    // packets are kept longer: a client needs those, too, that were sent before its loss was noticed
    const oldest = this.oldest();
    const sent = whole(oldest - unprovenTime(this.nsp.server.engine?.opts));
    let expired = native.expireRecovery(this._log, oldest, sent);
    if (expired === null) return;
    for (const key of expired.forgotten) this._kept.delete(key);
    // a session whose socket could not be made is not reported by anybody
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
    operations.flush(); // operations under way refer to rooms, too
    this._roomNumbers.release(native.unusedRecoveryRooms(this._log));
  }
}

/**
 * @param {import("../border/border").Border} border
 * @param {number} log
 * @param {number} key of the session
 * @param {number} last the number of the last packet that the client has got, in the log
 * @returns {import("./restored-session").Missed}
 */
function missedOf(border, log, key, last) {
  return {
    isShown: () => border.observers > 0,
    replay: (conn) => border.operations.replay(conn, log, key, last),
    take() {
      border.operations.flush();
      return border.native.missedPackets(log, key, last);
    },
  };
}

/**
 * Ends the old connection of a client that has come back on another one.
 *
 * @param {Client} client
 */
function supersede(client) {
  try {
    client._supersede?.();
  } catch (error) {
    // thrown by a listener of the program: it must not disturb the client that comes back
    nextTick(() => {
      throw error;
    });
  }
}

/**
 * How far back it is unknown what has arrived. A client that was not timed out has answered a ping that was sent after
 * everything older than this, so it has got all that.
 *
 * @param {{ pingInterval?: number, pingTimeout?: number }} [options] of the engine
 * @returns {number} ms
 */
function unprovenTime(options) {
  const { pingInterval = 25_000, pingTimeout = 20_000 } = options ?? {};
  return 2 * pingInterval + pingTimeout + DELAY;
}

/**
 * @param {number} number
 * @returns {number} rounded up, within the range that the addon takes
 */
function whole(number) {
  return Math.min(Math.max(Math.ceil(number) || 0, 0), Number.MAX_SAFE_INTEGER);
}

/**
 * @param {Room[]} rooms
 * @returns {number} about how many bytes their names take
 */
function sizeOf(rooms) {
  let size = 0;
  for (const room of rooms) size += room?.length ?? 0;
  return size;
}

/**
 * @param {{ prefix: string }[]} [before] those that there have been
 * @returns {string} one that is none of them, wherever the clock has gone meanwhile
 */
function newPrefix(before = []) {
  for (let time = Date.now(); ; time++) {
    const prefix = time.toString(36) + ".";
    if (!before.some((known) => known.prefix === prefix)) return prefix;
  }
}

/**
 * @param {string} offset
 * @param {string} prefix
 * @returns {number} of the packet that it names; -1 when it does not begin so, or is none
 */
function numberIn(offset, prefix) {
  if (!offset.startsWith(prefix)) return -1;
  const digits = offset.slice(prefix.length);
  const number = Number.parseInt(digits, 36);
  return number >= 0 && number.toString(36) === digits ? number : -1;
}

module.exports = { RECOVERY_DEFAULTS, RecoveryAdapter, supersede };
