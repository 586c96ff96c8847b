"use strict";

/**
 * The callbacks of acknowledgements to come: to programs a plain object by packet id, as in Socket.IO 2.x; to the floors
 * below a Map.
 */
class AckTable {
  /**
   * Takes what a program has assigned.
   *
   * @param {any} acks
   * @returns {AckTable | undefined} the same object, which now has the methods of this class
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
