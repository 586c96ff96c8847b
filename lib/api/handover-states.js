"use strict";

// What two processes say to each other while one hands its clients over to the other: see hand-over.js and take-over.js. The addon
// carries it and looks at none of it.
//
//     HELLO      one text of JSON from each side. In all versions, what is in it now means what it means now; there may be more
//     STATE      values, one behind the other, each behind its length: first what is common to all, then packets that are kept for
//                recovery and who was lost, then sessions, many in each, behind the number of the first one (handover-tuples.js)
//     a session  comes with its number among those
//
// Values are written by the structured clone of V8, so that `socket.data` may hold what that can copy: dates, maps, bytes. A peer
// is of the same user; what it says is looked at all the same before it is used.

const v8 = require("node:v8");
const { carriable, clone, packSession, parse, unpackSession } = require("./handover-tuples");

/** @typedef {import("socket.io-adapter").Room} Room */

/** @typedef {import("./handover-tuples").SessionState} SessionState */

/**
 * What is said of a namespace.
 *
 * @typedef {object} NamespaceState
 * @property {string} name
 * @property {number} ids the number of its next packet that is to be answered
 * @property {CarriedLog} [recovery] what its adapter for recovery keeps
 */

/**
 * What an adapter for recovery keeps, without its packets and who was lost.
 *
 * @typedef {object} CarriedLog
 * @property {string} prefix of its offsets
 * @property {number} first the number of the oldest packet
 * @property {number} next the number of the next one
 */

/** A packet that it keeps. @typedef {{ time: number, rooms: Room[], except: Room[], messages: (string | Buffer)[] }} CarriedPacket */

/**
 * @typedef {object} LostSession what an adapter for recovery keeps of a session that was lost
 * @property {unknown} data of its socket
 * @property {Room[]} rooms of its socket
 * @property {number} from the number of the packet stored last before it began; -1 for none
 * @property {number} to the number of the packet stored last before it was lost
 * @property {boolean} noticed whether its end was seen at once; if not, it may have been lost long before
 * @property {number} unproven from this time on, in ms, it is not known which packets have arrived
 * @property {string | undefined} given the offset that it came with: it sends the same again if it has got nothing since
 */

/** One who was lost. @typedef {LostSession & { pid: string, sid: string, lostAt: number }} CarriedSession */

/** What is said of all. @typedef {{ namespaces: NamespaceState[] }} CommonState */

/** @typedef {{ version: number, clone: number, node: string }} Hello */

/** That of the texts and values here; the addon has one of its own, for its frames. */
const VERSION = 2;

/** Bytes of a STATE, at most; a longer value stands alone. */
const FRAME = 1 << 20;
/** Bytes that the state of a session may have. It is copied four times on its way, while all clients wait; one that has more begins anew. */
const LONGEST_STATE = 15 << 20;

/** Characters that a hello may have. */
const LONGEST_HELLO = 4096;

/** The version of V8's format is its second byte; older ones are read by all that come later. */
const CLONE_VERSION = v8.serialize(0)[1];

/** @returns {Buffer} */
function writeHello() {
  const hello = { version: VERSION, clone: CLONE_VERSION, node: process.version };
  return Buffer.from(JSON.stringify(hello));
}

/**
 * @param {Buffer} bytes
 * @returns {Hello | undefined} undefined: it is none
 */
function readHello(bytes) {
  if (bytes.length > LONGEST_HELLO) return undefined;
  try {
    const { version, clone, node } = JSON.parse(bytes.toString());
    if (!Number.isInteger(version) || !Number.isInteger(clone)) return undefined;
    return { version, clone, node: String(node) };
  } catch {
    return undefined;
  }
}

/**
 * @param {Buffer | undefined} bytes what the other side says
 * @param {boolean} gives whether we are the one that gives
 * @returns {string | undefined} why nothing can be handed over
 */
function reasonAgainstPeer(bytes, gives) {
  const hello = bytes && readHello(bytes);
  if (hello === undefined) return "it does not say which version it speaks";
  const { version, clone, node } = hello;
  if (version !== VERSION)
    return `it speaks version ${version} of the states, and this process ${VERSION}`;
  const [from, to] = gives ? [CLONE_VERSION, clone] : [clone, CLONE_VERSION];
  if (from > to)
    return `Node.js ${gives ? node : process.version} can't read what ${gives ? process.version : node} writes`;
  return undefined;
}

/** Packs values into STATEs. */
class StateWriter {
  /** @param {(bytes: Buffer) => void} send called with each that is full */
  constructor(send) {
    /** @private */
    this._send = send;
    /** @type {Buffer[]} @private */
    this._parts = [];
    /** @private */
    this._size = 0;
    /** @private how many have been written */
    this._sessions = 0;
  }

  /** @param {CommonState} state what is common to all; it comes first */
  writeCommon(state) {
    this.push(/** @type {Buffer} */ (clone(state)));
  }

  /**
   * @param {string} nsp
   * @param {CarriedPacket[]} packets
   */
  writePackets(nsp, packets) {
    const rooms = (/** @type {Room[]} */ names) =>
      names.filter((name) => clone(name) !== undefined);
    const bytes =
      clone({ packets, nsp }) ??
      clone({
        packets: packets.map((packet) => ({
          ...packet,
          rooms: rooms(packet.rooms),
          except: rooms(packet.except),
        })),
        nsp,
      });
    this.push(/** @type {Buffer} */ (bytes));
  }

  /**
   * @param {string} nsp
   * @param {CarriedSession} lost
   */
  writeLost(nsp, lost) {
    const { rooms, data, ...rest } = lost;
    const bytes =
      clone({ lost, nsp }) ??
      clone({
        lost: {
          ...rest,
          rooms: rooms.filter((room) => clone(room) !== undefined),
          data: carriable(data).value,
        },
        nsp,
      });
    if (bytes !== undefined && bytes.length <= LONGEST_STATE) this.push(bytes);
  }

  /**
   * @param {SessionState[]} states
   * @returns {({ isWhole: boolean } | undefined)[]} for each whether all of it could be carried; undefined: too little, and it has no
   *     number
   */
  writeSessions(states) {
    return this.pushSessions(states.map(packSession));
  }

  /**
   * @param {{ tuple: unknown[], isWhole: boolean }[]} sessions
   * @returns {({ isWhole: boolean } | undefined)[]}
   * @private
   */
  pushSessions(sessions) {
    const bytes = clone([this._sessions, sessions.map(({ tuple }) => tuple)]);
    if (bytes !== undefined && bytes.length <= LONGEST_STATE) {
      this._sessions += sessions.length;
      this.push(bytes);
      return sessions;
    }
    if (sessions.length <= 1) return sessions.map(() => undefined);
    const half = sessions.length >> 1; // one of them is too long
    return [
      ...this.pushSessions(sessions.slice(0, half)),
      ...this.pushSessions(sessions.slice(half)),
    ];
  }

  /**
   * @param {Buffer} bytes
   * @private
   */
  push(bytes) {
    if (this._size > 0 && this._size + bytes.length > FRAME) this.end();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    this._parts.push(length, bytes);
    this._size += 4 + bytes.length;
  }

  /** Sends what is left. */
  end() {
    if (this._size === 0) return;
    this._send(Buffer.concat(this._parts, this._size));
    this._parts = [];
    this._size = 0;
  }
}

/** What STATEs have told. */
class StateReader {
  constructor() {
    /** @type {CommonState | undefined} */
    this.common = undefined;
    /** @type {Map<number, SessionState>} by their numbers */
    this.sessions = new Map();
    /** @type {Map<string, { packets: CarriedPacket[], lost: CarriedSession[] }>} @private by the namespace */
    this._logs = new Map();
  }

  /**
   * @param {string} nsp
   * @returns {{ packets: CarriedPacket[], lost: CarriedSession[] }} what is kept there for recovery
   */
  logOf(nsp) {
    let log = this._logs.get(nsp);
    if (log === undefined) this._logs.set(nsp, (log = { packets: [], lost: [] }));
    return log;
  }

  /** @param {Buffer} frame */
  add(frame) {
    let at = 0;
    while (at + 4 <= frame.length) {
      const end = at + 4 + frame.readUInt32LE(at);
      if (end > frame.length) return; // the numbers of those that follow would be wrong: they are not known
      const value = parse(frame.subarray(at + 4, end));
      if (Array.isArray(value)) this.addSessions(value);
      else this.addFields(fieldsOf(value));
      at = end;
    }
  }

  /**
   * @param {unknown[]} value
   * @private
   */
  addSessions([first, tuples]) {
    if (!isWhole(first) || !Array.isArray(tuples)) return;
    for (const [i, tuple] of tuples.entries()) {
      const session = unpackSession(tuple);
      if (session !== undefined) this.sessions.set(first + i, session);
    }
  }

  /**
   * @param {Record<string, unknown>} fields
   * @private
   */
  addFields(fields) {
    const { nsp } = fields;
    if (this.common === undefined) this.common = commonOf(fields);
    else if (typeof nsp === "string") this.addTo(this.logOf(nsp), fields);
  }

  /**
   * @param {{ packets: CarriedPacket[], lost: CarriedSession[] }} log
   * @param {Record<string, unknown>} value
   * @private
   */
  addTo(log, { packets, lost }) {
    for (const each of listOf(packets)) {
      const packet = packetOf(fieldsOf(each));
      if (packet !== undefined) log.packets.push(packet);
    }
    const session = lostOf(fieldsOf(lost));
    if (session !== undefined) log.lost.push(session);
  }

  /**
   * @param {Buffer | undefined} blob what a session has brought
   * @returns {SessionState | undefined}
   */
  sessionOf(blob) {
    return blob?.length === 4 ? this.sessions.get(blob.readUInt32LE(0)) : undefined;
  }
}

/**
 * @param {number} number of a session, in the order of the states
 * @returns {Buffer} what goes with it
 */
function writeNumber(number) {
  const blob = Buffer.alloc(4);
  blob.writeUInt32LE(number);
  return blob;
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>} its own fields, without a prototype; none when it is no plain object
 */
function fieldsOf(value) {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return Object.assign(Object.create(null), isObject ? value : undefined);
}

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {CommonState}
 */
function commonOf({ namespaces }) {
  /** @type {NamespaceState[]} */
  const known = [];
  for (const each of listOf(namespaces)) {
    const { name, ids, recovery } = fieldsOf(each);
    if (typeof name === "string" && Number.isSafeInteger(ids) && Number(ids) >= 0)
      known.push({ name, ids: Number(ids), recovery: logOf(fieldsOf(recovery)) });
  }
  return { namespaces: known };
}

/** @param {unknown} value @returns {value is number} whether it may be the number of a packet, or a time */
function isWhole(value) {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {CarriedLog | undefined}
 */
function logOf({ prefix, first, next }) {
  const isLog = typeof prefix === "string" && isWhole(first) && isWhole(next) && first <= next;
  return isLog ? { prefix, first, next } : undefined;
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {CarriedPacket | undefined}
 */
function packetOf({ time, rooms, except, messages }) {
  if (!isWhole(time) || !Array.isArray(rooms) || !Array.isArray(except)) return undefined;
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  if (!messages.every((each) => typeof each === "string" || Buffer.isBuffer(each)))
    return undefined;
  return { time, rooms, except, messages };
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {CarriedSession | undefined}
 */
function lostOf({ pid, sid, lostAt, data, rooms, from, to, noticed, unproven, given }) {
  if (typeof pid !== "string" || typeof sid !== "string" || !Array.isArray(rooms)) return undefined;
  if (!isWhole(lostAt) || !isWhole(unproven)) return undefined;
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) return undefined;
  return {
    pid,
    sid,
    lostAt,
    data,
    rooms,
    unproven,
    from: Number(from),
    to: Number(to),
    noticed: noticed === true,
    given: typeof given === "string" ? given : undefined,
  };
}

module.exports = { reasonAgainstPeer, StateReader, StateWriter, writeHello, writeNumber };
