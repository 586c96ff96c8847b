"use strict";

const { bare } = require("../base/bare");
const { EventEmitter } = require("node:events");
const { Adapter } = require("socket.io-adapter");
const { assignable } = require("../base/assignable");
const { encodeForWorker, joined } = require("../codec");
const { addAlone, isAlone, loneSets } = require("./lone-sets");
const { NO_COMPRESS, pushConnection, pushRoom, VOLATILE } = require("../border");

/** @typedef {import("../codec/long-text").LongText} LongText */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../engine/conn").Conn} Conn */
/** @typedef {import("./operator").Flags} Flags */
/** @typedef {import("./operator").Target} Target */
/** @import * as States from "./handover-states" */

/** A packet that has been encoded: a text, or the messages that it is made of. @typedef {string | LongText | unknown[]} Encoded */

/**
 * What is asked of a socket.
 *
 * @typedef {object} Member
 * @property {string} id
 * @property {unknown} adapter the one that it belongs to
 * @property {{ conn: Conn }} client
 * @property {Map<number, Function>} acks
 * @property {(packet: Packet) => void} notifyOutgoingListeners
 */

/**
 * What an adapter may have besides what upstream's have; ours do.
 *
 * @typedef {{
 *   onconnected?(socket: Member): void,
 *   ondisconnecting?(socket: Member): void,
 *   mirror?(socket: Member): void,
 *   unmirror?(socket: Member): void,
 *   onwatched?(): void,
 *   onreplaced?(): void,
 *   recoversWithoutOffset?: boolean,
 *   carry?(): States.CarriedLog,
 *   carryFrom?(pid: string): number | undefined,
 *   carryLost?(): States.CarriedSession[],
 *   carryPackets?(first: number): States.CarriedPacket[],
 *   goOn?(state: States.CarriedLog, packets: States.CarriedPacket[], lost: States.CarriedSession[]): void,
 *   goOnFrom?(socket: Member, from: number): void,
 *   takeBack?(next: number): void,
 * }} Hooks
 *
 * @typedef {import("socket.io-adapter").Adapter & Hooks} SomeAdapter
 */

/**
 * What is asked of a namespace.
 *
 * @typedef {object} Home
 * @property {string} name
 * @property {Map<string, Member>} sockets the connected ones
 * @property {number} _ids the next packet id
 * @property {number} _foreign how many of them have a connection of a foreign engine
 * @property {number} _outgoing how many of them have listeners for what goes out
 * @property {{ _foreignParser: boolean, encoder: { encode(packet: Packet): unknown[] } }} server
 */

/** What is asked of a client that has several sockets in one namespace. @typedef {{ _overtaken?: unknown, _connected(): Member[] }} Sharer */

const NOT_MIRRORED = -1;

/**
 * The default adapter. Rooms are kept here, as in the adapter it extends, and mirrored to the workers, so that a
 * broadcast costs this thread one packet whatever the number of its receivers.
 *
 * Only the rooms of connected sockets are mirrored. Each socket also has a room to itself, named by its id: as long as it
 * is alone there, that room is not mirrored, and its connection is addressed directly.
 *
 * `rooms` and `sids` hold plain Sets, as everywhere (most of them are made when they are looked at: lone-sets.js); the numbers of
 * the mirrored rooms are kept beside them.
 */
class NativeAdapter extends Adapter {
  /** @param {Home} nsp */
  constructor(nsp) {
    super(nsp);
    this.rooms = loneSets();
    this.sids = loneSets();
    /** @protected @type {Border | undefined} */
    this._border = undefined;
    /** @private @type {Map<string, number>} the mirrored rooms */
    this._numbers = new Map();
    /** @private the room of all sockets */
    this._everyone = NOT_MIRRORED;
    /** @protected the Maps themselves; a subclass may show something else under `rooms` and `sids` */
    this._rooms = this.rooms;
    /** @protected */
    this._sids = this.sids;
    /** @private whether sockets of an earlier adapter were added, see addAll() */
    this._adopted = false;
    /** @protected @type {number | undefined} by which the links to other nodes know the namespace, if these do; then `_border` is there */
    this._cluster = undefined;
  }

  /**
   * Called when a socket is connected: mirrors what it has joined so far.
   *
   * @param {Member} socket
   */
  onconnected(socket) {
    this.mirror(socket);
  }

  /**
   * Lets broadcasts reach a connected socket.
   *
   * @param {Member} socket
   */
  mirror(socket) {
    const conn = this.connOf(socket.id);
    if (conn === undefined || !this._sids.has(socket.id)) return;
    this.joinEveryone(conn);
    for (const name of this.roomsOf(socket.id)) this.mirrorJoin(name, socket.id, conn);
  }

  /**
   * Lets broadcasts pass over a connected socket, which stays in its rooms.
   *
   * @param {Member} socket
   */
  unmirror(socket) {
    const conn = this.connOf(socket.id);
    const border = this._border;
    if (conn === undefined || border === undefined) return;
    for (const name of this.roomsOf(socket.id)) {
      const number = this._numbers.get(name);
      if (number !== undefined) border.operations.leave(conn, number);
      else if (name === socket.id) this.unnameRoom(name);
    }
    if (this._everyone !== NOT_MIRRORED) border.operations.leave(conn, this._everyone);
  }

  /**
   * Called when a socket has left its rooms, before it goes. A subclass may have replaced delAll(): the socket must leave
   * the mirrored rooms all the same.
   *
   * @param {Member} socket
   */
  ondisconnecting(socket) {
    if (this._sids.has(socket.id)) NativeAdapter.prototype.delAll.call(this, socket.id);
  }

  /**
   * @param {string} id
   * @returns {Conn | undefined} the connection of a connected socket of this adapter, if a worker has it
   * @private
   */
  connOf(id) {
    const { sockets } = /** @type {Home} */ (this.nsp);
    const socket = sockets.get(id);
    if (socket === undefined || socket.adapter !== this) return undefined;
    const { conn } = socket.client;
    if (conn._handle === undefined) return undefined;
    this._border ??= conn._border;
    return conn;
  }

  /**
   * @param {string} id
   * @param {Set<string>} rooms
   * @returns {boolean} whether a socket that joins these is in its own room only, and nobody hears of it
   * @private
   */
  staysAlone(id, rooms) {
    if (rooms.size !== 1 || !rooms.has(id) || this._sids.has(id) || this._rooms.has(id))
      return false;
    return !this.hears("create-room", "join-room");
  }

  /**
   * @param {string} id
   * @returns {boolean} whether nobody has seen that it is in its own room, or will hear that it leaves that
   * @private
   */
  isUnseen(id) {
    if (!isAlone(this._sids, id) || !isAlone(this._rooms, id)) return false;
    return !this.hears("leave-room", "delete-room");
  }

  /**
   * @param {string} first
   * @param {string} second
   * @returns {boolean} whether a program hears of one of these events: it listens, or has an `emit()` of its own
   * @private
   */
  hears(first, second) {
    if (this.emit !== EventEmitter.prototype.emit) return true;
    return this.listenerCount(first) + this.listenerCount(second) > 0;
  }

  /**
   * @param {string} id of a socket
   * @returns {Iterable<string>} the rooms that it is in
   * @private
   */
  roomsOf(id) {
    if (isAlone(this._sids, id)) return [id];
    return this._sids.get(id) ?? NONE_BY_NAME;
  }

  /**
   * @param {string} name of a room
   * @param {string} id
   * @returns {boolean} whether that socket is in it
   * @private
   */
  isMember(name, id) {
    return isAlone(this._rooms, name) ? name === id : this._rooms.get(name)?.has(id) === true;
  }

  /**
   * @param {Conn} conn
   * @private
   */
  joinEveryone(conn) {
    const border = /** @type {Border} */ (this._border);
    if (this._everyone === NOT_MIRRORED) {
      this._everyone = border.allocateRoom();
      if (this._cluster !== undefined)
        border.operations.nameEveryone(this._cluster, this._everyone);
    }
    border.operations.join(conn, this._everyone);
  }

  /**
   * @param {string} name
   * @param {string} id
   * @param {Conn} conn
   * @private
   */
  mirrorJoin(name, id, conn) {
    const border = /** @type {Border} */ (this._border);
    let number = this._numbers.get(name);
    if (number === undefined) {
      if (name === id) {
        this.nameAlone(name, conn);
        return;
      }
      number = border.allocateRoom();
      this._numbers.set(name, number);
      this.nameRoom(name, number);
      // the socket that the room is named by may have been alone there
      const owner = this.isMember(name, name) ? this.connOf(name) : undefined;
      if (owner !== undefined) border.operations.join(owner, number);
    }
    border.operations.join(conn, number);
  }

  /**
   * Other nodes may name the room that a socket alone is in.
   *
   * @param {string} name
   * @param {Conn} conn
   * @private
   */
  nameAlone(name, conn) {
    if (this._cluster !== undefined) conn._border.operations.nameSocket(this._cluster, name, conn);
  }

  /**
   * Other nodes may name a mirrored room.
   *
   * @param {string} name
   * @param {number} number
   * @protected
   */
  nameRoom(name, number) {
    if (this._cluster !== undefined) this._border?.operations.nameRoom(this._cluster, name, number);
  }

  /**
   * They may not name a room any more.
   *
   * @param {string} name
   * @protected
   */
  unnameRoom(name) {
    if (this._cluster !== undefined) this._border?.operations.unname(this._cluster, name);
  }

  /**
   * Notes that a socket has joined rooms.
   *
   * A socket belongs to the adapter that its namespace had when it connected, and only that one hears of its end. If the
   * program calls `io.adapter()` later and adds such a socket to the new adapter, it is not mirrored, and broadcasts address
   * each target by itself.
   *
   * @param {string} id
   * @param {Set<string>} rooms
   */
  addAll(id, rooms) {
    const conn = this.connOf(id);
    if (conn === undefined && this.nsp.sockets.has(id)) this._adopted = true;
    if (this.staysAlone(id, rooms)) {
      addAlone(this._sids, id);
      addAlone(this._rooms, id);
      if (conn !== undefined) {
        this.joinEveryone(conn);
        this.nameAlone(id, conn);
      }
      return;
    }
    if (!this._sids.has(id)) {
      this._sids.set(id, new Set());
      if (conn !== undefined) this.joinEveryone(conn);
    }
    for (const name of rooms) {
      // Looked up each time, as upstream does: a listener may have had the socket leave all, which is a TypeError, or that room, or
      // end. Who has left must not be in a room that broadcasts reach.
      const joined = /** @type {Set<string>} */ (this._sids.get(id));
      joined.add(name);
      if (!this._rooms.has(name)) {
        this._rooms.set(name, new Set());
        this.emit("create-room", name);
      }
      const room = /** @type {Set<string>} */ (this._rooms.get(name));
      if (room.has(id)) continue;
      room.add(id);
      const present = this.connOf(id);
      if (present !== undefined) this.mirrorJoin(name, id, present);
      this.emit("join-room", name, id);
    }
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  del(id, name) {
    this._sids.get(id)?.delete(name);
    this.removeFrom(name, id, this.connOf(id));
  }

  /** @param {string} id */
  delAll(id) {
    if (!this._sids.has(id)) return;
    const conn = this.connOf(id);
    if (this.isUnseen(id)) {
      this._rooms.delete(id);
      this.unnameRoom(id);
    } else for (const name of this.roomsOf(id)) this.removeFrom(name, id, conn);
    this._sids.delete(id);
    if (conn !== undefined && this._everyone !== NOT_MIRRORED && !this.stays(conn, this._sids))
      this._border?.operations.leave(conn, this._everyone);
  }

  /**
   * @param {Conn} conn
   * @param {{ has(id: string): boolean }} ids of those who are in a room
   * @returns {boolean} whether another socket of that connection is among them: a client can have several in a namespace
   * @private
   */
  stays(conn, ids) {
    const client = /** @type {Sharer | undefined} */ (/** @type {unknown} */ (conn._client));
    if (client?._overtaken === undefined) return false;
    return client._connected().some((socket) => socket.adapter === this && ids.has(socket.id));
  }

  /**
   * @param {string} name
   * @param {string} id
   * @param {Conn | undefined} conn
   * @private
   */
  removeFrom(name, id, conn) {
    const room = this._rooms.get(name);
    if (room === undefined) return;
    if (room.delete(id)) {
      const number = this._numbers.get(name);
      if (conn !== undefined && number !== undefined && !this.stays(conn, room))
        this._border?.operations.leave(conn, number);
      this.emit("leave-room", name, id);
    }
    if (room.size === 0 && this._rooms.delete(name)) {
      this._numbers.delete(name);
      this.unnameRoom(name);
      this.emit("delete-room", name);
    }
  }

  /**
   * @param {Set<string>} rooms
   * @returns {number[]} the targets that they are for the workers
   * @private
   */
  targets(rooms) {
    /** @type {number[]} */
    const targets = [];
    for (const name of rooms) {
      const number = this._numbers.get(name);
      if (number !== undefined) {
        pushRoom(targets, number);
      } else if (this.isMember(name, name)) {
        const owner = this.connOf(name);
        if (owner !== undefined) pushConnection(targets, owner);
      }
    }
    return targets;
  }

  /**
   * @param {Packet} packet
   * @param {Target} opts
   */
  broadcast(packet, opts) {
    if (this.oneByOne) super.broadcast(packet, opts);
    else this.deliver(packet, this.encode(packet), opts);
  }

  /** Whether targets must be addressed one by one: not all of them are mirrored */
  get oneByOne() {
    return this.nsp._foreign > 0 || this._adopted;
  }

  /**
   * @param {Packet} packet gets its namespace
   * @returns {Encoded}
   */
  encode(packet) {
    const nsp = /** @type {Home} */ (this.nsp);
    packet.nsp = nsp.name;
    if (nsp.server._foreignParser) return nsp.server.encoder.encode(packet);
    return encodeForWorker(packet.type, nsp.name, packet.id, packet.data);
  }

  /**
   * Shows a packet to those who want to see it, and sends it.
   *
   * @param {Packet} packet
   * @param {Encoded} encoded what encode() made of it
   * @param {Target} opts
   */
  deliver(packet, encoded, opts) {
    if (this.isShown) this.deliverInTurn(packet, encoded, opts);
    else this.fanOut(encoded, flagsOf(opts.flags), opts);
  }

  /**
   * @param {Packet} packet
   * @param {Target} opts
   * @param {(count: number) => void} clientCountCallback
   * @param {(...args: unknown[]) => void} ack
   */
  broadcastWithAck(packet, opts, clientCountCallback, ack) {
    if (this.oneByOne) {
      super.broadcastWithAck(packet, opts, clientCountCallback, ack);
      return;
    }
    const id = /** @type {Home} */ (this.nsp)._ids++;
    packet.id = id;
    const encoded = this.encode(packet);
    let count = 0;
    const expect = (/** @type {Member} */ socket) => {
      count++;
      socket.acks.set(id, ack);
    };
    if (this.isShown) this.deliverInTurn(packet, encoded, opts, expect);
    else {
      this.forEach(opts, expect);
      this.fanOut(encoded, flagsOf(opts.flags), opts);
    }
    clientCountCallback(count);
  }

  /**
   * Shows a packet to each target and sends it there, before it is the turn of the next one: who looks at it may send something,
   * have others leave, or throw, and that counts from there on.
   *
   * @param {Packet} packet
   * @param {Encoded} encoded
   * @param {Target} opts
   * @param {(socket: Member) => void} [begin] called with each target
   * @private
   */
  deliverInTurn(packet, encoded, opts, begin) {
    const flags = flagsOf(opts.flags);
    /** @type {object | undefined} */
    let options;
    if (this.isObserved()) {
      encoded = joined(encoded);
      options = packetOptions(encoded, opts.flags);
    }
    const messages = Array.isArray(encoded) ? encoded.slice() : [encoded];
    /** @type {{ error: unknown } | undefined} */
    let thrown;
    this.forEach(opts, (socket) => {
      begin?.(socket);
      socket.notifyOutgoingListeners(packet);
      const { conn } = socket.client;
      const steps = options && conn.showOutgoing(encoded, flags, options);
      steps?.next();
      if (conn.readyState === "open")
        conn._border.operations.multicast(conn, flags, messages, true);
      try {
        steps?.next();
      } catch (error) {
        thrown ??= { error }; // all others get it
      }
    });
    if (thrown !== undefined) throw thrown.error;
  }

  /** Whether somebody looks at what is broadcast: its sockets, or their connections */
  get isShown() {
    return this.nsp._outgoing > 0 || this.isObserved();
  }

  /**
   * @returns {boolean} whether somebody looks at what connections are sent
   * @private
   */
  isObserved() {
    return this._border !== undefined && this._border.observers > 0;
  }

  /**
   * @param {Target} opts
   * @param {(socket: Member) => void} visit called with each target
   * @protected
   */
  forEach(opts, visit) {
    this["apply"](opts, visit); // private only to the types of the base class
  }

  /**
   * @param {Encoded} encoded
   * @param {number} flags
   * @param {Target} opts
   * @private
   */
  fanOut(encoded, flags, opts) {
    if (this._border === undefined) return; // nobody has connected yet
    const to = this.receivers(opts);
    if (to.length > 0) this._border.operations.broadcast(flags, to, this.excepted(opts), encoded);
  }

  /**
   * @param {Target} opts
   * @returns {number[]} the targets of a broadcast
   * @protected
   */
  receivers({ rooms }) {
    if (rooms.size > 0) return this.targets(rooms);
    if (this._everyone === NOT_MIRRORED) return NONE;
    /** @type {number[]} */
    const targets = [];
    pushRoom(targets, this._everyone);
    return targets;
  }

  /**
   * @param {Target} opts
   * @returns {number[]} the targets that are left out
   * @protected
   */
  excepted({ except }) {
    return except && except.size > 0 ? this.targets(except) : NONE;
  }
}

assignable(NativeAdapter.prototype, "oneByOne", "isShown");

/**
 * What only the types of the base class say is private.
 *
 * @typedef {object} BaseParts
 * @property {(opts: Target, visit: (socket: Member) => void) => void} apply
 * @property {(rooms?: Set<string>) => Set<string>} computeExceptSids
 */

const { apply: applyToRooms } = /** @type {BaseParts} */ (
  /** @type {unknown} */ (Adapter.prototype)
);

/**
 * Calls a function with each target. The base class asks for the rooms of each socket, and does not look at them.
 *
 * @this {NativeAdapter}
 * @param {Target} opts
 * @param {(socket: Member) => void} visit
 */
function apply(opts, visit) {
  if (opts.rooms.size > 0) {
    applyToRooms.call(this, opts, visit);
    return;
  }
  // a program's own, perhaps
  const { computeExceptSids } = /** @type {BaseParts} */ (/** @type {unknown} */ (this));
  const except = computeExceptSids.call(this, opts.except);
  for (const id of this.sids.keys()) {
    const socket = except.has(id) ? undefined : this.nsp.sockets.get(id);
    if (socket) visit(socket);
  }
}

Reflect.defineProperty(
  NativeAdapter.prototype,
  "apply",
  bare({ value: apply, writable: true, configurable: true }),
);

/** @type {number[]} */
const NONE = [];
/** @type {string[]} */
const NONE_BY_NAME = [];

/**
 * @param {Flags} [flags]
 * @returns {number}
 */
function flagsOf(flags) {
  if (flags === undefined) return 0;
  return (flags.volatile ? VOLATILE : 0) | (flags.compress === false ? NO_COMPRESS : 0);
}

/**
 * What listeners of "packetCreate" see as the options of a broadcast packet.
 *
 * @param {Encoded} encoded a text, or the messages that the packet is made of
 * @param {Flags} [flags]
 * @returns {object}
 */
function packetOptions(encoded, flags) {
  /** @type {Flags & { preEncoded: boolean, wsPreEncodedFrame?: [Buffer, Buffer] }} */
  const options = { preEncoded: true, volatile: flags?.volatile, compress: flags?.compress };
  if (typeof encoded === "string") options.wsPreEncodedFrame = textFrame(`4${encoded}`);
  return options;
}

/**
 * @param {string} text
 * @returns {[Buffer, Buffer]} the header and the payload of a WebSocket frame (RFC 6455 §5.2), final and unmasked
 */
function textFrame(text) {
  const payload = Buffer.from(text);
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  header[0] = 0x81;
  if (length < 126) {
    header[1] = length;
  } else if (length < 65536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeUIntBE(length, 4, 6);
  }
  return [header, payload];
}

module.exports = { NativeAdapter, flagsOf };
