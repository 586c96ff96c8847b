"use strict";

/** @typedef {import("../../native").DataPlane} DataPlane */

/**
 * Who gathers the body of a request.
 *
 * @typedef {object} Gatherer
 * @property {() => void} readOn there is room again
 */

/** The bodies of requests that this thread gathers: they are part of what waits for it, and that is bounded. */
class Bodies {
  /** @param {DataPlane} native */
  constructor(native) {
    /** @private */
    this._native = native;
    /** @private bytes of them that are here */
    this._bytes = 0;
    /** @private whether there is no room for more */
    this._isFull = false;
    /** @private @type {Set<Gatherer>} those who have stopped reading because there is no room */
    this._heldBack = new Set();
    /** whether `readOn()` has something to do; each packet asks */
    this.wait = false;
  }

  /**
   * Counts bytes of a body that is being gathered.
   *
   * @param {Gatherer} gatherer when there is no room, it is told as soon as there is
   * @param {number} bytes that have come; negative: that have been handed over
   * @returns {boolean} whether it may read on
   */
  gather(gatherer, bytes) {
    this._bytes += bytes;
    this._isFull = !this._native.countBodies(this._bytes);
    if (this._isFull && bytes > 0) this._heldBack.add(gatherer);
    else this._heldBack.delete(gatherer);
    this.wait = this._isFull || this._heldBack.size > 0;
    return !this._isFull;
  }

  /**
   * @param {Gatherer} gatherer
   * @returns {boolean} whether it has stopped reading because there is no room
   */
  isHeldBack(gatherer) {
    return this._heldBack.has(gatherer);
  }

  /**
   * Lets those read on who had to stop, if there is room again. While there is no room, records wait for this thread, so this
   * is to be called when they are taken.
   */
  readOn() {
    this._isFull = !this._native.countBodies(this._bytes);
    if (this._isFull) return;
    for (const gatherer of this._heldBack) {
      this._heldBack.delete(gatherer);
      gatherer.readOn();
    }
    this.wait = this._isFull || this._heldBack.size > 0;
  }
}

module.exports = { Bodies };
