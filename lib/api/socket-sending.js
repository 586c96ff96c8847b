"use strict";

const debug = require("debug")("socket.io:socket");
const { flagsOf } = require("./adapter");
const { reservedEvent, timedOut } = require("../base/errors");
const { BroadcastOperator } = require("./operator");
const { PacketType, RESERVED_EVENTS } = require("../codec");
const { WatchedSocket } = require("./socket-watch");
const { trace } = require("../base/trace");

/** @typedef {import("../codec/packet").Packet} Packet */

/**
 * A socket that sends.
 */
class SendingSocket extends WatchedSocket {
  /**
   * Emits an event to the client.
   *
   * @param {any[]} data the name and the arguments; a last function is called with the client's answer
   * @returns {boolean} true
   */
  emit(...data) {
    if (data.length === 0) data.push(undefined);
    if (RESERVED_EVENTS.has(data[0])) throw reservedEvent(data[0]);
    /** @type {number | undefined} */
    let id;
    if (typeof data[data.length - 1] === "function") {
      id = /** @type {number} */ (this.nsp._ids++);
      if (trace.socket) debug("emitting packet with ack id %d", id);
      this.registerAckCallback(id, data.pop());
    }
    const flags = this._flags;
    this._flags = undefined;
    if (this.server._opts.connectionStateRecovery) {
      this.emitRecoverably(data, id, flags);
      return true;
    }
    const outgoing = this._anyOutgoingListeners;
    if (outgoing !== undefined && outgoing.length > 0)
      this.notifyOutgoingListeners({ type: PacketType.EVENT, data, id });
    this.client.send(
      PacketType.EVENT,
      this.nsp.name,
      id,
      data,
      flags === undefined ? 0 : flagsOf(flags),
    );
    return true;
  }

  /**
   * Lets the adapter store the packet, so that it can be sent again after a reconnection.
   *
   * @param {any[]} data
   * @param {number | undefined} id
   * @param {any} flags
   * @private
   */
  emitRecoverably(data, id, flags) {
    /** @type {Packet} */
    const packet = { type: PacketType.EVENT, data };
    if (id !== undefined) packet.id = id;
    this.adapter.broadcast(packet, {
      rooms: new Set([this.id]),
      except: new Set(),
      flags: { ...flags },
    });
  }

  /**
   * Emits, and gives a promise of the client's answer.
   *
   * @param {any[]} data
   * @returns {Promise<any>}
   */
  emitWithAck(...data) {
    const withError = this._flags?.timeout !== undefined;
    return new Promise((resolve, reject) => {
      data.push((/** @type {any} */ first, /** @type {any} */ second) => {
        if (!withError) resolve(first);
        else if (first) reject(first);
        else resolve(second);
      });
      this.emit(...data);
    });
  }

  /**
   * @param {number} id
   * @param {Function} ack
   * @private
   */
  registerAckCallback(id, ack) {
    const timeout = this._flags?.timeout;
    if (timeout === undefined) {
      this.acks.set(id, ack);
      return;
    }
    const timer = setTimeout(() => {
      if (debug.enabled) debug("event with ack id %d has timed out after %d ms", id, timeout);
      this.acks.delete(id);
      ack.call(this, timedOut());
    }, timeout);
    this.acks.set(id, (/** @type {any[]} */ ...answer) => {
      clearTimeout(timer);
      ack.call(this, null, ...answer);
    });
  }

  /**
   * Emits a "message" event.
   *
   * @param {any[]} args
   * @returns {this}
   */
  send(...args) {
    this.emit("message", ...args);
    return this;
  }

  /**
   * Alias of send().
   *
   * @param {any[]} args
   * @returns {this}
   */
  write(...args) {
    this.emit("message", ...args);
    return this;
  }

  /**
   * Sends a packet.
   *
   * @param {Packet} packet
   * @param {any} [opts] volatile, compress
   */
  packet(packet, opts) {
    packet.nsp = this.nsp.name;
    this.client._packet(packet, opts);
  }

  // --- flags, and whom it goes to ---

  /**
   * Sets whether the next data may be compressed.
   *
   * @param {boolean} compress
   * @returns {this}
   */
  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  /** The next event may be lost when the client is not ready to receive it. */
  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  /** Everyone but this socket. */
  get broadcast() {
    return this._operator();
  }

  /**
   * Sets how long the next acknowledgement is awaited.
   *
   * @param {number} timeout ms
   * @returns {this}
   */
  timeout(timeout) {
    this.flags.timeout = timeout;
    return this;
  }

  _operator() {
    const flags = { ...this._flags };
    this._flags = undefined;
    return new BroadcastOperator(this.adapter, new Set(), new Set([this.id]), flags);
  }
}

module.exports = { SendingSocket };
