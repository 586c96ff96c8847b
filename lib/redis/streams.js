"use strict";

const { hasBinary } = require("../codec");
const { must, parse, object, plain } = require("./messages");
const { packPlain, unpack } = require("./msgpack");
const { readData, Sharded, Type } = require("./sharded");

/** @import { Bytes, Dialect, Message, Target } from "./messages" */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("../../native").StreamConfig} StreamConfig */
/** @typedef {import("socket.io-adapter").Room} Room */

/** What a cluster by streams is set up with. @typedef {{ key: string, nsp: string, sharded: boolean, stream: StreamConfig }} Settings */

/** Of `MessageType` of socket.io-adapter: adapters for streams pass over it. */
const HEARTBEAT = 2;

/** What is written to a stream. @typedef {{ type: number, data: string }} Entry */

/**
 * How `@socket.io/redis-streams-adapter` 0.3 writes: what must not be missed are entries of a stream; what asks for an answer now, and
 * the answers, go by the channels of the sharded form, always in MessagePack.
 */
class Streams extends Sharded {
  /** @param {Settings} settings */
  constructor({ key, nsp, sharded, stream }) {
    super({ key, nsp, subscriptions: "static" });
    /** @type {Dialect["mode"]} */
    this.mode = sharded ? "sharded" : "classic";
    this.stream = stream;
  }

  /**
   * @param {number} type
   * @param {object} data
   * @returns {Bytes}
   * @protected
   */
  message(type, data) {
    return packPlain({ type, data, uid: this.uid, nsp: this._nsp });
  }

  /**
   * @param {Buffer} bytes
   * @param {string} _channel
   * @returns {Message | undefined}
   */
  read(bytes, _channel) {
    return this.readMessage(object(unpack(bytes)));
  }

  // --- entries ---

  /** @returns {Entry} what says nothing to others, and has its place all the same */
  mark() {
    return { type: HEARTBEAT, data: "" };
  }

  /**
   * @param {Packet} packet
   * @param {Target} target
   */
  broadcastEntry(packet, target) {
    return entry(Type.BROADCAST, { packet, opts: optionsOf(target) });
  }

  /**
   * @param {"join" | "leave"} how
   * @param {Target} target
   * @param {Room[]} rooms
   */
  moveEntry(how, target, rooms) {
    return entry(how === "join" ? Type.JOIN : Type.LEAVE, { opts: optionsOf(target), rooms });
  }

  /**
   * @param {Target} target
   * @param {boolean} close
   */
  disconnectEntry(target, close) {
    return entry(Type.DISCONNECT, { opts: optionsOf(target), close });
  }

  /**
   * @param {number} type
   * @param {string} from the server that has written it
   * @param {Buffer} data
   * @returns {Message}
   */
  readEntry(type, from, data) {
    must(data.length > 0);
    return readData(type, from, object(parse(data)));
  }
}

/**
 * @param {Target} target
 * @returns {object} as it is written
 */
function optionsOf(target) {
  return { ...plain(target), flags: target.flags };
}

/**
 * @param {number} type
 * @param {object} data
 * @returns {Entry}
 */
function entry(type, data) {
  return {
    type,
    data: hasBinary(data) ? packPlain(data).toString("base64") : JSON.stringify(data),
  };
}

/**
 * @param {string} nsp
 * @param {string} name
 * @param {number} count
 * @returns {string} the stream that a namespace has, of several
 */
function streamOf(nsp, name, count) {
  if (count === 1) return name;
  let hash = 0;
  for (let i = 0; i < nsp.length; i++) hash = (hash * 31 + nsp.charCodeAt(i)) | 0;
  return `${name}-${hash % count}`;
}

module.exports = { streamOf, Streams };
