"use strict";

const { EventEmitter } = require("node:events");
const debug = require("debug")("socket.io:socket");
const { PacketType } = require("../codec");
const { SendingSocket } = require("./socket-sending");
const { trace } = require("../base/trace");
const { nextTick } = require("../base/loop");

/** @typedef {import("../codec/packet").Packet} Packet */

const emitLocally = EventEmitter.prototype.emit;

/**
 * A socket that receives too: events go through its middlewares to its listeners, acknowledgements to their callbacks.
 */
class ReceivingSocket extends SendingSocket {
  /**
   * Called with each packet, in a tick of its own.
   *
   * @param {Packet} packet
   */
  _onpacket(packet) {
    if (trace.socket) debug("got packet %j", packet);
    switch (packet.type) {
      case PacketType.EVENT:
      case PacketType.BINARY_EVENT: // of a parser that keeps the difference
        this.onevent(packet);
        break;
      case PacketType.ACK:
      case PacketType.BINARY_ACK:
        this.onack(packet);
        break;
      case PacketType.DISCONNECT:
        this.ondisconnect();
        break;
    }
  }

  /**
   * Called with each event packet; libraries replace it.
   *
   * @param {Packet} packet
   */
  onevent(packet) {
    const args = packet.data || [];
    const tracing = trace.socket;
    if (tracing) debug("emitting event %j", args);
    if (packet.id !== undefined && packet.id !== null) {
      if (tracing) debug("attaching ack callback to event");
      args.push(this.ack(packet.id));
    }
    const any = this._anyListeners;
    if (any !== undefined && any.length > 0)
      for (const listener of any.slice()) listener.apply(this, args);
    this.dispatch(args);
  }

  /**
   * Makes the function with which a handler answers an event.
   *
   * @param {number} id
   * @returns {(...args: any[]) => void} only its first call counts
   */
  ack(id) {
    let sent = false;
    return (...args) => {
      if (sent) return;
      if (trace.socket) debug("sending ack %j", args);
      this.packet({ id, type: PacketType.ACK, data: args });
      sent = true;
    };
  }

  /**
   * @param {Packet} packet
   * @private
   */
  onack(packet) {
    const id = /** @type {number} */ (packet.id);
    const ack = this._acks?.get(id);
    if (typeof ack !== "function") {
      if (trace.socket) debug("bad ack %s", id);
      return;
    }
    if (trace.socket) debug("calling ack %s with %j", id, packet.data);
    try {
      ack.apply(this, packet.data);
    } finally {
      this._acks?.delete(id);
    }
  }

  /**
   * Called when the socket is disconnected, whoever wanted it.
   *
   * @param {string} _reason
   * @param {any} [_description]
   */
  _onclose(_reason, _description) {
    throw new Error("to be given by the class");
  }

  /** @private */
  ondisconnect() {
    debug("got disconnect packet");
    this._onclose("client namespace disconnect");
  }

  /**
   * Runs the middlewares and then the listeners.
   *
   * @param {any[]} event
   * @protected
   */
  dispatch(event) {
    const fns = this._fns;
    if (trace.socket) debug("dispatching an event %j", event);
    if (fns === undefined || fns.length === 0) {
      if (this.connected) emitLocally.apply(this, /** @type {any} */ (event));
      else debug("ignore packet received after disconnection");
      return;
    }
    this.run(event, (error) => {
      nextTick(() => {
        if (error) this._onerror(error);
        else if (this.connected) emitLocally.apply(this, /** @type {any} */ (event));
        else debug("ignore packet received after disconnection");
      });
    });
  }

  /**
   * Adds a middleware for incoming events.
   *
   * @param {(event: any[], next: (error?: Error) => void) => void} fn
   * @returns {this}
   */
  use(fn) {
    this.fns.push(fn);
    return this;
  }

  /**
   * @param {any[]} event
   * @param {(error?: any) => void} done
   * @protected
   */
  run(event, done) {
    const fns = this.fns.slice();
    const step = (/** @type {number} */ i) => {
      fns[i](event, (/** @type {any} */ error) => {
        if (error || i + 1 === fns.length) done(error || undefined);
        else step(i + 1);
      });
    };
    step(0);
  }

  /** @param {Error} error */
  _onerror(error) {
    this.emitReserved("error", error);
  }
}

module.exports = { ReceivingSocket };
