"use strict";

const { bare } = require("../base/bare");
const { assignable } = require("../base/assignable");

/** @typedef {import("./operator").BroadcastOperator} BroadcastOperator */
/** @typedef {import("socket.io-adapter").Room} Room */

// How a broadcast begins: `io.to("room")`, `nsp.volatile`, `socket.except("room")`. The methods are written here once and
// given to the prototypes of the classes that have them; what they do is in operator.js.

/**
 * @typedef {object} Beginning what they ask of an object
 * @property {() => BroadcastOperator} _operator makes the operator that the chain begins with
 * @property {import("./operator").Flags} flags those of the next emission
 */

/** Those of a socket, a namespace and a server. @type {Record<string, unknown> & ThisType<Beginning>} */
const TARGETS = {
  /** @param {Room | Room[]} room a room or an array of rooms */
  to(room) {
    return this._operator().to(room);
  },

  /** @param {Room | Room[]} room */
  in(room) {
    return this._operator().in(room);
  },

  /** @param {Room | Room[]} room */
  except(room) {
    return this._operator().except(room);
  },

  get local() {
    return this._operator().local;
  },

  /** The next event is sent as JSON, as every event is: kept for programs written for Socket.IO 2.x. */
  get json() {
    this.flags.json = true;
    return this;
  },

  /** @param {boolean} _binary whether the next event has binary parts: kept for 2.x, they are found in any case */
  binary(_binary) {
    return this;
  },
};

assignable(TARGETS, "json");

/** Those that a namespace and a server have besides. @type {Record<string, unknown> & ThisType<Beginning>} */
const OPERATIONS = {
  /** @param {boolean} compress */
  compress(compress) {
    return this._operator().compress(compress);
  },

  get volatile() {
    return this._operator().volatile;
  },

  /** @param {number} timeout ms */
  timeout(timeout) {
    return this._operator().timeout(timeout);
  },

  allSockets() {
    return this._operator().allSockets();
  },

  /** @param {(error: unknown, ids: string[]) => void} callback */
  clients(callback) {
    this._operator().clients(callback);
    return this;
  },

  fetchSockets() {
    return this._operator().fetchSockets();
  },

  /** @param {Room | Room[]} room */
  socketsJoin(room) {
    return this._operator().socketsJoin(room);
  },

  /** @param {Room | Room[]} room */
  socketsLeave(room) {
    return this._operator().socketsLeave(room);
  },

  /** @param {boolean} [close] */
  disconnectSockets(close = false) {
    return this._operator().disconnectSockets(close);
  },
};

/** Those of a socket and a namespace, which emit. @type {Record<string, unknown> & ThisType<{ emit(...data: unknown[]): unknown }>} */
const MESSAGES = {
  /** @param {unknown[]} args of a "message" event */
  send(...args) {
    this.emit("message", ...args);
    return this;
  },

  /** @param {unknown[]} args */
  write(...args) {
    this.emit("message", ...args);
    return this;
  },
};

/**
 * Gives a class methods, as if they stood in its body.
 *
 * @param {object} prototype
 * @param {object[]} lists
 */
function addMethods(prototype, ...lists) {
  for (const list of lists) {
    for (const [name, method] of Object.entries(Object.getOwnPropertyDescriptors(list)))
      Object.defineProperty(prototype, name, bare({ ...method, enumerable: false }));
  }
}

module.exports = { addMethods, MESSAGES, OPERATIONS, TARGETS };
