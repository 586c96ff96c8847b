"use strict";

const { EventEmitter } = require("node:events");
const { Routing } = require("./chain");
const { buildHandshake } = require("./handshake");
const { generateId } = require("../base/ids");

const emitLocally = EventEmitter.prototype.emit;

/**
 * What a socket holds, and what it knows of its connection.
 */
class SocketState extends Routing {
  /**
   * @param {any} nsp
   * @param {any} client
   * @param {any} auth
   * @param {any} [session] the state to recover
   */
  constructor(nsp, client, auth, session) {
    super();
    this.nsp = nsp;
    this.client = client;
    /** @type {any} */
    this.server = nsp.server;
    /** @type {any} */
    this.adapter = nsp.adapter;
    /** @type {string} */
    this.id = session
      ? session.sid
      : client.conn.protocol === 3
        ? oldId(nsp, client)
        : generateId();
    this.connected = false;
    this.recovered = false;
    // made at first use, see the accessors below
    /** @type {any} @protected */
    this._data = undefined;
    /** @type {Map<number, Function> | undefined} @protected */
    this._acks = undefined;
    /** @type {Function[] | undefined} @protected */
    this._fns = undefined;
    /** @type {any} @protected */
    this._flags = undefined;
    /** @type {any} @protected */
    this._handshake = undefined;
    /** @private */
    this._auth = auth;
    /** @private */
    this._issued = Date.now();
    /** @type {Function[] | undefined} */
    this._anyListeners = undefined;
    /** @type {Function[] | undefined} */
    this._anyOutgoingListeners = undefined;
    /** @protected whether the namespace counts us among those with listeners for outgoing packets */
    this._counted = false;
  }

  // --- what is made at first use; all of it can be replaced ---

  /** Anything that the program wants to keep with the socket. */
  get data() {
    return (this._data ??= {});
  }

  set data(data) {
    this._data = data;
  }

  /** Callbacks of acknowledgements to come, by packet id. */
  get acks() {
    return (this._acks ??= new Map());
  }

  set acks(acks) {
    this._acks = acks;
  }

  /** Middlewares for incoming events. */
  get fns() {
    return (this._fns ??= []);
  }

  set fns(fns) {
    this._fns = fns;
  }

  /** Flags of the next emission. */
  get flags() {
    return (this._flags ??= {});
  }

  set flags(flags) {
    this._flags = flags;
  }

  /** @returns {import("./handshake").Handshake} */
  get handshake() {
    return (this._handshake ??= buildHandshake(this.client.conn, this._auth, this._issued));
  }

  set handshake(handshake) {
    this._handshake = handshake;
  }

  // --- what others know ---

  /**
   * The rooms that the socket is in; live, and empty when it is in none.
   *
   * @returns {Set<any>}
   */
  get rooms() {
    return this.adapter.socketRooms(this.id) || new Set();
  }

  get disconnected() {
    return !this.connected;
  }

  /** The request that opened the connection. */
  get request() {
    return this.client.request;
  }

  /** The connection. */
  get conn() {
    return this.client.conn;
  }

  // --- its listeners ---

  /**
   * Emits to the listeners of this object.
   *
   * @param {string} name
   * @param {any[]} args
   * @returns {boolean}
   */
  emitReserved(name, ...args) {
    return emitLocally.call(this, name, ...args);
  }

  /**
   * Emits to the listeners of this object.
   *
   * @param {string} name
   * @param {any[]} args
   * @returns {boolean}
   */
  emitUntyped(name, ...args) {
    return emitLocally.call(this, name, ...args);
  }
}

/**
 * Clients of protocol 3 work out the id of their sockets by themselves.
 *
 * @param {any} nsp
 * @param {any} client
 * @returns {string} the session id, which such clients do not keep secret, behind the namespace if that is not "/"
 */
function oldId(nsp, client) {
  return nsp.name === "/" ? client.id : `${nsp.name}#${client.id}`;
}

module.exports = { SocketState };
