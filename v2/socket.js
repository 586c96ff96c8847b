"use strict";

const { bare } = require("../lib/base/bare");
const { EventEmitter } = require("node:events");
const { parse } = require("node:querystring");
const { assignable } = require("../lib/base/assignable");
const { MESSAGES } = require("../lib/base/errors");
const { addMethods, Socket: Base } = require("../lib/api");
const { AckTable } = require("./ack-table");
const { CHAIN } = require("./chain");
const { eventType } = require("./encoder");
const { nextTick } = require("../lib/base/loop");

const emitLocally = EventEmitter.prototype.emit;

/**
 * A socket with the API of Socket.IO 2.x: rooms and flags are collected on the object itself, up to the next emit().
 */
class Socket extends Base {
  /**
   * @param {any} nsp
   * @param {any} client
   * @param {any} auth the query that the client has sent for the namespace
   */
  constructor(nsp, client, auth) {
    super(nsp, client, auth);
    /** @type {string[]} those of the next emission */
    this._rooms = [];
    Object.defineProperty(
      this,
      "rooms",
      bare({
        value: {}, // by name, in the order of joining
        writable: true,
        enumerable: true,
        configurable: true,
      }),
    );
  }

  /** @returns {any} with the query of the namespace in its query */
  get handshake() {
    if (this._handshake === undefined) {
      const handshake = super.handshake;
      const url = handshake.url ?? "";
      const start = url.indexOf("?");
      const query = start === -1 ? {} : parse(url.slice(start + 1));
      handshake.query = { ...query, .../** @type {object} */ (handshake.auth) };
    }
    return this._handshake;
  }

  set handshake(handshake) {
    this._handshake = handshake;
  }

  /** @returns {any} callbacks of acknowledgements to come, by packet id, in a plain object */
  get acks() {
    return (this._acks ??= /** @type {any} */ (new AckTable()));
  }

  set acks(acks) {
    this._acks = /** @type {any} */ (AckTable.of(acks));
  }

  /** @returns {any} this */
  get broadcast() {
    this.flags.broadcast = true;
    return this;
  }

  /**
   * @param {string} room
   * @returns {any} this
   */
  to(room) {
    if (!this._rooms.includes(room)) this._rooms.push(room);
    return this;
  }

  /**
   * Emits to the client, or to others when there are rooms or the flag `broadcast`; the events of `Socket.events`, to
   * the listeners of this object.
   *
   * @param {any[]} data
   * @returns {any} this
   */
  emit(...data) {
    if (Socket.events.includes(data[0])) {
      emitLocally.apply(this, /** @type {any} */ (data));
      return this;
    }
    const { _rooms: rooms, flags } = this;
    const broadcast = rooms.length > 0 || flags.broadcast;
    /** @type {any} */
    const packet = { type: eventType(data, flags.binary), data };
    if (typeof data[data.length - 1] === "function") {
      if (broadcast) throw new Error(MESSAGES.BROADCAST_CALLBACK);
      packet.id = this.nsp._ids++;
      this.acks.set(packet.id, data.pop());
    }
    this._rooms = [];
    this.flags = undefined;
    const adapter = /** @type {any} */ (this.adapter); // with the face of 1.x, as below
    if (broadcast) adapter.broadcast(packet, { rooms, except: [this.id], flags });
    else this.packet(packet, flags);
    return this;
  }

  /**
   * @param {string | string[]} rooms
   * @param {(error: any) => void} [callback]
   * @returns {any} this
   */
  join(rooms, callback) {
    const joined = /** @type {any} */ (this.rooms);
    const fresh = [rooms].flat().filter((room) => !Object.hasOwn(joined, room));
    if (fresh.length === 0) {
      if (typeof callback === "function") callback(null);
      return this;
    }
    const adapter = /** @type {any} */ (this.adapter);
    adapter.addAll(this.id, fresh, (/** @type {any} */ error) => {
      if (!error) for (const room of fresh) /** @type {any} */ (this.rooms)[room] = room;
      if (typeof callback === "function") callback(error || null);
    });
    return this;
  }

  /**
   * @param {string} room
   * @param {(error: any) => void} [callback]
   * @returns {any} this
   */
  leave(room, callback) {
    const adapter = /** @type {any} */ (this.adapter);
    adapter.del(this.id, room, (/** @type {any} */ error) => {
      if (!error) delete (/** @type {any} */ (this.rooms)[room]);
      if (typeof callback === "function") callback(error || null);
    });
    return this;
  }

  leaveAll() {
    this.adapter.delAll(this.id);
    /** @type {any} */ (this).rooms = {};
  }

  /**
   * Sends an error to the client, whose socket emits it as "error".
   *
   * @param {any} data
   */
  error(data) {
    this._error(data);
  }

  /**
   * Runs the middlewares and then the listeners; what a middleware refuses is told to the client.
   *
   * @param {any[]} event
   * @protected
   */
  dispatch(event) {
    const done = (/** @type {any} */ error) =>
      nextTick(() => {
        if (error) this.error(error.data || error.message);
        else if (this.connected) emitLocally.apply(this, /** @type {any} */ (event));
      });
    if (this.fns.length === 0) done(undefined);
    else this.run(event, done);
  }
}

/** @type {any[]} events that emit() gives to listeners only */
Socket.events = [
  "error",
  "connect",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];

addMethods(Socket.prototype, CHAIN);
assignable(Socket.prototype, "conn", "disconnected");

module.exports = Socket;
