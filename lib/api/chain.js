"use strict";

const { EventEmitter } = require("node:events");
const { assignable } = require("../base/assignable");

/** @typedef {import("./operator").BroadcastOperator} BroadcastOperator */

/**
 * The steps with which a broadcast begins on a socket, a namespace and a server alike.
 */
class Routing extends EventEmitter {
  /**
   * @returns {BroadcastOperator} a fresh one
   */
  _operator() {
    throw new Error("to be given by the class");
  }

  /**
   * Targets a room.
   *
   * @param {any} room a room or an array of rooms
   * @returns {BroadcastOperator}
   */
  to(room) {
    return this._operator().to(room);
  }

  /**
   * Alias of to().
   *
   * @param {any} room
   * @returns {BroadcastOperator}
   */
  in(room) {
    return this._operator().in(room);
  }

  /**
   * Excludes a room.
   *
   * @param {any} room a room or an array of rooms
   * @returns {BroadcastOperator}
   */
  except(room) {
    return this._operator().except(room);
  }

  /** The event stays on this server of a cluster. */
  get local() {
    return this._operator().local;
  }

  /**
   * Flags of the next emission.
   *
   * @returns {any}
   */
  get flags() {
    throw new Error("to be given by the class");
  }

  /**
   * The next event is sent as JSON, as every event is.
   *
   * @deprecated kept for programs written for Socket.IO 2.x
   */
  get json() {
    this.flags.json = true;
    return this;
  }

  /**
   * Told whether the next event has binary parts; they are found in any case.
   *
   * @param {boolean} _binary
   * @returns {this}
   * @deprecated kept for programs written for Socket.IO 2.x
   */
  binary(_binary) {
    return this;
  }
}

assignable(Routing.prototype, "json");

/**
 * Those that a namespace and a server have besides.
 */
class Chain extends Routing {
  /**
   * Sets whether the data may be compressed.
   *
   * @param {boolean} compress
   * @returns {BroadcastOperator}
   */
  compress(compress) {
    return this._operator().compress(compress);
  }

  /** The event may be lost where a client is not ready to receive it. */
  get volatile() {
    return this._operator().volatile;
  }

  /**
   * Sets how long acknowledgements are awaited.
   *
   * @param {number} timeout ms
   * @returns {BroadcastOperator}
   */
  timeout(timeout) {
    return this._operator().timeout(timeout);
  }

  /**
   * @returns {Promise<Set<string>>} ids
   * @deprecated use fetchSockets()
   */
  allSockets() {
    return this._operator().allSockets();
  }

  /**
   * Gives the ids of the sockets.
   *
   * @param {(error: any, ids: string[]) => void} callback
   * @returns {this}
   * @deprecated kept for programs written for Socket.IO 2.x: use fetchSockets()
   */
  clients(callback) {
    this._operator().clients(callback);
    return this;
  }

  /**
   * @returns {Promise<any[]>} the sockets, and stand-ins for those of other servers
   */
  fetchSockets() {
    return this._operator().fetchSockets();
  }

  /**
   * Makes the sockets join rooms.
   *
   * @param {any} room a room or an array of rooms
   */
  socketsJoin(room) {
    return this._operator().socketsJoin(room);
  }

  /**
   * Makes the sockets leave rooms.
   *
   * @param {any} room a room or an array of rooms
   */
  socketsLeave(room) {
    return this._operator().socketsLeave(room);
  }

  /**
   * Disconnects the sockets.
   *
   * @param {boolean} [close] whether to close their connections too
   */
  disconnectSockets(close = false) {
    return this._operator().disconnectSockets(close);
  }
}

module.exports = { Chain, Routing };
