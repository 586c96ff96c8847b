"use strict";

/**
 * The callbacks of acknowledgements to come as Socket.IO 2.x has them, a plain object by packet id; and as the floors
 * below want them, a Map.
 */
class AckTable {
  /**
   * Takes what a program has assigned.
   *
   * @param {any} acks
   * @returns {AckTable | undefined} the very object, which can do now what the floors below want
   */
  static of(acks) {
    if (acks instanceof AckTable || acks === undefined || acks === null) return acks ?? undefined;
    if (Object.isExtensible(acks)) return Object.setPrototypeOf(acks, AckTable.prototype);
    return Object.assign(new AckTable(), acks);
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
