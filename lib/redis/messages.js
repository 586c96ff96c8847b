"use strict";

// What servers of a cluster say to each other, whichever way it is written: classic.js and sharded.js read it from bytes that anybody
// may have published. What these give has the types that are said here.

const { DEPTH, unpack } = require("./msgpack");

/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("../api/operator").Flags} Flags */

/**
 * Whom something is for.
 *
 * @typedef {object} Target
 * @property {Set<Room>} rooms none: everyone
 * @property {Set<Room>} except
 * @property {Flags} [flags]
 */

/** A socket as its server tells of it. @typedef {{ id: string, handshake: unknown, rooms: Room[], data: unknown }} Details */

/**
 * What a server is told, or asked. `id`: of the request; `from`: the server that asks.
 *
 * @typedef {{ kind: "broadcast", packet: Packet, target: Target }} Broadcast
 * @typedef {{ kind: "ask", id: string, from: string, packet: Packet, target: Target }} Ask an event that awaits answers
 * @typedef {{ kind: "join" | "leave", target: Target, rooms: Room[] }} Move
 * @typedef {{ kind: "disconnect", target: Target, close: boolean }} Disconnect
 * @typedef {{ kind: "moveOne", id: string, from: string, sid: string, how: "join" | "leave" | "disconnect", room: Room, close: boolean }} MoveOne
 *   as servers asked before version 7 of the official adapter
 * @typedef {{ kind: "fetch", id: string, from: string, target: Target }} Fetch
 * @typedef {{ kind: "emit", id: string | undefined, from: string, data: unknown[] }} ServerSideEmit without an id, no answer is awaited
 * @typedef {{ kind: "ids", id: string, from: string, rooms: Room[] }} Ids
 * @typedef {{ kind: "rooms", id: string, from: string }} Rooms
 *
 * @typedef {Ask | Move | Disconnect | MoveOne | Fetch | ServerSideEmit | Ids | Rooms} Request
 */

/**
 * An answer, by the id of its request.
 *
 * @typedef {{ kind: "clients", id: string, count: number }} Clients how many are asked by this server
 * @typedef {{ kind: "ack", id: string, value: unknown }} Ack what one of them says
 * @typedef {{ kind: "answer", id: string, to: Missing["what"], values: unknown[] }} Answer of a server: its sockets, its rooms, or
 *   what one listener says
 *
 * @typedef {Clients | Ack | Answer} Response
 */

/** @typedef {Broadcast | Request | Response} Message */

/**
 * How a cluster writes its messages.
 *
 * @typedef {object} Dialect
 * @property {string} uid this server's name
 * @property {"classic" | "sharded"} mode
 * @property {string[]} patterns of channels, to be subscribed
 * @property {string[]} channels to be subscribed
 * @property {string} counted the channel that each server has subscribed once
 * @property {string} requestChannel
 * @property {boolean} perRequest whether a request has a timeout of its own, if the program says so
 * @property {import("../../native").StreamConfig} [stream] by which it is told
 * @property {boolean} perRoom whether each room that somebody is in has a channel, which is to be subscribed
 * @property {(name: Room) => string | undefined} channelOfRoom the channel that a public room has
 * @property {(id: string) => string | undefined} channelOfSocket the channel that the own room of a socket has
 * @property {(rooms: ReadonlySet<Room>) => string} channelFor where an event for these is published
 * @property {(asker: string) => string} responseChannel where that one awaits its answers
 * @property {(packet: Packet, target: Target) => Bytes} broadcast
 * @property {(id: string, packet: Packet, target: Target) => Bytes} ask
 * @property {(how: "join" | "leave", target: Target, rooms: Room[]) => Bytes} move
 * @property {(target: Target, close: boolean) => Bytes} disconnect
 * @property {(id: string, target: Target) => Bytes} fetch
 * @property {(id: string | undefined, data: unknown[]) => Bytes} emit
 * @property {(id: string) => Bytes} [rooms] as are the next two, not of all dialects
 * @property {(id: string, count: number) => Bytes} clients
 * @property {(id: string, value: unknown) => Bytes} ack
 * @property {(id: string, sockets: Details[]) => Bytes} sockets
 * @property {(id: string, value: unknown) => Bytes} answer
 * @property {(id: string, names: Iterable<unknown>, of: "ids" | "rooms") => Bytes} [names]
 * @property {(id: string) => Bytes} [done]
 * @property {(bytes: Buffer, channel: string) => Message | undefined} read undefined: it says nothing to us
 * @property {(missing: Missing) => string} timedOut what the error of a request says
 */

/** @typedef {string | Buffer} Bytes */

/** What came of a request in time. @typedef {{ what: "sockets" | "emit" | "rooms", got: number, expected: number }} Missing */

/** What is no message. */
class Malformed extends Error {}

/**
 * @param {unknown} condition
 * @returns {asserts condition}
 */
function must(condition) {
  if (!condition) throw new Malformed();
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
function object(value) {
  must(typeof value === "object" && value !== null && !Array.isArray(value));
  return /** @type {Record<string, unknown>} */ (value);
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function text(value) {
  must(typeof value === "string");
  return value;
}

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
function list(value) {
  must(Array.isArray(value));
  return value;
}

/**
 * @param {unknown} value
 * @returns {Room} a text; or what programs use in spite of the types: numbers, or by mistake `undefined`
 */
function room(value) {
  must(typeof value !== "object" || value === null);
  return /** @type {Room} */ (value);
}

/**
 * @param {unknown} value
 * @returns {Room[]}
 */
function rooms(value) {
  return list(value).map(room);
}

/**
 * @param {unknown} value
 * @returns {Target}
 */
function target(value) {
  const { rooms: to, except, flags } = object(value);
  return {
    rooms: new Set(to == null ? [] : rooms(to)),
    except: new Set(except == null ? [] : rooms(except)),
    flags: flags == null ? undefined : /** @type {Flags} */ (object(flags)),
  };
}

/**
 * @param {unknown} value
 * @returns {Packet}
 */
function packet(value) {
  const { type, data } = object(value);
  must(Number.isInteger(type) && Number(type) >= 0 && Number(type) <= LAST_TYPE);
  if (type === EVENT) must(list(data).length > 0);
  // its data are the arguments of listeners to what goes out
  else must(data === undefined || data === null || isArguments(data));
  return /** @type {Packet} */ (value);
}

/**
 * @param {unknown} data
 * @returns {boolean} whether a function can be called with them: what has a length, but is no list, may say any
 */
function isArguments(data) {
  return Array.isArray(data) || (typeof data === "object" && data !== null && !("length" in data));
}

const EVENT = 2;
const LAST_TYPE = 6;

/**
 * @param {unknown} value of a list of sockets
 * @returns {Details}
 */
function details(value) {
  const { id, handshake, rooms: of, data } = object(value);
  return { id: text(id), handshake, rooms: rooms(of), data };
}

/**
 * @param {unknown} value
 * @returns {Details[]}
 */
function sockets(value) {
  return list(value).map(details);
}

const OPEN_BRACE = 0x7b; // with which JSON begins here, and no MessagePack that is said
const OPENING = new Set([OPEN_BRACE, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * @param {Buffer} bytes JSON or MessagePack
 * @returns {unknown}
 */
function parse(bytes) {
  if (bytes[0] !== OPEN_BRACE) return unpack(bytes);
  must(!isDeep(bytes));
  return JSON.parse(bytes.toString());
}

/**
 * JSON.parse() reads what JSON.stringify() has not stack enough to write again.
 *
 * @param {Buffer} json
 * @returns {boolean} whether there are too many values in each other
 */
function isDeep(json) {
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (isInText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) isInText = true;
    else if (OPENING.has(byte) && ++depth > DEPTH) return true;
    else if (CLOSING.has(byte)) depth--;
  }
  return false;
}

/**
 * @param {Target} target
 * @returns {{ rooms: Room[], except: Room[] }} as it is written
 */
function plain({ rooms, except }) {
  return { rooms: [...rooms], except: [...new Set(except)] };
}

module.exports = {
  details,
  list,
  Malformed,
  must,
  object,
  packet,
  parse,
  plain,
  rooms,
  room,
  sockets,
  target,
  text,
};
