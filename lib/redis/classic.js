"use strict";

const {
  list,
  Malformed,
  must,
  object,
  packet,
  parse,
  plain,
  room,
  rooms,
  sockets,
  target,
  text,
} = require("./messages");
const { pack, unpack } = require("./msgpack");
const { generateId } = require("../base/ids");

/** @import { Bytes, Details, Dialect, Message, Missing, Target } from "./messages" */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("socket.io-adapter").Room} Room */

/** What requests and answers are, by their `type`. */
const Type = Object.freeze({
  IDS: 0,
  ROOMS: 1,
  JOIN: 2,
  LEAVE: 3,
  DISCONNECT: 4,
  FETCH: 5,
  EMIT: 6,
  ASK: 7,
  CLIENTS: 8,
  ACK: 9,
});

/** What a classic cluster is set up with. @typedef {{ key: string, nsp: string, perRoom: boolean, specific: boolean }} Settings */

/**
 * How `@socket.io/redis-adapter` 8 writes, and `@socket.io/redis-emitter`: an event is `[uid, packet, target]` in MessagePack, on
 * a channel that names its namespace and its room, if that is one; requests are JSON on one channel, answers on another.
 *
 * @implements {Dialect}
 */
class Classic {
  /** @param {Settings} settings */
  constructor({ key, nsp, perRoom, specific }) {
    this.mode = /** @type {const} */ ("classic");
    this.uid = generateId();
    /** @private */
    this._nsp = nsp;
    /** @private */
    this._channel = `${key}#${nsp}#`;
    this.requestChannel = `${key}-request#${nsp}#`;
    /** @private */
    this._responses = `${key}-response#${nsp}#`;
    /** @private whether each server has a channel of its own for answers, which it asks for */
    this._specific = specific;
    this.perRoom = perRoom;
    this.perRequest = false;
    this.patterns = perRoom ? [] : [`${escapePattern(this._channel)}*`];
    const own = `${this._responses}${this.uid}#`;
    this.channels = [this.requestChannel, this._responses, own];
    if (perRoom) this.channels.push(this._channel);
    this.counted = this.requestChannel;
  }

  /** @param {Room} name */
  channelOfRoom(name) {
    return this.perRoom ? this.roomChannel(name) : undefined;
  }

  /** @param {string} id */
  channelOfSocket(id) {
    return this.channelOfRoom(id);
  }

  /**
   * @param {Room} name
   * @private
   */
  roomChannel(name) {
    return `${this._channel}${name}#`;
  }

  /** @param {ReadonlySet<Room>} rooms */
  channelFor(rooms) {
    if (rooms.size !== 1) return this._channel;
    const [name] = rooms;
    return this.roomChannel(name);
  }

  /** @param {string} asker */
  responseChannel(asker) {
    return this._specific ? `${this._responses}${asker}#` : this._responses;
  }

  /**
   * @param {Packet} packet
   * @param {Target} target
   */
  broadcast(packet, target) {
    return pack([this.uid, packet, { ...plain(target), flags: target.flags }]);
  }

  /**
   * @param {string} requestId
   * @param {Packet} packet
   * @param {Target} target
   */
  ask(requestId, packet, target) {
    const opts = { ...plain(target), flags: target.flags };
    return pack({ uid: this.uid, requestId, type: Type.ASK, packet, opts });
  }

  /**
   * @param {"join" | "leave"} how
   * @param {Target} target
   * @param {Room[]} rooms
   */
  move(how, target, rooms) {
    const type = how === "join" ? Type.JOIN : Type.LEAVE;
    return JSON.stringify({ uid: this.uid, type, opts: plain(target), rooms: [...rooms] });
  }

  /**
   * @param {Target} target
   * @param {boolean} close
   */
  disconnect(target, close) {
    return JSON.stringify({ uid: this.uid, type: Type.DISCONNECT, opts: plain(target), close });
  }

  /**
   * @param {string} requestId
   * @param {Target} target
   */
  fetch(requestId, target) {
    return JSON.stringify({ uid: this.uid, requestId, type: Type.FETCH, opts: plain(target) });
  }

  /**
   * @param {string | undefined} requestId
   * @param {unknown[]} data
   */
  emit(requestId, data) {
    return JSON.stringify({ uid: this.uid, requestId, type: Type.EMIT, data });
  }

  /** @param {string} requestId */
  rooms(requestId) {
    return JSON.stringify({ uid: this.uid, requestId, type: Type.ROOMS });
  }

  /**
   * @param {string} requestId
   * @param {number} clientCount
   */
  clients(requestId, clientCount) {
    return JSON.stringify({ type: Type.CLIENTS, requestId, clientCount });
  }

  /**
   * @param {string} requestId
   * @param {unknown} packet
   */
  ack(requestId, packet) {
    return pack({ type: Type.ACK, requestId, packet });
  }

  /**
   * @param {string} requestId
   * @param {Details[]} sockets
   */
  sockets(requestId, sockets) {
    return JSON.stringify({ requestId, sockets });
  }

  /**
   * @param {string} requestId
   * @param {unknown} data
   */
  answer(requestId, data) {
    return JSON.stringify({ type: Type.EMIT, requestId, data });
  }

  /**
   * @param {string} requestId
   * @param {Iterable<unknown>} names
   * @param {"ids" | "rooms"} of
   */
  names(requestId, names, of) {
    return JSON.stringify({ requestId, [of === "ids" ? "sockets" : "rooms"]: [...names] });
  }

  /** @param {string} requestId */
  done(requestId) {
    return JSON.stringify({ requestId });
  }

  /**
   * @param {Buffer} bytes
   * @param {string} channel
   * @returns {Message | undefined}
   */
  read(bytes, channel) {
    if (channel.startsWith(this._responses)) return readResponse(parse(bytes));
    if (channel === this.requestChannel) return this.readRequest(object(parse(bytes)));
    return this.readBroadcast(list(unpack(bytes)));
  }

  /**
   * @param {unknown[]} message
   * @returns {Message | undefined}
   * @private
   */
  readBroadcast([uid, given, opts]) {
    if (uid === this.uid) return undefined;
    const event = packet(given);
    if ((event.nsp ?? "/") !== this._nsp) return undefined;
    return { kind: "broadcast", packet: event, target: target(opts) };
  }

  /**
   * @param {Record<string, unknown>} request
   * @returns {Message | undefined}
   * @private
   */
  readRequest(request) {
    const { uid, type, requestId, opts } = request;
    if (uid === this.uid) return undefined; // our own
    const from = uid === undefined ? "" : text(uid);
    switch (type) {
      case Type.IDS:
        return { kind: "ids", id: text(requestId), from, rooms: rooms(request.rooms ?? []) };
      case Type.ROOMS:
        return { kind: "rooms", id: text(requestId), from };
      case Type.JOIN:
      case Type.LEAVE: {
        const how = type === Type.JOIN ? "join" : "leave";
        if (opts === undefined) return moveOne(how, from, request);
        return { kind: how, target: target(opts), rooms: rooms(request.rooms) };
      }
      case Type.DISCONNECT:
        if (opts === undefined) return moveOne("disconnect", from, request);
        return { kind: "disconnect", target: target(opts), close: request.close === true };
      case Type.FETCH:
        return { kind: "fetch", id: text(requestId), from, target: target(opts) };
      case Type.EMIT: {
        const id = requestId === undefined ? undefined : text(requestId);
        return { kind: "emit", id, from, data: list(request.data) };
      }
      case Type.ASK: {
        const event = packet(request.packet);
        return { kind: "ask", id: text(requestId), from, packet: event, target: target(opts) };
      }
      default:
        throw new Malformed();
    }
  }

  /** @param {Missing} missing */
  timedOut({ what, got, expected }) {
    if (what === "emit")
      return `timeout reached: only ${got} responses received out of ${expected}`;
    const asked = what === "sockets" ? "fetchSockets" : "allRooms";
    return `timeout reached while waiting for ${asked} response`;
  }
}

/**
 * @param {"join" | "leave" | "disconnect"} how
 * @param {string} from
 * @param {Record<string, unknown>} request
 * @returns {Message}
 */
function moveOne(how, from, { requestId, sid, room: name, close }) {
  const to = how === "disconnect" ? "" : room(name);
  const id = text(requestId);
  return { kind: "moveOne", id, from, sid: text(sid), how, room: to, close: close === true };
}

/**
 * @param {unknown} value
 * @returns {Message | undefined}
 */
function readResponse(value) {
  const response = object(value);
  const id = text(response.requestId);
  if (response.type === Type.CLIENTS) {
    const { clientCount: count } = response;
    must(Number.isInteger(count) && Number(count) >= 0);
    return { kind: "clients", id, count: Number(count) };
  }
  if (response.type === Type.ACK) return { kind: "ack", id, value: response.packet };
  if (response.type === Type.EMIT) {
    return { kind: "answer", id, to: "emit", values: [response.data] };
  }
  if (response.sockets !== undefined) {
    const found = list(response.sockets);
    const isIds = found.every((one) => typeof one === "string");
    return { kind: "answer", id, to: "sockets", values: isIds ? found : sockets(found) };
  }
  if (response.rooms !== undefined)
    return { kind: "answer", id, to: "rooms", values: rooms(response.rooms) };
  return undefined; // that something has been done, which nobody waits for
}

/**
 * @param {string} text
 * @returns {string} a pattern that stands for it alone
 */
function escapePattern(text) {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

module.exports = { Classic };
