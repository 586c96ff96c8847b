"use strict";

const debug = require("debug")("socket.io:server");
const { assignable } = require("../base/assignable");
const { Chain } = require("./chain");
const { MESSAGES } = require("../base/errors");
const { Namespace } = require("./namespace");
const { ParentNamespace } = require("./parent-namespace");
const { plainView } = require("../base/plain-view");

/**
 * A server's namespaces, of which "/" is the main one: what is asked of the server is asked of that.
 */
class NamespaceTable extends Chain {
  constructor() {
    super();
    /** @type {Map<string, Namespace>} */
    this._nsps = new Map();
    /** @type {Map<Function, ParentNamespace>} by the function that says whether a name is theirs */
    this.parentNsps = new Map();
    /** @type {Map<RegExp, ParentNamespace>} */
    this.parentNamespacesFromRegExp = new Map();
    /** @type {Record<string, Namespace> | undefined} @private made at first use */
    this._nspsView = undefined;
    /** @type {any} the main namespace */
    this.sockets = undefined;
  }

  /**
   * Finds or makes a namespace.
   *
   * @param {any} name a name; or a regular expression or a function, for namespaces that are made on demand
   * @param {(socket: any) => void} [listener] for "connect"
   * @returns {Namespace}
   */
  of(name, listener) {
    if (typeof name === "function" || name instanceof RegExp) return this.ofPattern(name, listener);
    name = String(name);
    if (name[0] !== "/") name = "/" + name;
    let nsp = this._nsps.get(name);
    if (nsp === undefined) {
      for (const [pattern, parent] of this.parentNamespacesFromRegExp) {
        if (!pattern.test(name)) continue;
        debug("attaching namespace %s to parent namespace %s", name, pattern);
        return parent.createChild(name);
      }
      debug("initializing namespace %s", name);
      nsp = this._makeNamespace(name);
      this._nsps.set(name, nsp);
      if (name !== "/") this.sockets.emitReserved("new_namespace", nsp);
    }
    if (listener) nsp.on("connect", listener);
    return nsp;
  }

  /**
   * @param {any} pattern
   * @param {(socket: any) => void} [listener]
   * @returns {ParentNamespace}
   * @private
   */
  ofPattern(pattern, listener) {
    if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
      throw new Error(MESSAGES.STATEFUL_REGEXP);
    const parent = this._makeParentNamespace();
    debug("initializing parent namespace %s", parent.name);
    if (typeof pattern === "function") {
      this.parentNsps.set(pattern, parent);
    } else {
      const matches = (
        /** @type {string} */ name,
        /** @type {any} */ _auth,
        /** @type {Function} */ next,
      ) => next(null, pattern.test(name));
      this.parentNsps.set(matches, parent);
      this.parentNamespacesFromRegExp.set(pattern, parent);
    }
    if (listener) parent.on("connect", listener);
    return parent;
  }

  /**
   * Asks the patterns, in order, whether a namespace may be made.
   *
   * @param {string} name
   * @param {any} auth
   * @param {(nsp: Namespace | false) => void} done
   */
  _checkNamespace(name, auth, done) {
    const parents = this.parentNsps.entries();
    const step = () => {
      const { value, done: last } = parents.next();
      if (last || value === undefined) {
        done(false);
        return;
      }
      value[0](name, auth, (/** @type {any} */ error, /** @type {boolean} */ allow) => {
        if (error || !allow) {
          step();
          return;
        }
        const existing = this._nsps.get(name); // it may have been made meanwhile
        if (existing) {
          debug("dynamic namespace %s already exists", name);
          done(existing);
          return;
        }
        const child = value[1].createChild(name);
        debug("dynamic namespace %s was created", name);
        done(child);
      });
    };
    step();
  }

  /**
   * The namespaces as a plain object.
   *
   * @returns {Record<string, Namespace>}
   * @deprecated kept for programs written for Socket.IO 2.x: use of()
   */
  get nsps() {
    return (this._nspsView ??= plainView(
      () => this._nsps,
      (name, nsp) => this._nsps.set(name, nsp),
      (name) => this._nsps.delete(name),
    ));
  }

  // --- what an entry with classes of its own replaces ---

  /**
   * @param {string} name
   * @returns {Namespace}
   */
  _makeNamespace(name) {
    return new Namespace(this, name);
  }

  /** @returns {ParentNamespace} */
  _makeParentNamespace() {
    return new ParentNamespace(this);
  }

  // --- the main namespace ---

  _operator() {
    return this.sockets._operator();
  }

  get flags() {
    return this.sockets.flags;
  }

  /**
   * @param {(socket: any, next: (error?: any) => void) => void} fn
   * @returns {this}
   */
  use(fn) {
    this.sockets.use(fn);
    return this;
  }

  /**
   * @param {any[]} args
   * @returns {this}
   */
  send(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /**
   * @param {any[]} args
   * @returns {this}
   */
  write(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /**
   * @param {any[]} data
   * @returns {boolean} true
   */
  serverSideEmit(...data) {
    return this.sockets.serverSideEmit(...data);
  }

  /**
   * @param {any[]} data
   * @returns {Promise<any[]>}
   */
  serverSideEmitWithAck(...data) {
    return this.sockets.serverSideEmitWithAck(...data);
  }
}

assignable(NamespaceTable.prototype, "nsps", "flags");

module.exports = { NamespaceTable };
