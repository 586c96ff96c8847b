"use strict";

const { EventEmitter } = require("node:events");
const http = require("node:http");
const cors = require("cors");
const debug = require("debug")("socket.io:server");
const { NativeAdapter } = require("./adapter");
const { assignable } = require("../base/assignable");
const { createAppEngine, serveAppFiles } = require("./attach-app");
const { callable } = require("../base/callable");
const { addMethods, OPERATIONS, TARGETS } = require("./chain");
const { Client } = require("./client");
const { serveClientFiles } = require("./client-files");
const { Decoder, Encoder, PacketType, PROTOCOL } = require("../codec");
const { Engine } = require("../engine");
const {
  handoverFailed,
  handoverUnsupported,
  invalidOption,
  MESSAGES,
  serverClosed,
} = require("../base/errors");
const { drain } = require("./drain");
const { checkPath, HandOver, unlessAborted } = require("./hand-over");
const { getHealth } = require("./health");
const { readMetrics } = require("./metrics");
const { checkMetrics, serveMetrics } = require("./metrics-route");
const { writeMetrics } = require("./metrics-text");
const { Namespace } = require("./namespace");
const { NamespacesCounts } = require("./namespace-counts");
const { setOldOption } = require("./old-settings");
const { checkShutdown, shutDownAt } = require("./shutdown");
const { checkOptions, defaultsOf } = require("../base/options");
const { checkOrigin } = require("./origins");
const { ParentNamespace } = require("./parent-namespace");
const { plainView } = require("../base/plain-view");
const { RECOVERY_DEFAULTS, RecoveryAdapter } = require("./recovery-adapter");
const { Socket } = require("./socket");
const { TakeOver } = require("./take-over");
const { trace } = require("../base/trace");

const { connectTimeout: CONNECT_TIMEOUT, path: PATH } = defaultsOf("server");

const PARSER = Object.freeze({ Decoder, Encoder, PacketType, protocol: PROTOCOL });

/**
 * What a server makes things of.
 *
 * @typedef {object} Parts
 * @property {typeof Client} Client
 * @property {typeof Namespace} Namespace
 * @property {new (server: Server) => Parent} ParentNamespace
 * @property {typeof Socket} Socket
 * @property {(given?: Parser) => Parser} parserFor gives the parser to use; `given` is that of the options
 */

/** @typedef {import("../engine/conn").Conn} Conn */
/** @typedef {import("./adapter").SomeAdapter} SomeAdapter */
/** @typedef {import("./namespace").Middleware} Middleware */
/** @typedef {import("./operator").BroadcastOperator} BroadcastOperator */
/** @typedef {import("./origins").Origins} Origins */
/** @typedef {import("./take-over").TakenOver} TakenOver */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {new (nsp: Namespace) => SomeAdapter} AdapterClass */
/** @typedef {(socket: Socket) => void} SocketListener */
/** @typedef {Namespace & { createChild(name: string): Namespace }} Parent */

/**
 * What encodes and decodes packets.
 *
 * @typedef {object} Parser
 * @property {new () => { encode(packet: import("../codec/packet").Packet): unknown[] }} Encoder
 * @property {new () => import("./client").PacketDecoder} Decoder
 */

/**
 * The options that are read here; those of Engine.IO are among them.
 *
 * @typedef {Record<string, unknown> & ServerOptions} Options
 *
 * @typedef {object} ServerOptions
 * @property {string} [path]
 * @property {number} [connectTimeout] ms
 * @property {unknown} [serveClient]
 * @property {Origins} [origins]
 * @property {Parser} [parser]
 * @property {import("cors").CorsOptions} [cors]
 * @property {AdapterClass} [adapter]
 * @property {{ skipMiddlewares?: unknown, maxDisconnectionDuration: number, maxStoredBytes?: number }} [connectionStateRecovery]
 * @property {boolean} [cleanupEmptyChildNamespaces]
 * @property {boolean | import("./metrics-route").RouteOptions} [metrics]
 * @property {import("./shutdown").Signals | import("./shutdown").ShutdownOptions} [shutdown]
 * @property {string} [takeOver]
 */

/**
 * An Engine.IO server: ours, or a foreign one.
 *
 * @typedef {object} SomeEngine
 * @property {(name: "connection", listener: (conn: Conn) => void) => unknown} on
 * @property {() => unknown} close
 * @property {{ pingInterval?: number, pingTimeout?: number }} [opts]
 */

/** @typedef {(name: string, auth: unknown, next: (error: unknown, allow: boolean) => void) => void} NameRule whether there may be a namespace */

/** @type {Readonly<Parts>} */
const PARTS = Object.freeze({
  Client,
  Namespace,
  ParentNamespace,
  Socket,
  parserFor: (given) => given || PARSER,
});

/**
 * A Socket.IO server. What is asked of it, and its emitter methods, are those of its main namespace, "/".
 */
class Server extends EventEmitter {
  /**
   * @param {unknown} [srv] an HTTP server or a port; or the options
   * @param {Options} [opts] options of Socket.IO and Engine.IO, as documented there
   */
  constructor(srv, opts = {}) {
    super();
    [srv, opts] = serverAndOptions(srv, opts);
    /** @type {Map<string, Namespace>} the namespaces by name */
    this._nsps = new Map();
    this._counts = new NamespacesCounts();
    /** @type {Promise<import("./drain").Progress> | undefined} what is under way while it is drained */
    this._drain = undefined;
    /** @type {HandOver | undefined} @private what is under way while its clients are handed over */
    this._handOver = undefined;
    /** @type {TakeOver | undefined} those of another process, which come, or have come */
    this._takeOver = undefined;
    /** @type {((result: TakenOver | Promise<TakenOver>) => void)[]} @private who waits for them, while no HTTP server is there */
    this._awaiting = [];
    /** answers that clients wait for; see hand-over.js */
    this._owed = { count: 0 };
    /** @type {(() => void) | undefined} @protected no signal is listened for any more; see `shutdown` */
    this._ignoreSignals = undefined;
    /** @type {Map<NameRule, Parent>} parent namespaces by the function that says whether a name is theirs */
    this.parentNsps = new Map();
    /** @type {Map<RegExp, Parent>} */
    this.parentNamespacesFromRegExp = new Map();
    /** @type {Record<string, Namespace> | undefined} @private made at first use */
    this._nspsView = undefined;
    /** the main namespace */
    this.sockets = /** @type {Namespace} */ (/** @type {unknown} */ (undefined));
    checkOptions(opts);
    checkMetrics(opts.metrics);
    checkShutdown(opts.shutdown);
    if (opts.takeOver !== undefined) {
      checkPath("option takeOver", opts.takeOver);
      if (!this._carries) throw handoverUnsupported("the server is that of the entry for 2.x");
    }
    this.opts = opts;
    /** @private */
    this._path = "";
    /** @private */
    this._serveClient = true;
    this._connectTimeout = CONNECT_TIMEOUT;
    /** @type {import("./origins").Origins | undefined} @private */
    this._origins = undefined;
    /** @private */
    this._adapter = /** @type {AdapterClass} */ (/** @type {unknown} */ (undefined));
    /** @type {Engine | undefined} */
    this.eio = undefined;
    this.path(opts.path || PATH);
    this.connectTimeout(opts.connectTimeout || CONNECT_TIMEOUT);
    this.serveClient(opts.serveClient !== false);
    if (opts.origins) this.origins(opts.origins);
    /** @type {http.Server | undefined} */
    this.httpServer = undefined;
    this.engine = /** @type {SomeEngine} */ (/** @type {unknown} */ (undefined));
    /** @type {Engine[]} those of ours that it has been given, one for each HTTP server; `engine` is the last one */
    this._engines = [];
    /** whether packets are encoded and decoded here, by a parser that the program has given */
    this._foreignParser = !!opts.parser;
    /** @private */
    this._corsMiddleware = opts.cors ? cors(opts.cors) : undefined;
    this._parser = this._parts.parserFor(opts.parser);
    this.encoder = new this._parser.Encoder();
    if (opts.connectionStateRecovery) {
      opts.connectionStateRecovery = { ...RECOVERY_DEFAULTS, ...opts.connectionStateRecovery };
      this.adapter(opts.adapter || RecoveryAdapter);
    } else {
      this.adapter(opts.adapter || NativeAdapter);
    }
    opts.cleanupEmptyChildNamespaces = !!opts.cleanupEmptyChildNamespaces;
    this.sockets = this.of("/");
    if (opts.shutdown) this._ignoreSignals = shutDownAt(this, opts.shutdown);
    if (srv || typeof srv === "number") this.attach(srv);
  }

  /** What it makes things of; the entry for 2.x has parts of its own. */
  get _parts() {
    return PARTS;
  }

  /** Whether its sockets have what is carried to another process. */
  get _carries() {
    return this._parts === PARTS;
  }

  get _opts() {
    return this.opts;
  }

  // --- options; without an argument they are read ---

  /**
   * @overload
   * @returns {boolean} whether the client's files are served
   *
   * @overload
   * @param {boolean} value
   * @returns {this}
   *
   * @param {boolean} [value]
   * @returns {this | boolean}
   */
  serveClient(value) {
    if (arguments.length === 0) return this._serveClient;
    this._serveClient = /** @type {boolean} */ (value);
    return this;
  }

  /**
   * @overload
   * @returns {string} under which the requests are ours
   *
   * @overload
   * @param {string} value
   * @returns {this}
   *
   * @param {string} [value]
   * @returns {this | string}
   */
  path(value) {
    if (arguments.length === 0) return this._path;
    this._path = /** @type {string} */ (value).replace(/\/$/, "");
    return this;
  }

  /**
   * @overload
   * @returns {number} ms that a client has to join a namespace
   *
   * @overload
   * @param {number} value
   * @returns {this}
   *
   * @param {number} [value]
   * @returns {this | number}
   */
  connectTimeout(value) {
    if (value === undefined) return this._connectTimeout;
    this._connectTimeout = value;
    if (this.engine instanceof Engine) this.engine.limitConnecting(value);
    return this;
  }

  /**
   * @overload
   * @returns {AdapterClass}
   *
   * @overload
   * @param {AdapterClass} value a class, always used with `new`
   * @returns {this}
   *
   * @param {AdapterClass} [value]
   * @returns {this | AdapterClass}
   */
  adapter(value) {
    if (arguments.length === 0) return this._adapter;
    this._adapter = /** @type {AdapterClass} */ (value);
    for (const nsp of this._nsps.values()) nsp._initAdapter();
    return this;
  }

  // --- connections: from an HTTP server, from an engine, one by one ---

  /**
   * Alias of attach().
   *
   * @param {unknown} srv
   * @param {Options} [opts]
   * @returns {this}
   */
  listen(srv, opts = {}) {
    return this.attach(srv, opts);
  }

  /**
   * Attaches to an HTTP server, or makes one that listens on a port.
   *
   * @param {unknown} srv an HTTP server or a port
   * @param {Options} [opts] options of Engine.IO
   * @returns {this}
   */
  attach(srv, opts = {}) {
    if (typeof srv === "function") throw new Error(MESSAGES.ATTACH_FUNCTION);
    // eslint-disable-next-line eqeqeq -- a port may be a string
    if (Number(srv) == srv) srv = Number(srv);
    if (typeof srv === "number") {
      debug("creating http server and binding to %d", srv);
      const port = srv;
      const made = http.createServer((_req, res) => {
        res.writeHead(404);
        res.end();
      });
      this.holdListening(made);
      made.listen(port);
      srv = made;
    } else this.holdListening(/** @type {http.Server} */ (srv));
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    this.initEngine(/** @type {http.Server} */ (srv), opts);
    if (this._takeOver?.isFor(srv)) this._takeOver.begin(/** @type {Engine} */ (this.engine));
    return this;
  }

  /**
   * The first HTTP server gets the clients of another process, if the option says so.
   *
   * @param {http.Server} srv
   * @private
   */
  holdListening(srv) {
    const { takeOver } = this.opts;
    if (takeOver === undefined) return;
    this._takeOver ??= new TakeOver(this, takeOver, srv);
    for (const resolve of this._awaiting.splice(0)) resolve(this._takeOver.result);
  }

  /**
   * Attaches to an application of uWebSockets.js. Its connections are served by the npm package `engine.io`, which has
   * to be installed beside this one, and not by the workers.
   *
   * @param {import("./attach-app").App} app
   * @param {Options} [opts] options of Engine.IO
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
   * @param {http.Server} srv
   * @param {Options} opts
   * @protected
   */
  initEngine(srv, opts) {
    if (debug.enabled) debug("creating engine.io instance with opts %j", opts);
    const engine = new Engine(opts);
    engine.carry(this._connectTimeout, this._foreignParser);
    if (this._origins !== undefined) askForOrigin(engine, this);
    engine.attach(srv, opts);
    this.eio = engine;
    if (this._serveClient) this.attachServe(srv);
    const { metrics } = this.opts;
    if (metrics) serveMetrics(srv, metrics, () => readMetrics(this));
    this.httpServer = srv;
    this.bind(engine);
  }

  /**
   * @param {http.Server} srv
   * @protected
   */
  attachServe(srv) {
    debug("attaching client serving req handler");
    serveClientFiles(srv, () => this._path, this._corsMiddleware);
  }

  /**
   * Takes the connections of an Engine.IO server: our own, or a foreign one written in JavaScript.
   *
   * @param {SomeEngine} engine
   * @returns {this}
   */
  bind(engine) {
    this.engine = engine;
    if (engine instanceof Engine) {
      engine.carry(this._connectTimeout, this._foreignParser);
      if (!this._engines.includes(engine)) this._engines.push(engine);
    }
    engine.on("connection", this.onconnection.bind(this));
    return this;
  }

  /**
   * Takes one connection.
   *
   * @param {Conn} conn
   * @returns {this}
   */
  onconnection(conn) {
    if (trace.any && debug.enabled) debug("incoming connection with id %s", conn.id);
    const client = new this._parts.Client(this, conn);
    if (conn.protocol === 3 && !conn.isAdopted) client.connect("/");
    return this;
  }

  // --- namespaces ---

  /**
   * Finds or makes a namespace.
   *
   * @param {unknown} given a name; or a regular expression or a function, for namespaces that are made on demand
   * @param {SocketListener} [listener] for "connect"
   * @returns {Namespace}
   */
  of(given, listener) {
    if (typeof given === "function" || given instanceof RegExp)
      return this.ofPattern(/** @type {NameRule | RegExp} */ (given), listener);
    let name = String(given);
    if (name[0] !== "/") name = "/" + name;
    let nsp = this._nsps.get(name);
    if (nsp === undefined) {
      for (const [pattern, parent] of this.parentNamespacesFromRegExp) {
        if (!pattern.test(name)) continue;
        debug("attaching namespace %s to parent namespace %s", name, pattern);
        return parent.createChild(name);
      }
      debug("initializing namespace %s", name);
      nsp = new this._parts.Namespace(this, name);
      nsp._counts = this._counts.of(name);
      this._nsps.set(name, nsp);
      if (name !== "/") this.sockets.emitReserved("new_namespace", nsp);
    }
    if (listener) nsp.on("connect", listener);
    return nsp;
  }

  /**
   * @param {NameRule | RegExp} pattern
   * @param {SocketListener} [listener]
   * @returns {Parent}
   * @private
   */
  ofPattern(pattern, listener) {
    if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
      throw new Error(MESSAGES.STATEFUL_REGEXP);
    const parent = new this._parts.ParentNamespace(this);
    debug("initializing parent namespace %s", parent.name);
    if (typeof pattern === "function") {
      this.parentNsps.set(pattern, parent);
    } else {
      /** @type {NameRule} */
      const matches = (name, _auth, next) => next(null, pattern.test(name));
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
   * @param {unknown} auth
   * @param {(nsp: Namespace | false) => void} done called with the namespace, or with false
   */
  _checkNamespace(name, auth, done) {
    const parents = this.parentNsps.entries();
    const step = () => {
      const { value, done: last } = parents.next();
      if (last || value === undefined) {
        done(false);
        return;
      }
      value[0](name, auth, (error, allow) => {
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
    this._ignoreSignals?.();
    this._ignoreSignals = undefined;
    this._handOver?.cancel(serverClosed());
    this._takeOver?.close();
    for (const resolve of this._awaiting.splice(0)) resolve(nobodyTaken());
    await Promise.allSettled(
      [...this._nsps.values()].map(async (nsp) => {
        for (const socket of nsp.sockets.values()) socket._onclose("server shutting down");
        await nsp.adapter.close();
      }),
    );
    this._handOver?.cancel(serverClosed()); // one that has begun meanwhile
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

  // --- for who runs it (ours) ---

  /**
   * What has been counted since the start.
   *
   * @overload
   * @param {{ format?: undefined }} [options]
   * @returns {import("./metrics").Metrics} by their names
   *
   * @overload
   * @param {{ format: "prometheus" }} options
   * @returns {string} as OpenMetrics text
   *
   * @param {{ format?: unknown }} [options]
   * @returns {import("./metrics").Metrics | string}
   */
  metrics({ format } = {}) {
    if (format === undefined) return readMetrics(this);
    if (format !== "prometheus")
      throw invalidOption("option format", format, 'give "prometheus", or leave it out');
    return writeMetrics(readMetrics(this));
  }

  /**
   * Lets all clients go, spread over a time, then closes the server. Nobody is let in meanwhile.
   *
   * @param {import("./drain").DrainOptions} [options] those of the first call count
   * @returns {Promise<import("./drain").Progress>} how many there were, and how many had to be cut off at the end
   */
  drain(options = {}) {
    this._drain ??= drain(this, options).finally(() => {
      this._drain = undefined;
    });
    return this._drain;
  }

  /**
   * Hands all clients over to another process, while they stay connected: to one whose server has `takeOver` of the same path.
   * Then closes the server.
   *
   * @param {string} path of a Unix socket, which is made
   * @param {import("./hand-over").HandOverOptions} [options]
   * @returns {Promise<import("./hand-over").HandedOver>} how many there were, and how many have gone over; rejected when no process
   *   comes, or that has gone before it had them: then all is as before
   */
  async handOver(path, options = {}) {
    // those that are on their way here go on with the others
    if (this._takeOver?.isUnderWay) await unlessAborted(this._takeOver.result, options.signal);
    if (this._handOver !== undefined)
      throw handoverFailed("another one is under way: await it, or end it by its signal");
    this._handOver = new HandOver(this, path, options);
    try {
      return await this._handOver.run();
    } finally {
      this._handOver = undefined;
    }
  }

  /**
   * What has come of the option `takeOver`.
   *
   * @returns {Promise<TakenOver>} resolved when the clients of the other process are in, or none come
   */
  get takenOver() {
    if (this._takeOver !== undefined) return this._takeOver.result;
    if (this.opts.takeOver === undefined) return Promise.resolve(nobodyTaken());
    return new Promise((resolve) => this._awaiting.push(resolve));
  }

  /** @returns {import("./health").Health} whether it is to be sent clients */
  health() {
    return getHealth(this);
  }

  // --- what is asked of the main namespace; to() and all that begins a broadcast come from chain.js ---

  /**
   * @param {Middleware} fn
   * @returns {this}
   */
  use(fn) {
    this.sockets.use(fn);
    return this;
  }

  /**
   * @param {unknown[]} args
   * @returns {this}
   */
  send(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /**
   * @param {unknown[]} args
   * @returns {this}
   */
  write(...args) {
    this.sockets.emit("message", ...args);
    return this;
  }

  /**
   * @param {unknown[]} data
   * @returns {boolean} true
   */
  serverSideEmit(...data) {
    return this.sockets.serverSideEmit(...data);
  }

  /**
   * @param {unknown[]} data
   * @returns {Promise<unknown[]>}
   */
  serverSideEmitWithAck(...data) {
    return this.sockets.serverSideEmitWithAck(...data);
  }

  _operator() {
    return this.sockets._operator();
  }

  get flags() {
    return this.sockets.flags;
  }

  // --- kept for programs written for Socket.IO 2.x ---

  /**
   * The namespaces as a plain object.
   *
   * @returns {Record<string, Namespace>}
   * @deprecated use of()
   */
  get nsps() {
    return (this._nspsView ??= plainView(
      () => this._nsps,
      (name, nsp) => this._nsps.set(name, nsp),
      (name) => this._nsps.delete(name),
    ));
  }

  /**
   * Says which origins may connect; without an argument gives what was said. Requests of others are answered 403. The
   * option `allowRequest` goes before it.
   *
   * @overload
   * @returns {Origins}
   *
   * @overload
   * @param {Origins} value
   * @returns {this}
   *
   * @param {Origins} [value]
   * @returns {this | Origins}
   * @deprecated use the options `allowRequest` and `cors`
   */
  origins(value) {
    if (arguments.length === 0) return this._origins ?? "*:*";
    this._origins = value;
    if (this.eio) askForOrigin(this.eio, this);
    return this;
  }

  /**
   * Says whether a request comes from an origin that may connect.
   *
   * @param {Request} req
   * @param {(error: unknown, success: boolean) => void} done
   * @deprecated
   */
  checkRequest(req, done) {
    checkOrigin(this.origins(), req, done);
  }

  /**
   * Sets an option.
   *
   * @param {string} key "authorization" (a function (request, callback(error, authorized))), "origins", "resource",
   *   "transports", "heartbeat timeout", "heartbeat interval", "destroy buffer size"
   * @param {unknown} value
   * @returns {this}
   * @deprecated
   */
  set(key, value) {
    setOldOption(this, key, value);
    return this;
  }
}

addMethods(Server.prototype, TARGETS, OPERATIONS);
assignable(Server.prototype, "nsps", "flags", "takenOver");

/** @typedef {Record<string, (...args: unknown[]) => unknown>} Methods */

const emitter = /** @type {Methods} */ (/** @type {unknown} */ (EventEmitter.prototype));
const own = /** @type {Methods} */ (/** @type {unknown} */ (Server.prototype));
for (const name of Object.keys(emitter)) {
  if (typeof emitter[name] !== "function") continue;
  own[name] = /** @this {Server} */ function (...args) {
    return /** @type {Methods} */ (/** @type {unknown} */ (this.sockets))[name](...args);
  };
}

/** @returns {TakenOver} */
function nobodyTaken() {
  return { clients: 0, sockets: 0, refused: 0 };
}

/**
 * @param {unknown} srv what a server is made with: an HTTP server or a port; or the options
 * @param {Options} opts
 * @returns {[unknown, Options]} the HTTP server or port, and the options
 */
function serverAndOptions(srv, opts) {
  const isOptions =
    typeof srv === "object" &&
    srv instanceof Object &&
    !(/** @type {{ listen?: unknown }} */ (srv).listen);
  return isOptions ? [undefined, /** @type {Options} */ (srv)] : [srv, opts];
}

/**
 * Has an engine ask whether the origin of a request may connect, unless the program decides that.
 *
 * @param {Engine} engine
 * @param {Server} server
 */
function askForOrigin(engine, server) {
  engine.opts.allowRequest ??= (
    /** @type {Request} */ req,
    /** @type {(error: unknown, success: boolean) => void} */ done,
  ) => server.checkRequest(req, done);
}

module.exports = { Server: callable(Server), serverAndOptions };
