"use strict";

const { assignable } = require("../lib/base/assignable");
const { callable } = require("../lib/base/callable");
const { Engine } = require("../lib/engine");
const { PacketType } = require("../lib/codec");
const { Server: Base } = require("../lib/api");
const { interceptRequests } = require("../lib/http");
const Adapter = require("./adapter");
const Client = require("./client");
const { findClient, serveClientFile } = require("./client-files");
const { crossOrigin } = require("./cross-origin");
const Namespace = require("./namespace");
const ParentNamespace = require("./parent-namespace");
const { parserFor } = require("./parser");
const { divertPreflight } = require("./preflight");
const { refill } = require("../lib/base/plain-view");

/**
 * The server with the API and the behaviour of Socket.IO 2.5, for programs that were written for it. The floors below
 * are those of the main entry.
 */
class Server extends Base {
  /**
   * @param {any} [srv] an HTTP server or a port; or the options
   * @param {any} [opts] as documented for Socket.IO 2.x
   */
  constructor(srv, opts) {
    if (typeof srv === "object" && srv instanceof Object && !(/** @type {any} */ (srv).listen)) {
      opts = srv;
      srv = undefined;
    }
    super(srv, translate(opts));
  }

  /** @param {any} [given] */
  _chooseParser(given) {
    return parserFor(given);
  }

  /** The parser: the one of the options, or ours. */
  get parser() {
    return this.opts.parser || this._parser;
  }

  /** @returns {any} the namespaces by name, in a plain object */
  get nsps() {
    return super.nsps;
  }

  set nsps(nsps) {
    refill(this.nsps, nsps);
  }

  /** @param {any} conn */
  _makeClient(conn) {
    return new Client(this, conn);
  }

  /** @param {string} name */
  _makeNamespace(name) {
    return new Namespace(this, name);
  }

  _makeParentNamespace() {
    return /** @type {any} */ (new ParentNamespace(this));
  }

  /**
   * @param {any} srv
   * @param {any} opts
   * @protected
   */
  initEngine(srv, opts) {
    const before = srv.listeners("request");
    super.initEngine(srv, { ...opts, ...translate(opts) });
    divertPreflight(srv, before, opts);
    // with the handshake, to save a round trip; but nobody is told before the middlewares have let him in
    if (this.sockets._fns.length === 0 && !this.opts.connectionStateRecovery)
      this.engine.greet(greeting(this.encoder));
  }

  /**
   * @param {any} engine
   * @returns {this}
   */
  bind(engine) {
    if (engine instanceof Engine) engine.useOwn(crossOrigin);
    return super.bind(engine);
  }

  /**
   * @param {any} srv
   * @protected
   */
  attachServe(srv) {
    const client = findClient();
    if (client === undefined) {
      super.attachServe(srv);
      return;
    }
    interceptRequests(srv, (req, res) => {
      const path = `${this.path()}/`;
      if (!req.url.startsWith(path)) return false;
      return serveClientFile(client, req.url.slice(path.length).split("?")[0], req, res);
    });
  }

  /** @returns {any} this; the flag counts for the next emission of the main namespace */
  get volatile() {
    this.sockets.flags.volatile = true;
    return this;
  }

  /** @returns {any} this */
  get local() {
    this.sockets.flags.local = true;
    return this;
  }

  /**
   * Closes all connections and the HTTP server.
   *
   * @param {(error?: Error) => void} [done]
   * @returns {any}
   */
  close(done) {
    for (const socket of Object.values(this.sockets.sockets)) socket._onclose(undefined);
    this.engine.close();
    if (this.httpServer) this.httpServer.close(done);
    else done?.();
  }
}

assignable(Server.prototype, "parser");

for (const name of ["to", "in", "use", "send", "write", "clients", "compress", "binary"]) {
  /** @type {any} */ (Server.prototype)[name] = function (/** @type {any[]} */ ...args) {
    return this.sockets[name](...args);
  };
}

/**
 * @param {any} encoder
 * @returns {string | Buffer | undefined} the CONNECT packet of "/", if it is one message
 */
function greeting(encoder) {
  const parts = encoder.encode({ type: PacketType.CONNECT, nsp: "/" });
  if (!Array.isArray(parts) || parts.length !== 1) return undefined;
  const [part] = parts;
  return typeof part === "string" || Buffer.isBuffer(part) ? part : undefined;
}

/**
 * Turns options of 2.x into those of today.
 *
 * @param {any} [opts]
 * @returns {any}
 */
function translate(opts = {}) {
  return { ...opts, allowEIO3: true, adapter: opts.adapter ?? Adapter, cookie: cookieOf(opts) };
}

/**
 * @param {{ cookie?: any, cookiePath?: string | false, cookieHttpOnly?: boolean }} opts
 * @returns {any} the cookie "io" unless something else is said
 */
function cookieOf({ cookie = "io", cookiePath = "/", cookieHttpOnly = true }) {
  if (!cookie || typeof cookie === "object") return cookie; // an object is translated already
  return {
    name: cookie === true ? "io" : cookie,
    path: cookiePath || undefined,
    httpOnly: cookiePath ? cookieHttpOnly : false,
    sameSite: "strict",
  };
}

const exported = /** @type {any} */ (callable(Server));

module.exports = exported;
module.exports.listen = exported; // written out, so that ES modules see the name
