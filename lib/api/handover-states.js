"use strict";

// What two processes say to each other while one hands its clients over to the other: see hand-over.js and take-over.js. The addon
// carries it and looks at none of it.
//
//     HELLO      one text of JSON from each side. In all versions, what is in it now means what it means now; there may be more
//     STATE      values, one behind the other, each behind its length: first what is common to all, then packets that are kept for
//                recovery and who was lost, then a session each
//     a session  comes with its number among those
//
// Values are written by the structured clone of V8, so that `socket.data` may hold what that can copy: dates, maps, bytes. A peer
// is of the same user; what it says is looked at all the same before it is used.

const v8 = require("node:v8");

/** @typedef {import("socket.io-adapter").Room} Room */

/**
 * What is said of a socket.
 *
 * @typedef {object} SocketState
 * @property {string} nsp
 * @property {string} id
 * @property {string} [pid]
 * @property {Room[]} rooms
 * @property {unknown} [data]
 * @property {unknown} [auth]
 * @property {number} issued ms since the epoch: when it was made
 * @property {number} [from] the number of the packet stored last before it began, where packets are kept for recovery; -1 for none
 * @property {Record<string, unknown>} [handshake] if a program has looked at it, which may have changed it
 */

/**
 * What is said of a session.
 *
 * @typedef {object} SessionState
 * @property {import("../engine/request-info").CarriedOpening} [opening] the request that opened it
 * @property {SocketState[]} sockets
 * @property {[nsp: string, auth: unknown][]} connecting what it has asked for and has not been let into yet
 */

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
const VERSION = 1;

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

/**
 * @param {unknown} value
 * @returns {Buffer | undefined} undefined: it can't be cloned
 */
function clone(value) {
  try {
    return v8.serialize(value);
  } catch {
    return undefined; // a function, a symbol, a getter of the program that throws
  }
}

/**
 * What of a value can be carried: all of it, or of an object those properties that can.
 *
 * @param {unknown} value
 * @returns {{ value: unknown, isWhole: boolean }}
 */
function carriable(value) {
  if (clone(value) !== undefined) return { value, isWhole: true };
  if (typeof value !== "object" || value === null) return { value: undefined, isWhole: false };
  /** @type {Record<string, unknown>} */
  const left = Object.create(null);
  for (const key of keysOf(value)) {
    const { found } = read(value, key);
    if (found !== undefined && clone(found) !== undefined) left[key] = found;
  }
  return { value: left, isWhole: false };
}

/**
 * @param {object} object
 * @returns {string[]} its own keys; none where a proxy of the program throws
 */
function keysOf(object) {
  try {
    return Object.keys(object);
  } catch {
    return [];
  }
}

/**
 * @param {object} object
 * @param {string} key
 * @returns {{ found: unknown }} nothing where a getter throws
 */
function read(object, key) {
  try {
    return { found: /** @type {Record<string, unknown>} */ (object)[key] };
  } catch {
    return { found: undefined };
  }
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
   * @param {SessionState} state
   * @returns {{ isWhole: boolean } | undefined} whether all of it could be carried; undefined: too little
   */
  writeSession(state) {
    let bytes = clone(state);
    const isWhole = bytes !== undefined;
    bytes ??= clone({ ...state, sockets: state.sockets.map(carriableSocket) });
    if (bytes === undefined || bytes.length > LONGEST_STATE) return undefined;
    this.push(bytes);
    return { isWhole };
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

/**
 * @param {SocketState} socket
 * @returns {SocketState} the same without what can't be carried
 */
function carriableSocket(socket) {
  return {
    ...socket,
    rooms: socket.rooms.filter((room) => clone(room) !== undefined),
    data: carriable(socket.data).value,
    auth: carriable(socket.auth).value,
    handshake: /** @type {Record<string, unknown> | undefined} */ (
      carriable(socket.handshake).value
    ),
  };
}

/** What STATEs have told. */
class StateReader {
  constructor() {
    /** @type {CommonState | undefined} */
    this.common = undefined;
    /** @type {(SessionState | undefined)[]} undefined: unreadable */
    this.sessions = [];
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
      const { nsp } = value;
      if (this.common === undefined) this.common = commonOf(value);
      else if (typeof nsp === "string") this.addTo(this.logOf(nsp), value);
      else this.sessions.push(sessionOf(value));
      at = end;
    }
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
    return blob?.length === 4 ? this.sessions[blob.readUInt32LE(0)] : undefined;
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
 * @param {Buffer} bytes
 * @returns {Record<string, unknown>} without a prototype; empty when it is no object
 */
function parse(bytes) {
  try {
    return fieldsOf(v8.deserialize(bytes));
  } catch {
    return fieldsOf(undefined);
  }
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

/**
 * @param {Record<string, unknown>} fields
 * @returns {SessionState | undefined}
 */
function sessionOf({ opening, sockets, connecting }) {
  if (!Array.isArray(sockets)) return undefined;
  /** @type {SocketState[]} */
  const known = [];
  for (const each of sockets) {
    const socket = socketOf(fieldsOf(each));
    if (socket === undefined) return undefined;
    known.push(socket);
  }
  /** @type {[string, unknown][]} */
  const asked = [];
  for (const each of listOf(connecting)) {
    const [nsp, auth] = listOf(each);
    if (typeof nsp === "string") asked.push([nsp, auth]);
  }
  return { opening: openingOf(opening), sockets: known, connecting: asked };
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {SocketState | undefined}
 */
function socketOf({ nsp, id, pid, rooms, data, auth, issued, from, handshake }) {
  if (typeof nsp !== "string" || typeof id !== "string" || id === "" || !Array.isArray(rooms))
    return undefined;
  return {
    nsp,
    id,
    pid: typeof pid === "string" ? pid : undefined,
    rooms,
    data,
    auth: auth ?? {},
    issued: Number(issued) || 0,
    from: Number.isSafeInteger(from) ? Number(from) : undefined,
    handshake: handshake === undefined ? undefined : { .../** @type {object} */ (handshake) },
  };
}

/**
 * @param {unknown} value
 * @returns {import("../engine/request-info").CarriedOpening | undefined}
 */
function openingOf(value) {
  const { method, url, httpVersion, raw, encrypted, upgrade, ...addresses } = fieldsOf(value);
  if (typeof method !== "string" || typeof url !== "string" || typeof raw !== "string")
    return undefined;
  const { client, address, port, localAddress, localPort } = addresses;
  return {
    method,
    url,
    httpVersion: String(httpVersion),
    raw,
    encrypted: encrypted === true,
    upgrade: upgrade === true,
    client: typeof client === "string" ? client : undefined,
    address: typeof address === "string" ? address : undefined,
    port: Number(port) || 0,
    localAddress: typeof localAddress === "string" ? localAddress : "",
    localPort: Number(localPort) || 0,
  };
}

module.exports = { reasonAgainstPeer, StateReader, StateWriter, writeHello, writeNumber };
