"use strict";

/**
 * The sockets of a namespace: to programs a plain object by id, as in Socket.IO 2.x; to the floors below a Map.
 *
 * The Map holds those that broadcasts reach. A socket that a program deletes from `nsp.connected` leaves the Map, and stays
 * a property of this object.
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
