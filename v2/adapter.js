"use strict";

const { NativeAdapter } = require("../lib/api");
const { plainView } = require("../lib/base/plain-view");
const { encode } = require("./encoder");
const { nextTick } = require("../lib/base/loop");

// the types of the npm package say that apply() is private
const Base = /** @type {new (nsp: any) => any} */ (/** @type {unknown} */ (NativeAdapter));

/**
 * The default adapter with the face of `socket.io-adapter` 1.x: plain objects, arrays of rooms, and callbacks.
 *
 *     rooms: { name: { sockets: { id: true }, length } }      sids: { id: { name: true } }
 */
class Adapter extends Base {
  /** @param {any} nsp */
  constructor(nsp) {
    super(nsp);
    this.rooms = show(this._rooms, (ids) => ({ sockets: flagged(ids), length: ids.size }));
    this.sids = show(this._sids, flagged);
  }

  /**
   * @param {string} id
   * @param {string} room
   * @param {(error: null) => void} [callback]
   */
  add(id, room, callback) {
    this.addAll(id, [room], callback);
  }

  /**
   * @param {string} id
   * @param {Iterable<string>} rooms
   * @param {(error: null) => void} [callback]
   */
  addAll(id, rooms, callback) {
    super.addAll(id, new Set(rooms));
    if (typeof callback === "function") nextTick(callback, null);
  }

  /**
   * @param {string} id
   * @param {string} room
   * @param {(error: null) => void} [callback]
   */
  del(id, room, callback) {
    super.del(id, room);
    if (typeof callback === "function") nextTick(callback, null);
  }

  /**
   * @param {string} id
   * @param {(error: null) => void} [callback]
   */
  delAll(id, callback) {
    super.delAll(id);
    if (typeof callback === "function") nextTick(callback, null);
  }

  /**
   * @param {any} packet
   * @param {{ rooms?: Iterable<string>, except?: Iterable<string>, flags?: any }} opts
   */
  broadcast(packet, { rooms, except, flags = {} }) {
    super.broadcast(packet, { rooms: new Set(rooms), except: new Set(except), flags });
  }

  /**
   * @param {any} packet gets its namespace
   * @returns {string | any[]} a text, or the messages that the packet is made of
   */
  encode(packet) {
    if (this.nsp.server._foreignParser) return super.encode(packet);
    packet.nsp = this.nsp.name;
    return encode(packet);
  }

  /**
   * Gives the ids of the sockets that are in one of the rooms, or of all.
   *
   * @param {Iterable<string> | ((error: null, ids: string[]) => void)} rooms
   * @param {(error: null, ids: string[]) => void} [callback]
   */
  clients(rooms, callback) {
    if (typeof rooms === "function") {
      callback = rooms;
      rooms = [];
    }
    /** @type {string[]} */
    const ids = [];
    this.apply({ rooms: new Set(rooms) }, ({ id }) => ids.push(id));
    if (typeof callback === "function") nextTick(callback, null, ids);
  }

  /**
   * Gives the rooms that a socket is in.
   *
   * @param {string} id
   * @param {(error: null, rooms: string[] | null) => void} [callback]
   */
  clientRooms(id, callback) {
    const rooms = this._sids.get(id);
    if (typeof callback === "function")
      nextTick(callback, null, rooms === undefined ? null : [...rooms]);
  }

  // --- what the base class would read from `rooms` and `sids` ---

  /**
   * @param {{ rooms: Set<string>, except?: Set<string> }} opts
   * @param {(socket: any) => void} visit called once with each target
   */
  apply({ rooms, except = new Set() }, visit) {
    const excluded = this.membersOf(except);
    const ids = rooms.size > 0 ? this.membersOf(rooms) : new Set(this._sids.keys());
    for (const id of ids) {
      const socket = excluded.has(id) ? undefined : this.nsp.sockets.get(id);
      if (socket !== undefined) visit(socket);
    }
  }

  /**
   * @param {Set<string>} rooms
   * @returns {Set<string>}
   * @private
   */
  membersOf(rooms) {
    /** @type {Set<string>} */
    const ids = new Set();
    for (const room of rooms) for (const id of this._rooms.get(room) ?? []) ids.add(id);
    return ids;
  }

  /**
   * @param {Set<string>} rooms
   * @returns {Promise<Set<string>>}
   */
  async sockets(rooms) {
    const ids = new Set();
    this.apply({ rooms }, ({ id }) => ids.add(id));
    return ids;
  }

  /**
   * @param {string} id
   * @returns {Set<string> | undefined}
   */
  socketRooms(id) {
    return this._sids.get(id);
  }
}

/**
 * @param {Map<string, Set<string>>} map
 * @param {(set: Set<string>) => any} form
 * @returns {any} a view that can't be written to: the workers would not hear of it
 */
function show(map, form) {
  return plainView(() => map, noop, noop, form);
}

/**
 * @param {Set<string>} set
 * @returns {Record<string, true>}
 */
function flagged(set) {
  /** @type {Record<string, true>} */
  const flags = {};
  for (const name of set) flags[name] = true;
  return flags;
}

function noop() {}

module.exports = Adapter;
