"use strict";

const { EventEmitter } = require("node:events");
const { Engine } = require("../lib/engine");
const { addMethods, Namespace: Base } = require("../lib/api");
const { CHAIN } = require("./chain");
const { MESSAGES } = require("../lib/base/errors");
const { refill } = require("../lib/base/plain-view");
const { eventType } = require("./encoder");
const { SocketTable } = require("./socket-table");

const emitLocally = EventEmitter.prototype.emit;

/**
 * A namespace with the API of Socket.IO 2.x: rooms and flags are collected on the object itself, up to the next emit().
 */
class Namespace extends Base {
  /**
   * @param {any} server
   * @param {string} name
   */
  constructor(server, name) {
    super(server, name);
    /** @type {any} the connected sockets by id, in a plain object */
    this.sockets = /** @type {any} */ (new SocketTable());
    /** @type {string[]} those of the next emission */
    this.rooms = [];
  }

  _initAdapter() {
    this.adapter = new (this.server.adapter())(this);
    this.adapter.init?.();
  }

  /**
   * Adds a client; middlewares are asked at once.
   *
   * @param {any} client
   * @param {unknown} auth
   * @param {(socket: any) => void} [joined]
   */
  _add(client, auth, joined) {
    this._addNow(client, auth, joined);
  }

  /**
   * A middleware has thrown: that ends the client; while a connection opens, nobody catches it.
   *
   * @param {unknown} error
   */
  _onthrow(error) {
    throw error;
  }

  /**
   * Adds a middleware that lets sockets in or refuses them.
   *
   * @param {any} fn (socket, next)
   */
  use(fn) {
    const { engine } = /** @type {any} */ (this.server);
    if (this.name === "/" && engine instanceof Engine) engine.greet(undefined);
    return super.use(fn);
  }

  get fns() {
    return this._fns;
  }

  set fns(fns) {
    this._fns = fns;
  }

  get ids() {
    return this._ids;
  }

  set ids(ids) {
    this._ids = ids;
  }

  /**
   * @param {string} id
   * @protected
   */
  hide(id) {
    const socket = this.sockets.get(id);
    if (socket !== undefined) this.adapter.unmirror?.(socket);
    /** @type {any} */ (this.sockets).conceal(id);
  }

  /** @returns {any} the sockets that broadcasts reach by id, in a plain object */
  get connected() {
    return super.connected;
  }

  set connected(sockets) {
    refill(this.connected, sockets);
  }

  /**
   * @param {string} room
   * @returns {any} this
   */
  to(room) {
    if (!this.rooms.includes(room)) this.rooms.push(room);
    return this;
  }

  /**
   * Emits to the targeted clients; the events of `Namespace.events`, to the listeners of this object.
   *
   * @param {any[]} data
   * @returns {any} this
   */
  emit(...data) {
    if (Namespace.events.includes(data[0])) {
      emitLocally.apply(this, /** @type {any} */ (data));
      return this;
    }
    if (typeof data[data.length - 1] === "function") throw new Error(MESSAGES.BROADCAST_CALLBACK);
    const { rooms, flags } = this;
    this.rooms = [];
    this.flags = undefined;
    const adapter = /** @type {any} */ (this.adapter); // with the face of 1.x
    adapter.broadcast({ type: eventType(data, flags.binary), data }, { rooms, flags });
    return this;
  }

  /**
   * Gives the ids of the targeted sockets.
   *
   * @param {(error: any, ids: string[]) => void} callback
   * @returns {this}
   */
  clients(callback) {
    if (!this.adapter) throw new Error(MESSAGES.NO_ADAPTER);
    const { rooms } = this;
    this.rooms = [];
    /** @type {any} */ (this.adapter).clients(rooms, callback);
    return this;
  }
}

addMethods(Namespace.prototype, CHAIN);

/** @type {any[]} events that emit() gives to listeners only; programs may add to it */
Namespace.events = ["connect", "connection", "newListener"];
/** The getters that set a flag. */
Namespace.flags = ["json", "volatile", "local"];

module.exports = Namespace;
