"use strict";

const debug = require("debug")("socket.io:parent-namespace");
const { Adapter } = require("socket.io-adapter");
const { MESSAGES } = require("../base/errors");
const { Namespace } = require("./namespace");

/**
 * What is asked of a server.
 *
 * @typedef {import("./namespace").Server & ServerParts} Server
 *
 * @typedef {object} ServerParts
 * @property {{ cleanupEmptyChildNamespaces?: boolean }} opts
 * @property {{ Namespace: new (server: Server, name: string) => Namespace }} _parts
 * @property {Map<string, Namespace>} _nsps
 * @property {import("./namespace-counts").NamespacesCounts} _counts
 * @property {Namespace} sockets
 */

/** @typedef {Namespace & { children: Set<Namespace> }} Parent */

let count = 0;

/** Gives a broadcast to the children. */
class ParentAdapter extends Adapter {
  /**
   * @param {import("../codec/packet").Packet} packet
   * @param {import("./operator").Target} opts
   */
  broadcast(packet, opts) {
    for (const nsp of this.nsp.children) nsp.adapter.broadcast(packet, opts);
  }
}

/**
 * Stands for all namespaces whose names match a regular expression, or are accepted by a function. They are made when a
 * client asks for them, with the middlewares and the "connection" listeners of this one.
 */
class ParentNamespace extends Namespace {
  /** @param {Server} server */
  constructor(server) {
    super(server, "/_" + count++);
    /** @type {Set<Namespace>} */
    this.children = new Set();
  }

  _initAdapter() {
    this.adapter = new ParentAdapter(this);
  }

  /**
   * Emits to the clients of all children.
   *
   * @param {unknown[]} data
   * @returns {boolean} true
   */
  emit(...data) {
    for (const nsp of this.children) nsp.emit(...data);
    return true;
  }

  /**
   * @param {string} name
   * @returns {Namespace}
   */
  createChild(name) {
    return createChild(this, name);
  }

  /** @returns {never} */
  fetchSockets() {
    throw new Error(MESSAGES.PARENT_FETCH);
  }
}

// functions, not methods: the parent namespace of the entry for 2.x is another class

/**
 * @param {Parent} parent
 * @param {string} name
 * @returns {Namespace} one with the middlewares and listeners of its parent
 */
function createChild(parent, name) {
  debug("creating child namespace %s", name);
  const server = /** @type {Server} */ (parent.server);
  const nsp = new server._parts.Namespace(server, name);
  nsp._counts = server._counts.ofDynamic(); // a client has chosen its name
  for (const fn of parent._fns) nsp.use(fn);
  for (const event of ["connect", "connection"]) {
    for (const listener of parent.listeners(event))
      nsp.on(event, /** @type {import("./socket").Listener} */ (listener));
  }
  parent.children.add(nsp);
  if (server.opts.cleanupEmptyChildNamespaces) cleanUpWhenEmpty(parent, nsp);
  server._nsps.set(name, nsp);
  try {
    server.sockets.emitReserved("new_namespace", nsp);
  } catch (error) {
    // nobody will be let in, so nobody will leave: close it here
    if (server.opts.cleanupEmptyChildNamespaces) closeWhenEmpty(parent, nsp);
    throw error;
  }
  return nsp;
}

/**
 * Closes a child when its last socket has gone.
 *
 * @param {Parent} parent
 * @param {Namespace} nsp
 */
function cleanUpWhenEmpty(parent, nsp) {
  nsp._remove = (socket) => {
    Object.getPrototypeOf(nsp)._remove.call(nsp, socket);
    closeWhenEmpty(parent, nsp);
  };
}

/**
 * @param {Parent} parent
 * @param {Namespace} nsp a child
 */
function closeWhenEmpty(parent, nsp) {
  if (nsp.sockets.size > 0 || nsp._preConnectSockets.size > 0) return;
  if (!parent.children.delete(nsp)) return;
  debug("closing child namespace %s", nsp.name);
  nsp.adapter.close();
  // by now another namespace may have the name
  const { _nsps } = /** @type {Server} */ (parent.server);
  if (_nsps.get(nsp.name) === nsp) _nsps.delete(nsp.name);
}

module.exports = { createChild, ParentNamespace };
