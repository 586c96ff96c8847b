"use strict";

/**
 * The sockets of a namespace as Socket.IO 2.x has them, a plain object by id; and as the floors below want them, a Map.
 *
 * As a Map it holds those that broadcasts reach: a socket that a program deletes from `nsp.connected` stays a property
 * of this object.
 */
class SocketTable {
  /** @type {Map<string, any>} */
  #reachable = new Map();

  /** @param {string} id */
  has(id) {
    return this.#reachable.has(id);
  }

  /** @param {string} id */
  get(id) {
    return this.#reachable.get(id);
  }

  keys() {
    return this.#reachable.keys();
  }

  values() {
    return this.#reachable.values();
  }

  get size() {
    return this.#reachable.size;
  }

  /**
   * @param {string} id
   * @param {any} socket
   * @returns {this}
   */
  set(id, socket) {
    this.#own()[id] = socket;
    this.#reachable.set(id, socket);
    return this;
  }

  /**
   * @param {string} id
   * @returns {boolean} whether it was there
   */
  delete(id) {
    const had = Object.hasOwn(this, id);
    delete this.#own()[id];
    this.#reachable.delete(id);
    return had;
  }

  /** @param {string} id of a socket that broadcasts pass over from now on */
  conceal(id) {
    this.#reachable.delete(id);
  }

  /** @returns {Record<string, any>} */
  #own() {
    return /** @type {any} */ (this);
  }
}

module.exports = { SocketTable };
