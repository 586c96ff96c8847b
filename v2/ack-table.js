"use strict";

/**
 * The callbacks of acknowledgements to come as Socket.IO 2.x has them, a plain object by packet id; and as the floors
 * below want them, a Map.
 */
class AckTable {
  /** @param {Record<string, Function>} [acks] to begin with */
  constructor(acks) {
    Object.assign(this, acks);
  }

  /** @param {number} id */
  has(id) {
    return Object.hasOwn(this, id);
  }

  /**
   * @param {number} id
   * @returns {Function | undefined}
   */
  get(id) {
    return Object.hasOwn(this, id) ? this.#own()[id] : undefined;
  }

  /**
   * @param {number} id
   * @param {Function} ack
   * @returns {this}
   */
  set(id, ack) {
    this.#own()[id] = ack;
    return this;
  }

  /**
   * @param {number} id
   * @returns {boolean} whether it was there
   */
  delete(id) {
    const had = Object.hasOwn(this, id);
    delete this.#own()[id];
    return had;
  }

  get size() {
    return Object.keys(this).length;
  }

  /** @returns {Record<string, any>} */
  #own() {
    return /** @type {any} */ (this);
  }
}

module.exports = { AckTable };
