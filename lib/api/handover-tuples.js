"use strict";

// Sessions as two processes tell each other of them (handover-states.js): as lists without names, many in one value. All clients
// wait while they are written and read, mostly by a process that does so for the first time, where a value costs 50 µs with its
// names and alone, and 5 as one of many.
//
// What this must not change: each value of the program's (`data`, `auth`, `handshake`) is copied alone, as by `structuredClone()`, so
// two sockets never share one that they did not share as copies. Those that hold no objects stand as they are; others as bytes.

const v8 = require("node:v8");
const { isUint8Array } = require("node:util").types;

/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../engine/request-info").CarriedOpening} CarriedOpening */

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
 * @property {Record<string, unknown>} [handshake] if a program may have changed it
 */

/**
 * What is said of a session.
 *
 * @typedef {object} SessionState
 * @property {CarriedOpening} [opening] the request that opened it
 * @property {SocketState[]} sockets
 * @property {[nsp: string, auth: unknown][]} connecting what it has asked for and has not been let into yet
 */

/** Whether all of it could be carried. @typedef {{ isWhole: boolean }} Packing */

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

/** Gives each view memory of its own: Node's is one on all that has come, with what is in it of other clients. */
class Copier extends v8.DefaultDeserializer {
  /** @returns {NodeJS.ArrayBufferView} */
  _readHostObject() {
    // @ts-expect-error it is documented for those who override it
    const view = super._readHostObject();
    if (Buffer.isBuffer(view)) return Buffer.from(view);
    const { buffer, byteOffset, byteLength, constructor: View } = view;
    return new View(buffer.slice(byteOffset, byteOffset + byteLength));
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {unknown} undefined: it can't be read
 */
function parse(bytes) {
  try {
    const copier = new Copier(bytes);
    copier.readHeader();
    return copier.readValue();
  } catch {
    return undefined;
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

/** @param {unknown} value @returns {boolean} whether it is a value that has no parts, and can be cloned */
function isPlain(value) {
  switch (typeof value) {
    case "object":
      return value === null;
    case "function":
    case "symbol":
      return false;
    default:
      return true;
  }
}

/**
 * @param {unknown} value
 * @returns {object | undefined} a copy of a plain object whose values have no parts; undefined: it is none
 */
function flatCopy(value) {
  try {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return undefined;
    const copy = { .../** @type {Record<string, unknown>} */ (value) };
    return Object.values(copy).every(isPlain) ? copy : undefined;
  } catch {
    return undefined; // a getter, or a proxy, that throws
  }
}

/**
 * @param {unknown} value of the program's
 * @param {Packing} packing is told if not all of it can be carried
 * @returns {unknown} it, a copy, or the bytes of one
 */
function pack(value, packing) {
  if (isPlain(value)) return value;
  const flat = flatCopy(value);
  if (flat !== undefined) return flat;
  const bytes = clone(value);
  if (bytes !== undefined) return bytes;
  packing.isWhole = false;
  const left = carriable(value).value;
  return isPlain(left) ? left : clone(left);
}

/**
 * @param {unknown} value
 * @returns {unknown} what was packed
 */
function unpack(value) {
  return isUint8Array(value) ? parse(value) : value;
}

/**
 * @param {Room[]} rooms
 * @param {Packing} packing is told if not all can be carried
 * @returns {Room[]}
 */
function carriableRooms(rooms, packing) {
  if (rooms.every(isPlain)) return rooms;
  const left = rooms.filter((room) => clone(room) !== undefined);
  if (left.length < rooms.length) packing.isWhole = false;
  return left;
}

/**
 * @param {SessionState} state
 * @returns {{ tuple: unknown[], isWhole: boolean }} what is said of it, and whether that is all
 */
function packSession({ opening, sockets, connecting }) {
  const packing = { isWhole: true };
  const tuple = [
    opening && packOpening(opening),
    sockets.map((socket) => packSocket(socket, packing)),
    connecting.map(([nsp, auth]) => [nsp, pack(auth, packing)]),
  ];
  return { tuple, isWhole: packing.isWhole };
}

/**
 * @param {CarriedOpening} opening
 * @returns {unknown[]}
 */
function packOpening(opening) {
  const { method, url, httpVersion, raw, encrypted, upgrade, ...addresses } = opening;
  const { client, address, port, localAddress, localPort } = addresses;
  const first = [method, url, httpVersion, raw, encrypted, upgrade];
  return [...first, client, address, port, localAddress, localPort];
}

/**
 * @param {SocketState} socket
 * @param {Packing} packing
 * @returns {unknown[]}
 */
function packSocket({ nsp, id, pid, rooms, data, auth, issued, from, handshake }, packing) {
  return [
    nsp,
    id,
    pid,
    carriableRooms(rooms, packing),
    pack(data, packing),
    pack(auth, packing),
    issued,
    from,
    pack(handshake, packing),
  ];
}

/**
 * @param {unknown} value
 * @returns {unknown[]} empty: it is no list
 */
function listOf(value) {
  return Array.isArray(value) ? value : [];
}

/**
 * @param {unknown} tuple
 * @returns {SessionState | undefined} undefined: it is none
 */
function unpackSession(tuple) {
  const [opening, sockets, connecting] = listOf(tuple);
  if (!Array.isArray(sockets)) return undefined;
  /** @type {SocketState[]} */
  const known = [];
  for (const each of sockets) {
    const socket = unpackSocket(each);
    if (socket === undefined) return undefined;
    known.push(socket);
  }
  /** @type {[string, unknown][]} */
  const asked = [];
  for (const each of listOf(connecting)) {
    const [nsp, auth] = listOf(each);
    if (typeof nsp === "string") asked.push([nsp, unpack(auth)]);
  }
  return { opening: unpackOpening(opening), sockets: known, connecting: asked };
}

/**
 * @param {unknown} tuple
 * @returns {SocketState | undefined} undefined: it is none
 */
function unpackSocket(tuple) {
  const [nsp, id, pid, rooms, data, auth, issued, from, handshake] = listOf(tuple);
  if (typeof nsp !== "string" || typeof id !== "string" || id === "" || !Array.isArray(rooms))
    return undefined;
  const looked = unpack(handshake);
  return {
    nsp,
    id,
    pid: typeof pid === "string" ? pid : undefined,
    rooms,
    data: unpack(data),
    auth: unpack(auth) ?? {},
    issued: Number(issued) || 0,
    from: Number.isSafeInteger(from) ? Number(from) : undefined,
    handshake: typeof looked === "object" && looked !== null ? { ...looked } : undefined,
  };
}

/**
 * @param {unknown} tuple
 * @returns {CarriedOpening | undefined} undefined: it is none
 */
function unpackOpening(tuple) {
  const [method, url, httpVersion, raw, encrypted, upgrade, ...addresses] = listOf(tuple);
  if (typeof method !== "string" || typeof url !== "string" || typeof raw !== "string")
    return undefined;
  const [client, address, port, localAddress, localPort] = addresses;
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

module.exports = { carriable, clone, packSession, parse, unpackSession };
