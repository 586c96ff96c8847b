"use strict";

const { createChild } = require("../lib/api");
const Namespace = require("./namespace");

let count = 0;

/** Namespaces that are made on demand, with the API of Socket.IO 2.x. */
class ParentNamespace extends Namespace {
  /** @param {any} server */
  constructor(server) {
    super(server, `/_${count++}`);
    /** @type {Set<Namespace>} */
    this.children = new Set();
  }

  _initAdapter() {}

  /**
   * Emits to the clients of all children.
   *
   * @param {any[]} data
   * @returns {any} this
   */
  emit(...data) {
    const { rooms, flags } = this;
    this.rooms = [];
    this.flags = undefined;
    for (const nsp of this.children) {
      nsp.rooms = rooms.slice();
      nsp.flags = { ...flags };
      nsp.emit(...data);
    }
    return this;
  }

  /**
   * @param {string} name
   * @returns {Namespace}
   */
  createChild(name) {
    return /** @type {Namespace} */ (createChild(this, name));
  }
}

module.exports = ParentNamespace;
