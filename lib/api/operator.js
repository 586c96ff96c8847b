"use strict";

const debug = require("debug")("socket.io:broadcast-operator");
const { HANDED_OVER } = require("./acks");
const { assignable } = require("../base/assignable");
const { handedOver, MESSAGES, reservedEvent, timedOut } = require("../base/errors");
const { PacketType, RESERVED_EVENTS } = require("../codec");
const { nextTick } = require("../base/loop");

/** @typedef {import("socket.io-adapter").Adapter} Adapter */
/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../codec/packet").Packet} Packet */

/**
 * How an event is sent.
 *
 * @typedef {object} Flags
 * @property {boolean} [volatile]
 * @property {boolean} [compress]
 * @property {boolean} [local]
 * @property {boolean} [json] as are the next two, kept for programs written for Socket.IO 2.x
 * @property {boolean} [broadcast]
 * @property {boolean} [binary]
 * @property {number} [timeout] ms
 * @property {boolean} [expectSingleResponse] whether an acknowledgement gives one response, and no list
 */

/**
 * Whom an event is for, as adapters have it.
 *
 * @typedef {object} Target
 * @property {Set<Room>} rooms none: everyone
 * @property {Set<Room>} [except]
 * @property {Flags} [flags]
 */

/** A socket of another server, as adapters tell of it. @typedef {{ id: string, handshake: unknown, rooms: Room[], data: unknown }} Details */

/** ms; means "no timeout": the adapters of a cluster set a timer of their own, and can't be told so in another way */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * @param {Set<Room>} set
 * @param {Room | Room[]} rooms a room or an array of rooms
 * @returns {Set<Room>} a new set
 */
function extend(set, rooms) {
  const extended = new Set(set);
  if (Array.isArray(rooms)) for (const room of rooms) extended.add(room);
  else extended.add(rooms);
  return extended;
}

/** An error of an acknowledgement, which has the responses so far. @typedef {(Error & { responses?: unknown }) | null} WithResponses */

/**
 * Whom the next event goes to, and how. Immutable: every step gives a new operator.
 */
class BroadcastOperator {
  /**
   * @param {Adapter} adapter
   * @param {Set<Room>} [rooms] none: everyone
   * @param {Set<Room>} [exceptRooms]
   * @param {Flags} [flags]
   */
  constructor(adapter, rooms = new Set(), exceptRooms = new Set(), flags = {}) {
    this.adapter = adapter;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  /**
   * Targets a room; a socket that is in several of them gets one copy.
   *
   * @param {Room | Room[]} room a room or an array of rooms
   * @returns {BroadcastOperator}
   */
  to(room) {
    return new BroadcastOperator(
      this.adapter,
      extend(this.rooms, room),
      this.exceptRooms,
      this.flags,
    );
  }

  /**
   * Alias of to().
   *
   * @param {Room | Room[]} room
   * @returns {BroadcastOperator}
   */
  in(room) {
    return this.to(room);
  }

  /**
   * Excludes a room.
   *
   * @param {Room | Room[]} room a room or an array of rooms
   * @returns {BroadcastOperator}
   */
  except(room) {
    return new BroadcastOperator(
      this.adapter,
      this.rooms,
      extend(this.exceptRooms, room),
      this.flags,
    );
  }

  /**
   * @param {Flags} flags
   * @returns {BroadcastOperator}
   * @private
   */
  with(flags) {
    return new BroadcastOperator(this.adapter, this.rooms, this.exceptRooms, {
      ...this.flags,
      ...flags,
    });
  }

  /**
   * Sets whether the data may be compressed.
   *
   * @param {boolean} compress
   * @returns {BroadcastOperator}
   */
  compress(compress) {
    return this.with({ compress });
  }

  /** The event may be lost where a client is not ready to receive it. */
  get volatile() {
    return this.with({ volatile: true });
  }

  /** The event stays on this server of a cluster. */
  get local() {
    return this.with({ local: true });
  }

  /**
   * @returns {BroadcastOperator}
   * @deprecated kept for programs written for Socket.IO 2.x
   */
  get json() {
    return this.with({ json: true });
  }

  /**
   * @param {boolean} _binary
   * @returns {BroadcastOperator}
   * @deprecated kept for programs written for Socket.IO 2.x: what is binary is found in any case
   */
  binary(_binary) {
    return this;
  }

  /**
   * Sets how long acknowledgements are awaited.
   *
   * @param {number} timeout ms
   * @returns {BroadcastOperator}
   */
  timeout(timeout) {
    return this.with({ timeout });
  }

  /** @private */
  get _target() {
    return { rooms: this.rooms, except: this.exceptRooms, flags: this.flags };
  }

  /**
   * Emits to all targeted clients.
   *
   * @param {unknown[]} data the name of the event and its arguments; a last function is called with (error, responses)
   * @returns {true}
   */
  emit(...data) {
    if (data.length === 0) data.push(undefined);
    if (RESERVED_EVENTS.has(/** @type {string} */ (data[0]))) throw reservedEvent(data[0]);
    const packet = { type: PacketType.EVENT, data };
    if (typeof data[data.length - 1] === "function")
      this.emitAwaiting(packet, /** @type {Function} */ (data.pop()));
    else this.adapter.broadcast(packet, this._target);
    return true;
  }

  /**
   * Emits a "message" event.
   *
   * @param {unknown[]} args
   * @returns {this}
   */
  send(...args) {
    this.emit("message", ...args);
    return this;
  }

  /**
   * Alias of send().
   *
   * @param {unknown[]} args
   * @returns {this}
   */
  write(...args) {
    return this.send(...args);
  }

  /**
   * Emits and waits for the answers of all clients, on all servers.
   *
   * @param {Packet} packet
   * @param {Function} ack
   * @private
   */
  emitAwaiting(packet, ack) {
    const { adapter } = this;
    const single = this.flags.expectSingleResponse;
    /** @type {unknown[]} */
    const responses = [];
    let expired = false;
    let servers = -1;
    let answeredServers = 0;
    let clients = 0;
    const fail = (/** @type {Error} */ error) => {
      expired = true;
      if (packet.id !== undefined) {
        for (const socket of adapter.nsp.sockets.values()) socket.acks.delete(packet.id);
      }
      ack.call(this, error, single ? null : responses);
    };
    const expire = () => {
      debug("operation has timed out");
      fail(timedOut());
    };
    const { timeout } = this.flags;
    const timer = timeout === LONGEST_TIMEOUT ? undefined : setTimeout(expire, timeout);
    const check = () => {
      if (debug.enabled) {
        const format = "responses: servers: %d / %d ; clients: %d / %d";
        debug(format, answeredServers, servers, responses.length, clients);
      }
      if (expired || servers !== answeredServers || responses.length !== clients) return;
      clearTimeout(timer);
      ack.call(this, null, single ? responses[0] : responses);
    };
    const answered = (/** @type {unknown} */ response) => {
      if (response === HANDED_OVER) {
        if (expired) return; // one is enough
        clearTimeout(timer);
        fail(handedOver());
        return;
      }
      responses.push(response);
      check();
    };
    answered.takesError = true;
    adapter.broadcastWithAck(
      packet,
      this._target,
      (/** @type {number} */ count) => {
        clients += count;
        answeredServers++;
        check();
      },
      answered,
    );
    adapter.serverCount().then((/** @type {number} */ count) => {
      servers = count;
      check();
    });
  }

  /**
   * Emits, and gives a promise of the responses; without timeout(), it waits for them as long as it takes.
   *
   * @param {unknown[]} data
   * @returns {Promise<unknown>} rejected with an error that has the `responses` so far
   */
  emitWithAck(...data) {
    return new Promise((resolve, reject) => {
      data.push((/** @type {WithResponses} */ error, /** @type {unknown} */ responses) => {
        if (error) {
          error.responses = responses;
          reject(error);
        } else {
          resolve(responses);
        }
      });
      const waits = this.flags.timeout === undefined;
      (waits ? this.timeout(LONGEST_TIMEOUT) : this).emit(...data);
    });
  }

  /**
   * @returns {Promise<Set<string>>} ids
   * @deprecated use fetchSockets()
   */
  allSockets() {
    if (!this.adapter) throw new Error(MESSAGES.NO_ADAPTER);
    return this.adapter.sockets(this.rooms);
  }

  /**
   * Gives the ids of the sockets.
   *
   * @param {(error: unknown, ids: string[]) => void} callback
   * @returns {this}
   * @deprecated kept for programs written for Socket.IO 2.x: use fetchSockets()
   */
  clients(callback) {
    // in a tick of its own, so that an error of the callback does not become a rejected promise
    this.adapter.fetchSockets(this._target).then(
      (sockets) =>
        nextTick(
          callback,
          null,
          sockets.map(({ id }) => id),
        ),
      (/** @type {unknown} */ error) => nextTick(callback, error),
    );
    return this;
  }

  /**
   * @returns {Promise<(RemoteSocket | object)[]>} the sockets themselves, and stand-ins for those of other servers
   */
  async fetchSockets() {
    const sockets = await this.adapter.fetchSockets(this._target);
    // the sockets of other servers come as plain data
    return sockets.map((socket) =>
      socket.server ? socket : new RemoteSocket(this.adapter, socket),
    );
  }

  /**
   * Makes the targeted sockets join rooms.
   *
   * @param {Room | Room[]} room a room or an array of rooms
   */
  socketsJoin(room) {
    this.adapter.addSockets(this._target, Array.isArray(room) ? room : [room]);
  }

  /**
   * Makes the targeted sockets leave rooms.
   *
   * @param {Room | Room[]} room a room or an array of rooms
   */
  socketsLeave(room) {
    this.adapter.delSockets(this._target, Array.isArray(room) ? room : [room]);
  }

  /**
   * Disconnects the targeted sockets.
   *
   * @param {boolean} [close] whether to close their connections too
   */
  disconnectSockets(close = false) {
    this.adapter.disconnectSockets(this._target, close);
  }
}

/**
 * Stands for a socket of another server.
 */
class RemoteSocket {
  /**
   * @param {Adapter} adapter
   * @param {Details} details
   */
  constructor(adapter, details) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    this.operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), {
      expectSingleResponse: true, // an acknowledgement gives one response, as socket.emit() does
    });
  }

  /**
   * @param {number} timeout ms
   * @returns {BroadcastOperator}
   */
  timeout(timeout) {
    return this.operator.timeout(timeout);
  }

  /** @param {unknown[]} data */
  emit(...data) {
    return this.operator.emit(...data);
  }

  /** @param {Room | Room[]} room */
  join(room) {
    return this.operator.socketsJoin(room);
  }

  /** @param {Room | Room[]} room */
  leave(room) {
    return this.operator.socketsLeave(room);
  }

  /**
   * @param {boolean} [close]
   * @returns {this}
   */
  disconnect(close = false) {
    this.operator.disconnectSockets(close);
    return this;
  }
}

assignable(BroadcastOperator.prototype, "json");

module.exports = { BroadcastOperator, RemoteSocket };
