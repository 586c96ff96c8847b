"use strict";

const { assignable } = require("../lib/base/assignable");
const { callable } = require("../lib/base/callable");
const { Engine } = require("../lib/engine");
const { PacketType } = require("../lib/codec");
const { Server: Base, serverAndOptions } = require("../lib/api");
const Adapter = require("./adapter");
const Client = require("./client");
const { findClient, serveClientFiles } = require("./client-files");
const { crossOrigin } = require("./cross-origin");
const Namespace = require("./namespace");
const ParentNamespace = require("./parent-namespace");
const { parserFor } = require("./parser");
const { divertPreflight } = require("./preflight");
const { refill } = require("../lib/base/plain-view");
const Socket = require("./socket");

const PARTS = Object.freeze({ Client, Namespace, ParentNamespace, Socket, parserFor });

/**
 * The server with the API and the behaviour of Socket.IO 2.5, for programs that were written for it. The files beside have
 * subclasses of those in lib/api, and what 2.x has in addition; the floors below are those of the main entry. Their oracle is
 * npm socket.io 2.5: __test__/v2/ compares.
 */
class Server extends Base {
  /**
   * @param {any} [srv] an HTTP server or a port; or the options
   * @param {any} [opts] as documented for Socket.IO 2.x
   */
  constructor(srv, opts) {
    [srv, opts] = serverAndOptions(srv, opts);
    super(srv, translate(opts));
  }

  get _parts() {
    return PARTS;
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

  /**
   * @param {any} srv
   * @param {any} opts
   * @protected
   */
  initEngine(srv, opts) {
    const before = srv.listeners("request").slice();
    super.initEngine(srv, { ...opts, ...translate(opts) });
    divertPreflight(srv, before, opts);
    // said with the handshake, to save a round trip; but with middlewares, only when they have let the client in
    if (this.sockets._fns.length === 0 && !this.opts.connectionStateRecovery)
      /** @type {Engine} */ (this.engine).greet(greeting(this.encoder));
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
    serveClientFiles(srv, client, () => this.path());
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
    this._ignoreSignals?.();
    this._ignoreSignals = undefined;
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
  if (!cookie || typeof cookie === "object") return cookie; // an object needs no translation, or has been translated
  return {
    name: cookie === true ? "io" : cookie,
    path: cookiePath || undefined,
    httpOnly: cookiePath ? cookieHttpOnly : false,
    sameSite: "strict",
  };
}

const exported = /** @type {any} */ (callable(Server));

module.exports = exported;
module.exports.listen = exported; // written so that ES modules see the name
