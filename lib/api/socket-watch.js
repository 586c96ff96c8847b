"use strict";

const { SocketState } = require("./socket-state");

/** @typedef {import("../codec/packet").Packet} Packet */

/**
 * A socket with listeners for everything that comes or goes.
 */
class WatchedSocket extends SocketState {
  /**
   * @param {(...args: any[]) => void} listener called with each incoming event
   * @returns {this}
   */
  onAny(listener) {
    (this._anyListeners ??= []).push(listener);
    return this;
  }

  /**
   * @param {(...args: any[]) => void} listener
   * @returns {this}
   */
  prependAny(listener) {
    (this._anyListeners ??= []).unshift(listener);
    return this;
  }

  /**
   * @param {(...args: any[]) => void} [listener] none: all
   * @returns {this}
   */
  offAny(listener) {
    this._anyListeners = without(this._anyListeners, listener);
    return this;
  }

  /** @returns {Function[]} */
  listenersAny() {
    return this._anyListeners || [];
  }

  /**
   * @param {(...args: any[]) => void} listener called with each outgoing event, broadcasts included
   * @returns {this}
   */
  onAnyOutgoing(listener) {
    (this._anyOutgoingListeners ??= []).push(listener);
    this.countOutgoing();
    return this;
  }

  /**
   * @param {(...args: any[]) => void} listener
   * @returns {this}
   */
  prependAnyOutgoing(listener) {
    (this._anyOutgoingListeners ??= []).unshift(listener);
    this.countOutgoing();
    return this;
  }

  /**
   * @param {(...args: any[]) => void} [listener] none: all
   * @returns {this}
   */
  offAnyOutgoing(listener) {
    this._anyOutgoingListeners = without(this._anyOutgoingListeners, listener);
    this.countOutgoing();
    return this;
  }

  /** @returns {Function[]} */
  listenersAnyOutgoing() {
    return this._anyOutgoingListeners || [];
  }

  /**
   * Lets the namespace know whether broadcasts must be shown to this socket.
   *
   * @protected
   */
  countOutgoing() {
    const has = this._anyOutgoingListeners !== undefined && this._anyOutgoingListeners.length > 0;
    if (has === this._counted) return;
    this._counted = has;
    this.nsp._outgoing += has ? 1 : -1;
  }

  /** @param {Packet} packet */
  notifyOutgoingListeners(packet) {
    const listeners = this._anyOutgoingListeners;
    if (listeners === undefined || listeners.length === 0) return;
    for (const listener of listeners.slice()) listener.apply(this, packet.data);
  }
}

/**
 * @param {Function[] | undefined} listeners
 * @param {Function} [listener]
 * @returns {Function[] | undefined} the list without the first such listener; an empty one when none is named
 */
function without(listeners, listener) {
  if (listeners === undefined) return undefined;
  if (!listener) return [];
  const index = listeners.indexOf(listener);
  if (index !== -1) listeners.splice(index, 1);
  return listeners;
}

module.exports = { WatchedSocket };
