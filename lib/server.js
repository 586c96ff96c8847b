"use strict";

const { EventEmitter } = require("node:events");
const http = require("node:http");
const cors = require("cors");
const debug = require("debug")("socket.io:server");
const { NativeAdapter } = require("./adapter");
const { createAppEngine, serveAppFiles } = require("./app");
const { callable } = require("./callable");
const { Chain } = require("./chain");
const { Client } = require("./client");
const { isClientFile, serveClientFile } = require("./client-files");
const { Decoder } = require("./decoder");
const { Encoder } = require("./encoder");
const { Engine } = require("./engine");
const { MESSAGES } = require("./errors");
const { Namespace } = require("./namespace");
const { checkOrigin } = require("./origins");
const { PROTOCOL, PacketType } = require("./packet");
const { plainView } = require("./plain-view");
const { ParentNamespace } = require("./parent-namespace");
const { RECOVERY_DEFAULTS, RecoveryAdapter } = require("./recovery");

const CONNECT_TIMEOUT = 45000; // ms
const PARSER = Object.freeze({ Decoder, Encoder, PacketType, protocol: PROTOCOL });
/** What `set()` calls the options of the engine. */
const OLD_NAMES = new Map([
  ["transports", "transports"],
  ["heartbeat timeout", "pingTimeout"],
  ["heartbeat interval", "pingInterval"],
  ["destroy buffer size", "maxHttpBufferSize"],
]);

/**
 * A Socket.IO server. Its emitter methods are those of its main namespace, "/".
 */
class Server extends Chain {
  /**
   * @param {any} [srv] an HTTP server or a port; or the options
   * @param {any} [opts] options of Socket.IO and Engine.IO, as documented there
   */
  constructor(srv, opts = {}) {
    super();
    if (typeof srv === "object" && srv instanceof Object && !(/** @type {any} */ (srv).listen)) {
      opts = srv;
      srv = undefined;
    }
    /** @type {Map<string, Namespace>} */
    this._nsps = new Map();
    /** @type {Map<Function, ParentNamespace>} by the function that says whether a name is theirs */
    this.parentNsps = new Map();
    /** @type {Map<RegExp, ParentNamespace>} */
    this.parentNamespacesFromRegExp = new Map();
    /** @private */
    this._path = "";
    /** @private */
    this._serveClient = true;
    this._connectTimeout = CONNECT_TIMEOUT;
    /** @type {import("./origins").Origins | undefined} @private */
    this._origins = undefined;
    /** @type {Record<string, Namespace> | undefined} @private made at first use */
    this._nspsView = undefined;
    /** @type {any} @private */
    this._adapter = undefined;
    /** @type {http.Server | undefined} */
    this.httpServer = undefined;
    /** @type {any} */
    this.engine = undefined;
    /** @type {any} */
    this.eio = undefined;
    /** @type {any} @private */
    this._corsMiddleware = undefined;
    /** @type {any} */
    this.opts = opts;
    /** whether packets are encoded and decoded here, by a parser that the program has given */
    this._foreignParser = !!opts.parser;
    /** @type {any} */
    this._parser = opts.parser || PARSER;
    this.encoder = new this._parser.Encoder();
    this.path(opts.path || "/socket.io");
    this.connectTimeout(opts.connectTimeout || CONNECT_TIMEOUT);
    this.serveClient(opts.serveClient !== false);
    if (opts.origins) this.origins(opts.origins);
    if (opts.connectionStateRecovery) {
      opts.connectionStateRecovery = { ...RECOVERY_DEFAULTS, ...opts.connectionStateRecovery };
      this.adapter(opts.adapter || RecoveryAdapter);
    } else {
      this.adapter(opts.adapter || NativeAdapter);
    }
    opts.cleanupEmptyChildNamespaces = !!opts.cleanupEmptyChildNamespaces;
    this.sockets = this.of("/");
    if (srv || typeof srv === "number") this.attach(srv);
    if (opts.cors) this._corsMiddleware = cors(opts.cors);
  }

  get _opts() {
    return this.opts;
  }

  _operator() {
    return this.sockets._operator();
  }

  // --- options; without an argument they are read ---

  /**
   * @param {boolean} [value] whether the client's files are served
   * @returns {any}
   */
  serveClient(value) {
    if (arguments.length === 0) return this._serveClient;
    this._serveClient = /** @type {boolean} */ (value);
    return this;
  }

  /**
   * @param {string} [value]
   * @returns {any}
   */
  path(value) {
    if (arguments.length === 0) return this._path;
    this._path = /** @type {string} */ (value).replace(/\/$/, "");
    return this;
  }

  /**
   * @param {number} [value] ms that a client has to join a namespace
   * @returns {any}
   */
  connectTimeout(value) {
    if (value === undefined) return this._connectTimeout;
    this._connectTimeout = value;
    return this;
  }

  /**
   * @param {any} [value] a class, always used with `new`
   * @returns {any}
   */
  adapter(value) {
    if (arguments.length === 0) return this._adapter;
    this._adapter = value;
    for (const nsp of this._nsps.values()) nsp._initAdapter();
    return this;
  }

  // --- those of Socket.IO 2.x ---

  /**
   * Says which origins may connect; without an argument gives what was said. Requests of others are answered 403. The
   * option `allowRequest` goes before it.
   *
   * @param {import("./origins").Origins} [value]
   * @returns {any}
   * @deprecated kept for programs written for Socket.IO 2.x: use the options `allowRequest` and `cors`
   */
  origins(value) {
    if (arguments.length === 0) return this._origins ?? "*:*";
    this._origins = value;
    if (this.eio) this.guard(this.eio);
    return this;
  }

  /**
   * Lets an engine ask for the origin.
   *
   * @param {Engine} engine
   * @private
   */
  guard(engine) {
    engine.opts.allowRequest ??= (/** @type {any} */ req, /** @type {any} */ done) =>
      checkOrigin(/** @type {any} */ (this._origins), req, done);
  }

  /**
   * Sets an option.
   *
   * @param {string} key "authorization" (a function (request, callback(error, authorized))), "origins", "resource",
   *   "transports", "heartbeat timeout", "heartbeat interval", "destroy buffer size"
   * @param {any} value
   * @returns {this}
   * @deprecated kept for programs written for Socket.IO 2.x
   */
  set(key, value) {
    const name = OLD_NAMES.get(key);
    if (key === "authorization" && value) this.use(authorization(value));
    else if (key === "origins" && value) this.origins(value);
    else if (key === "resource") this.path(value);
    else if (name !== undefined) (this.eio ?? this.opts)[name] = value;
    else console.error("Option %s is not valid. Please refer to the README.", key);
    return this;
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

  get flags() {
    return this.sockets.flags;
  }

  // --- attaching ---

  /**
   * Alias of attach().
   *
   * @param {any} srv
   * @param {any} [opts]
   * @returns {this}
   */
  listen(srv, opts = {}) {
    return this.attach(srv, opts);
  }

  /**
   * Attaches to an HTTP server, or makes one that listens on a port.
   *
   * @param {any} srv an HTTP server or a port
   * @param {any} [opts] options of Engine.IO
   * @returns {this}
   */
  attach(srv, opts = {}) {
    if (typeof srv === "function") throw new Error(MESSAGES.ATTACH_FUNCTION);
    // eslint-disable-next-line eqeqeq -- a port may be a string
    if (Number(srv) == srv) srv = Number(srv);
    if (typeof srv === "number") {
      debug("creating http server and binding to %d", srv);
      const port = srv;
      srv = http.createServer((_req, res) => {
        res.writeHead(404);
        res.end();
      });
      srv.listen(port);
    }
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    this.initEngine(srv, opts);
    return this;
  }

  /**
   * Attaches to an application of uWebSockets.js. Its connections are served by the npm package `engine.io`, which has
   * to be installed beside this one, and not by the workers.
   *
   * @param {any} app
   * @param {any} [opts] options of Engine.IO
   * @throws {Error} when `engine.io` is not installed
   */
  attachApp(app, opts = {}) {
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    const engine = createAppEngine(opts);
    engine.attach(app, opts);
    this.bind(engine);
    if (this._serveClient) serveAppFiles(app, this._path);
  }

  /**
   * @param {any} srv
   * @param {any} opts
   * @protected
   */
  initEngine(srv, opts) {
    if (debug.enabled) debug("creating engine.io instance with opts %j", opts);
    const engine = new Engine(opts);
    engine.rawMessages = this._foreignParser;
    engine.connectTimeout = this._connectTimeout;
    if (this._origins !== undefined) this.guard(engine);
    engine.attach(srv, opts);
    this.eio = engine;
    if (this._serveClient) this.attachServe(srv);
    this.httpServer = srv;
    this.bind(engine);
  }

  /**
   * @param {any} srv
   * @protected
   */
  attachServe(srv) {
    debug("attaching client serving req handler");
    const listeners = srv.listeners("request").slice();
    srv.removeAllListeners("request");
    srv.on("request", (/** @type {any} */ req, /** @type {any} */ res) => {
      if (req.url.startsWith(this._path)) {
        const name = req.url.substring(this._path.length + 1).split("?")[0];
        if (isClientFile(name)) {
          if (this._corsMiddleware)
            this._corsMiddleware(req, res, () => serveClientFile(name, req, res));
          else serveClientFile(name, req, res);
          return;
        }
      }
      for (const listener of listeners) listener.call(srv, req, res);
    });
  }

  /**
   * Takes the connections of an Engine.IO server: our own, or a foreign one written in JavaScript.
   *
   * @param {any} engine
   * @returns {this}
   */
  bind(engine) {
    this.engine = engine;
    engine.on("connection", this.onconnection.bind(this));
    return this;
  }

  /**
   * Takes one connection.
   *
   * @param {any} conn
   * @returns {this}
   */
  onconnection(conn) {
    if (debug.enabled) debug("incoming connection with id %s", conn.id);
    const client = this._makeClient(conn);
    if (conn.protocol === 3) client.connect("/");
    return this;
  }

  // --- what an entry with classes of its own replaces ---

  /**
   * @param {any} conn
   * @returns {Client}
   */
  _makeClient(conn) {
    return new Client(this, conn);
  }

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

  // --- namespaces ---

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
   * Closes the server: all clients, and the HTTP server.
   *
   * @param {(error?: Error) => void} [done]
   * @returns {Promise<void>}
   */
  async close(done) {
    await Promise.allSettled(
      [...this._nsps.values()].map(async (nsp) => {
        for (const socket of nsp.sockets.values()) socket._onclose("server shutting down");
        await nsp.adapter.close();
      }),
    );
    this.engine.close(); // rejects when there is none
    const { httpServer } = this;
    if (httpServer === undefined) {
      if (done) done();
      return;
    }
    await new Promise((resolve) => {
      httpServer.close((error) => {
        if (done) done(error);
        if (error) debug("server was not running");
        resolve(undefined);
      });
    });
  }

  // --- the main namespace ---

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

/**
 * @param {(request: any, callback: (error: any, authorized: boolean) => void) => void} decide
 * @returns {(socket: any, next: (error?: any) => void) => void} a middleware that asks it
 */
function authorization(decide) {
  return (socket, next) =>
    decide(socket.request, (error, authorized) => {
      if (error) next(new Error(error));
      else next(authorized ? undefined : new Error(MESSAGES.NOT_AUTHORIZED));
    });
}

const emitter = /** @type {any} */ (EventEmitter.prototype);
for (const name of Object.keys(emitter)) {
  if (typeof emitter[name] !== "function") continue;
  /** @type {any} */ (Server.prototype)[name] = function (/** @type {any[]} */ ...args) {
    return this.sockets[name](...args);
  };
}

module.exports = { Server: callable(Server) };
