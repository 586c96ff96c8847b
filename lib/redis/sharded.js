"use strict";

const { hasBinary } = require("../codec");
const { generateId } = require("../base/ids");
const {
  list,
  Malformed,
  must,
  object,
  packet,
  parse,
  plain,
  rooms,
  sockets,
  target,
  text,
} = require("./messages");
const { pack } = require("./msgpack");

/** @import { Bytes, Details, Dialect, Message, Missing, Target } from "./messages" */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("socket.io-adapter").Room} Room */

/** What messages are, by their `type`: the `MessageType` of socket.io-adapter. */
const Type = Object.freeze({
  BROADCAST: 3,
  JOIN: 4,
  LEAVE: 5,
  DISCONNECT: 6,
  FETCH: 7,
  SOCKETS: 8,
  EMIT: 9,
  ANSWER: 10,
  CLIENTS: 11,
  ACK: 12,
});

/** Characters of the id of a socket: a room with such a name has no channel in the mode "dynamic". */
const SOCKET_ID = 20;

/**
 * Which channels are subscribed: the namespace's alone; one for each public room; one for each room, also that of a single socket.
 *
 * @typedef {"static" | "dynamic" | "dynamic-private"} SubscriptionMode
 */

/** What a sharded cluster is set up with. @typedef {{ key: string, nsp: string, subscriptions: SubscriptionMode }} Settings */

/**
 * How the sharded form of `@socket.io/redis-adapter` 8 writes: all messages have one shape, and are JSON unless there is something
 * binary in them.
 *
 * @implements {Dialect}
 */
class Sharded {
  /** @param {Settings} settings */
  constructor({ key, nsp, subscriptions }) {
    /** @type {Dialect["mode"]} */
    this.mode = "sharded";
    this.uid = generateId();
    /** @protected */
    this._nsp = nsp;
    /** @private */
    this._subscriptions = subscriptions;
    this.requestChannel = `${key}#${nsp}#`;
    this.perRoom = subscriptions !== "static";
    this.perRequest = true;
    /** @type {string[]} */
    this.patterns = [];
    this.channels = [this.requestChannel, this.responseChannel(this.uid)];
    this.counted = this.requestChannel;
  }

  /** @param {Room} name */
  channelOfRoom(name) {
    return this.perRoom ? this.roomChannel(name) : undefined;
  }

  /** @param {string} id */
  channelOfSocket(id) {
    return this._subscriptions === "dynamic-private" ? this.roomChannel(id) : undefined;
  }

  /** @param {ReadonlySet<Room>} rooms */
  channelFor(rooms) {
    if (rooms.size !== 1 || !this.perRoom) return this.requestChannel;
    const [name] = rooms;
    const isPrivate = typeof name === "string" && name.length === SOCKET_ID;
    if (isPrivate && this._subscriptions === "dynamic") return this.requestChannel;
    return this.roomChannel(name);
  }

  /**
   * @param {Room} name
   * @private
   */
  roomChannel(name) {
    return `${this.requestChannel}${name}#`;
  }

  /** @param {string} asker */
  responseChannel(asker) {
    return `${this.requestChannel}${asker}#`;
  }

  /**
   * @param {number} type
   * @param {object} data
   * @returns {Bytes}
   * @protected
   */
  message(type, data) {
    const message = { type, data, uid: this.uid, nsp: this._nsp };
    return hasBinary(data) ? pack(message) : JSON.stringify(message);
  }

  /**
   * @param {Packet} packet
   * @param {Target} target
   */
  broadcast(packet, target) {
    const opts = { ...plain(target), flags: target.flags };
    return this.message(Type.BROADCAST, { packet, opts });
  }

  /**
   * @param {string} requestId
   * @param {Packet} packet
   * @param {Target} target
   */
  ask(requestId, packet, target) {
    const opts = { ...plain(target), flags: target.flags };
    return this.message(Type.BROADCAST, { packet, requestId, opts });
  }

  /**
   * @param {"join" | "leave"} how
   * @param {Target} target
   * @param {Room[]} rooms
   */
  move(how, target, rooms) {
    const type = how === "join" ? Type.JOIN : Type.LEAVE;
    return this.message(type, { opts: { ...plain(target), flags: target.flags }, rooms });
  }

  /**
   * @param {Target} target
   * @param {boolean} close
   */
  disconnect(target, close) {
    const opts = { ...plain(target), flags: target.flags };
    return this.message(Type.DISCONNECT, { opts, close });
  }

  /**
   * @param {string} requestId
   * @param {Target} target
   */
  fetch(requestId, target) {
    const opts = { ...plain(target), flags: target.flags };
    return this.message(Type.FETCH, { opts, requestId });
  }

  /**
   * @param {string | undefined} requestId
   * @param {unknown[]} packet
   */
  emit(requestId, packet) {
    return this.message(Type.EMIT, requestId === undefined ? { packet } : { requestId, packet });
  }

  /**
   * @param {string} requestId
   * @param {number} clientCount
   */
  clients(requestId, clientCount) {
    return this.message(Type.CLIENTS, { requestId, clientCount });
  }

  /**
   * @param {string} requestId
   * @param {unknown} packet
   */
  ack(requestId, packet) {
    return this.message(Type.ACK, { requestId, packet });
  }

  /**
   * @param {string} requestId
   * @param {Details[]} sockets
   */
  sockets(requestId, sockets) {
    return this.message(Type.SOCKETS, { requestId, sockets });
  }

  /**
   * @param {string} requestId
   * @param {unknown} packet
   */
  answer(requestId, packet) {
    return this.message(Type.ANSWER, { requestId, packet });
  }

  /**
   * @param {Buffer} bytes
   * @param {string} _channel
   * @returns {Message | undefined}
   */
  read(bytes, _channel) {
    return this.readMessage(object(parse(bytes)));
  }

  /**
   * @param {Record<string, unknown>} message
   * @returns {Message | undefined}
   * @protected
   */
  readMessage({ type, uid, nsp, data }) {
    if (uid === this.uid || nsp !== this._nsp) return undefined;
    return readData(type, text(uid), object(data));
  }

  /** @param {Missing} missing */
  timedOut({ got, expected }) {
    return `timeout reached: only ${got} responses received out of ${expected}`;
  }
}

/**
 * @param {unknown} type
 * @param {string} from the server that says it
 * @param {Record<string, unknown>} data
 * @returns {Message}
 */
function readData(type, from, data) {
  const { requestId, opts } = data;
  switch (type) {
    case Type.BROADCAST: {
      const event = packet(data.packet);
      if (requestId === undefined)
        return { kind: "broadcast", packet: event, target: target(opts) };
      return { kind: "ask", id: text(requestId), from, packet: event, target: target(opts) };
    }
    case Type.JOIN:
      return { kind: "join", target: target(opts), rooms: rooms(data.rooms) };
    case Type.LEAVE:
      return { kind: "leave", target: target(opts), rooms: rooms(data.rooms) };
    case Type.DISCONNECT:
      return { kind: "disconnect", target: target(opts), close: data.close === true };
    case Type.FETCH:
      return { kind: "fetch", id: text(requestId), from, target: target(opts) };
    case Type.EMIT: {
      const id = requestId === undefined ? undefined : text(requestId);
      return { kind: "emit", id, from, data: list(data.packet) };
    }
    case Type.SOCKETS:
      return { kind: "answer", id: text(requestId), to: "sockets", values: sockets(data.sockets) };
    case Type.ANSWER:
      return { kind: "answer", id: text(requestId), to: "emit", values: [data.packet] };
    case Type.CLIENTS: {
      const { clientCount: count } = data;
      must(Number.isInteger(count) && Number(count) >= 0);
      return { kind: "clients", id: text(requestId), count: Number(count) };
    }
    case Type.ACK:
      return { kind: "ack", id: text(requestId), value: data.packet };
    default:
      throw new Malformed();
  }
}

module.exports = { readData, Sharded, Type };
