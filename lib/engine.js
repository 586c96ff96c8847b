"use strict";

const { EventEmitter } = require("node:events");
const cors = require("cors");
const debug = require("debug")("engine");
const { AcceptedRequest } = require("./accepted-request");
const { Acceptor } = require("./acceptor");
const { getBridge, workerCount } = require("./bridge");
const { bufferLimits } = require("./buffer-limits");
const {
  DEFAULT_THRESHOLD,
  checkHttpCompression,
  deflateOptions,
  nativeDeflate,
} = require("./compression");
const { Conn } = require("./conn");
const { serializeCookie } = require("./cookie");
const { ENGINE_ERRORS, ENGINE_ERROR_MESSAGES } = require("./errors");
const { generateId } = require("./ids");
const { UpgradeResponse, applyMiddlewares } = require("./middleware");
const { PollingDoor } = require("./polling-door");
const { PollingTakeover } = require("./polling-takeover");
const { abortRequest, abortUpgrade } = require("./refusal");
const { KeptRequest, RequestInfo, parseQuery } = require("./request-info");
const { answerUpgrade, wholeAnswer } = require("./upgrade");
const { dialectOf, protocolOf, verify } = require("./verify");
const { WebSocketDoor } = require("./websocket-door");
const { WebTransportDoor, receiveSession } = require("./webtransport");

const TRANSPORTS = ["polling", "websocket"];
/** What a session can be, in the order in which the addon numbers it. */
const FORMS = [4, 3].flatMap((protocol) =>
  TRANSPORTS.map((transport) => ({ transport, protocol })),
);
/** The transports that a session may be upgraded to from polling. */
const UPGRADES = ["websocket", "webtransport"];
const DESTROY_UPGRADE_TIMEOUT = 1000; // ms

const DEFAULTS = {
  pingTimeout: 20000,
  pingInterval: 25000,
  upgradeTimeout: 10000,
  maxHttpBufferSize: 1e6,
  transports: TRANSPORTS,
  allowUpgrades: true,
  httpCompression: { threshold: DEFAULT_THRESHOLD },
  perMessageDeflate: false,
  cors: false,
  allowEIO3: false,
};

/** Options that Socket.IO 2.x has as properties of the engine. */
const SETTINGS = ["pingTimeout", "pingInterval", "maxHttpBufferSize", "transports"];

/** A WebSocket close frame without a code. */
const CLOSE_FRAME = Buffer.from([0x88, 0x00]);

/** Characters of a Sec-WebSocket-Key. */
const KEY_LENGTH = 24;

const COOKIE_DEFAULTS = { name: "io", path: "/", httpOnly: true, sameSite: "lax" };

const NO_ORIGIN = { remoteAddress: undefined, rebuild: () => null };

/**
 * The Engine.IO server as programs see it (`io.engine`): it looks at requests, lets them through or refuses them, and
 * hands them to the workers.
 *
 * Emits "connection" (conn), "connection_error" ({ req, code, message, context }), "initial_headers" and "headers"
 * (headers, req), "flush" (conn, packets) and "drain" (conn).
 */
class Engine extends EventEmitter {
  /** @param {any} [opts] options of Engine.IO, as documented there */
  constructor(opts = {}) {
    super();
    /** @type {any} */
    this.opts = { ...DEFAULTS, ...opts };
    workerCount(opts.workers); // a wrong value is told at once, not at the first request
    bufferLimits(opts);
    checkHttpCompression(this.opts.httpCompression);
    this.opts.perMessageDeflate = deflateOptions(opts.perMessageDeflate);
    if (opts.wsEngine) debug("option wsEngine is not used: WebSockets are served natively");
    for (const name of SETTINGS) this.exposeSetting(name);
    if (opts.cookie) this.opts.cookie = { ...COOKIE_DEFAULTS, ...opts.cookie };
    /** @type {Function[]} */
    this.middlewares = [];
    this.clientsCount = 0;
    /** @type {Record<string, Conn>} the open sessions by id */
    this.clients = {};
    /** whether somebody listens to what leaves on any connection */
    this.showsFlushes = false;
    /** @type {import("node:http").Server | undefined} */
    this.httpServer = undefined;
    /** @type {any} ms; an option of the Socket.IO server that the workers watch over */
    this.connectTimeout = opts.connectTimeout || 45000;
    /** whether messages come undecoded, for the parser that the Socket.IO server has been given */
    this.rawMessages = false;
    /** @type {Map<string, PollingDoor>} requests that wait for something to be sent, by session id */
    this.polls = new Map();
    /** @type {any} takes connections before Node.js reads their requests */
    this.acceptor = undefined;
    /** the connections that polling requests come by, as far as the workers have them */
    this.takeover = new PollingTakeover(this);
    /** @private the bridge and our number there, from the first request on */
    this._bridge = /** @type {import("./bridge").Bridge | undefined} */ (undefined);
    /** @private */
    this._nativeId = -1;
    /** @private */
    this._held = 0;
    /** @private */
    this._closed = false;
    /** @private those that nobody but us has added */
    this._ownMiddlewares = 0;
    if (this.opts.cors) this.useOwn(cors(this.opts.cors));
  }

  /** Error codes, by name. */
  static get errors() {
    return ENGINE_ERRORS;
  }

  /** Error messages, by code. */
  static get errorMessages() {
    return ENGINE_ERROR_MESSAGES;
  }

  /** @returns {import("./bridge").Bridge} */
  bridge() {
    return (this._bridge ??= getBridge(this.opts.workers));
  }

  /** @private @returns {any} what the workers need to know */
  settings() {
    const { opts } = this;
    return {
      pingInterval: opts.pingInterval,
      pingTimeout: opts.pingTimeout,
      upgradeTimeout: opts.upgradeTimeout,
      connectTimeout: this.connectTimeout,
      maxHttpBufferSize: opts.maxHttpBufferSize,
      polling: opts.transports.includes("polling"),
      websocket: opts.transports.includes("websocket"),
      webtransport: opts.transports.includes("webtransport"),
      allowUpgrades: !!opts.allowUpgrades,
      perMessageDeflate: nativeDeflate(opts.perMessageDeflate),
      rawMessages: this.rawMessages,
      ...bufferLimits(opts),
      initialPacket: opts.initialPacket ?? undefined,
    };
  }

  /**
   * Makes an option a property of this object; a new value counts for the sessions to come.
   *
   * @param {string} name
   * @private
   */
  exposeSetting(name) {
    Object.defineProperty(this, name, {
      get: () => this.opts[name],
      set: (value) => {
        this.opts[name] = value;
        if (this._nativeId !== -1)
          this.bridge().native.configureServer(this._nativeId, this.settings());
      },
      enumerable: true,
      configurable: true,
    });
  }

  /** @returns {number} our number at the bridge; the options count as they are at the first call */
  nativeId() {
    if (this._nativeId === -1) {
      const bridge = this.bridge();
      this._nativeId = bridge.native.openServer(this.settings());
      bridge.owners.set(this._nativeId, this);
      this._closed = false;
    }
    return this._nativeId;
  }

  /**
   * Adds a middleware for the HTTP requests, upgrades included.
   *
   * @param {Function} middleware (req, res, next)
   */
  use(middleware) {
    this.middlewares.push(middleware);
    this.takeover.recall();
  }

  /**
   * Adds a middleware of ours, which keeps nothing of a request.
   *
   * @param {Function} middleware (req, res, next)
   */
  useOwn(middleware) {
    this._ownMiddlewares++;
    this.use(middleware);
  }

  /**
   * Makes the id of a session; programs may replace this method by one that returns an id or a promise of it.
   *
   * @param {any} _req
   * @returns {string | Promise<string>}
   */
  generateId(_req) {
    return generateId();
  }

  /**
   * @param {string} transport
   * @returns {string[]} the transports to which it may be upgraded
   */
  upgrades(transport) {
    return this.opts.allowUpgrades && transport === "polling" ? UPGRADES : [];
  }

  /**
   * Says whether a request may pass.
   *
   * @param {any} req
   * @param {boolean} upgrade
   * @param {import("./verify").Verdict} done
   */
  verify(req, upgrade, done) {
    verify(req, upgrade, this.opts, (sid) => this.find(sid), done);
  }

  /**
   * @param {string} sid
   * @returns {import("./verify").Known | undefined} what the workers know of an open session
   */
  find(sid) {
    const found = FORMS[this.bridge().native.lookup(this.nativeId(), sid)]; // -1: there is no such session
    // to the workers a WebTransport session is a WebSocket
    if (found?.transport !== "websocket" || !Object.hasOwn(this.clients, sid)) return found;
    return { transport: this.clients[sid].transportName, protocol: found.protocol };
  }

  /**
   * Handles a request for our path.
   *
   * @param {any} req
   * @param {any} res
   */
  handleRequest(req, res) {
    if (debug.enabled) debug('handling "%s" http request "%s"', req.method, req.url);
    req._query ??= parseQuery(req.url);
    req.res = res;
    this.admit(req, res, false, (code, context) => {
      if (code !== undefined) {
        this.refuse(req, code, context);
        abortRequest(res, code, context);
        return;
      }
      req.res = null; // or the request would keep its response alive
      const { sid } = req._query;
      if (!sid) {
        this.handshake(
          req,
          (id) => new PollingDoor(this, req, res, id).openSession(),
          (error) => abortRequest(res, error),
        );
      } else if (req.method === "GET") {
        debug("setting new request for existing client");
        new PollingDoor(this, req, res, sid).poll();
      } else if (req.method === "POST") {
        debug("setting new request for existing client");
        new PollingDoor(this, req, res, sid).receive();
      } else {
        res.writeHead(500);
        res.end();
      }
    });
  }

  /**
   * Handles an upgrade request for our path.
   *
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   * @param {Buffer} upgradeHead
   */
  handleUpgrade(req, socket, upgradeHead) {
    req._query ??= parseQuery(req.url);
    socket.on("error", noop); // the peer may go while we decide
    // a copy: the original is a slice of a read buffer
    const head = upgradeHead.length > 0 ? Buffer.from(upgradeHead) : undefined;
    const res = this.middlewares.length > 0 ? new UpgradeResponse(req, socket) : undefined;
    this.admit(req, res, true, (code, context) => {
      if (code !== undefined) {
        this.refuse(req, code, context);
        abortUpgrade(socket, code, context);
        return;
      }
      res?.writeHead();
      if (!socket.readable || !socket.writable) {
        socket.destroy();
        return;
      }
      const answer = answerUpgrade(this, req, socket, res?.headers);
      if (answer === undefined) return;
      const { sid, transport } = req._query;
      if (transport !== "websocket") {
        // the handshake is right, but nothing can be spoken over it
        const text = answer.keyOnly
          ? wholeAnswer(this, req, answer.text.slice(KEY_LENGTH))
          : answer.text;
        socket.end(Buffer.concat([Buffer.from(text, "latin1"), CLOSE_FRAME]));
      } else if (sid) {
        debug("upgrading existing transport");
        this.openWire(req, socket, sid, false, head, answer);
      } else {
        this.handshake(
          req,
          (id) => this.openWire(req, socket, id, true, head, answer),
          (error) => abortUpgrade(socket, error),
        );
      }
    });
  }

  /**
   * Runs the middlewares and the checks.
   *
   * @param {any} req
   * @param {any} res
   * @param {boolean} upgrade
   * @param {import("./verify").Verdict} done
   * @private
   */
  admit(req, res, upgrade, done) {
    if (this.middlewares.length === 0) {
      debug("no middleware to apply, skipping");
      this.verify(req, upgrade, done);
      return;
    }
    applyMiddlewares(this.middlewares, req, res, (error) => {
      if (error) done(ENGINE_ERRORS.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE" });
      else this.verify(req, upgrade, done);
    });
  }

  /**
   * Tells "connection_error" listeners about a request that is refused.
   *
   * @param {any} req
   * @param {number} code
   * @param {any} context
   */
  refuse(req, code, context) {
    if (debug.enabled) debug("request refused with code %d", code);
    this.emit("connection_error", { req, code, message: ENGINE_ERROR_MESSAGES[code], context });
  }

  /**
   * Chooses the id of a new session.
   *
   * @param {any} req
   * @param {(id: string) => void} done
   * @param {(code: number) => void} refused
   * @private
   */
  handshake(req, done, refused) {
    const protocol = protocolOf(req);
    if (protocol === 3 && !this.opts.allowEIO3) {
      this.refuse(req, ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
      refused(ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION);
      return;
    }
    const failed = (/** @type {unknown} */ error) => {
      this.refuse(req, ENGINE_ERRORS.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
      refused(ENGINE_ERRORS.BAD_REQUEST);
    };
    /** @type {any} */
    let id;
    try {
      id = this.generateId(req);
    } catch (error) {
      failed(error);
      return;
    }
    if (typeof id?.then === "function")
      id.then((/** @type {any} */ value) => done(String(value)), failed);
    else done(String(id));
  }

  /**
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer | undefined} head
   * @param {import("./upgrade").UpgradeAnswer} answer
   * @private
   */
  openWire(req, socket, sid, isNew, head, answer) {
    if (socket.destroyed) return;
    new WebSocketDoor(this, req, socket).open(sid, isNew, head, answer, dialectOf(req));
  }

  /**
   * Lets listeners change the headers of a polling answer.
   *
   * @param {Record<string, any>} headers
   * @param {any} req
   * @param {string} sid
   */
  showHeaders(headers, req, sid) {
    if (!req._query.sid) {
      const { cookie } = this.opts;
      if (cookie) headers["Set-Cookie"] = [serializeCookie(cookie.name, sid, cookie)];
    }
    this.showUpgradeHeaders(headers, req);
  }

  /**
   * @param {Record<string, any> | undefined} headers made when listeners are to be shown them
   * @param {any} req
   * @returns {Record<string, any> | undefined}
   */
  showUpgradeHeaders(headers, req) {
    if (this.listenerCount("headers") + this.listenerCount("initial_headers") === 0) return headers;
    headers ??= {};
    if (!req._query.sid) this.emit("initial_headers", headers, req);
    this.emit("headers", headers, req);
    return headers;
  }

  /**
   * Attaches the engine to an HTTP server: requests for our path are ours, all others go to the listeners that were
   * there before.
   *
   * @param {any} server
   * @param {any} [options] path, addTrailingSlash, destroyUpgrade, destroyUpgradeTimeout (ms)
   */
  attach(server, options = {}) {
    const path = computePath(options);
    const isOurs = (/** @type {any} */ req) => req.url.startsWith(path);
    const acceptor = new Acceptor(this, server, path);
    const listeners = server.listeners("request").slice();
    server.removeAllListeners("request");
    server.on("close", () => this.close());
    server.on("listening", () => {
      this._closed = false;
      acceptor.watch();
    });
    server.on("request", (/** @type {any} */ req, /** @type {any} */ res) => {
      if (isOurs(req)) {
        if (debug.enabled) debug('intercepting request for path "%s"', path);
        this.handleRequest(req, res);
      } else for (const listener of listeners) listener.call(server, req, res);
    });
    this.httpServer = server;
    this.takeover.attach(server, path);
    this.acceptor = acceptor;
    if (!this.opts.transports.includes("websocket")) return;
    server.on(
      "upgrade",
      (/** @type {any} */ req, /** @type {any} */ socket, /** @type {Buffer} */ head) => {
        if (isOurs(req)) this.handleUpgrade(req, socket, head);
        else if (options.destroyUpgrade !== false) {
          socket.on("error", noop);
          // another listener may answer it; if none does, the connection must not stay for ever
          setTimeout(() => {
            if (socket.writable && socket.bytesWritten <= 0) socket.end();
          }, options.destroyUpgradeTimeout || DESTROY_UPGRADE_TIMEOUT);
        }
      },
    );
  }

  /**
   * Takes a WebTransport session.
   *
   * @param {any} session in the shape of the W3C's WebTransport interface, as `@fails-components/webtransport` makes it
   * @returns {Promise<void>}
   */
  async onWebTransportSession(session) {
    if (this.middlewares.length > 0) {
      debug("closing session since WebTransport is not compatible with middlewares");
      return session.close();
    }
    const opened = await receiveSession(session, this.opts);
    if (opened === undefined) return;
    const { sid, stream } = opened;
    // the id is made here and not by generateId(), which is given a request
    new WebTransportDoor(this, session, stream).open(sid ?? generateId(), sid === undefined);
  }

  /**
   * Closes all sessions.
   *
   * @returns {this}
   */
  close() {
    debug("closing all open clients");
    for (const conn of Object.values(this.clients)) conn.close(true);
    this._closed = true;
    this.settle();
    return this;
  }

  // --- listeners: "flush" and "drain" of all connections cost something only while somebody listens ---

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    if (name === "flush" || name === "drain") this.showFlushes();
    if (name === "headers") this.takeover.recall();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /** @private */
  showFlushes() {
    this.showsFlushes = true;
    for (const conn of Object.values(this.clients)) conn.watch();
  }

  // --- from the bridge ---

  /**
   * @param {number} handle
   * @param {string} sid
   * @param {number} index
   * @param {number} token
   * @param {import("./bridge").Peer} [peer]
   * @returns {Conn}
   */
  onopen(handle, sid, index, token, peer) {
    const bridge = this.bridge();
    const door = /** @type {PollingDoor | WebSocketDoor | WebTransportDoor | undefined} */ (
      /** @type {any} */ (bridge.doors.get(token))
    );
    const req = door?.req;
    const seen = this.isSeen();
    const origin = req
      ? seen && !(req instanceof AcceptedRequest)
        ? new KeptRequest(req, peer)
        : new RequestInfo(req, peer)
      : NO_ORIGIN;
    /** @type {import("./verify").Known} */
    let form = FORMS[index];
    if (door instanceof WebTransportDoor) form = { ...form, transport: "webtransport" };
    else if (req?._query.b64) form = { ...form, takesBytes: false };
    const kind = door ? door.kind : "polling";
    if (debug.enabled) debug('handshaking client "%s"', sid);
    const conn = new Conn(this, bridge, handle, sid, form, origin, kind);
    if (door instanceof WebSocketDoor) door.req = undefined;
    if (seen) conn.exposeRequest();
    bridge.adopt(handle, conn);
    this.hold();
    this.clients[sid] = conn;
    this.clientsCount++;
    if (this.showsFlushes) this.showOpenPacket(conn);
    this.emit("connection", conn);
    return conn;
  }

  /**
   * Shows the handshake, which the worker has sent, to the listeners of "flush" and "drain".
   *
   * @param {Conn} conn
   * @private
   */
  showOpenPacket(conn) {
    const data = this.openPacket(conn);
    this.emit("flush", conn, [{ type: "open", options: { compress: true }, data }]);
    this.emit("drain", conn);
  }

  /**
   * @param {Conn} conn
   * @returns {string} what its handshake says
   */
  openPacket(conn) {
    const { transports, pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.opts;
    const upgrades = this.upgrades(conn.transportName).filter((name) => transports.includes(name));
    return JSON.stringify({ sid: conn.id, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /**
   * @returns {boolean} whether somebody could have seen the requests, or will see the connections as they come
   */
  isSeen() {
    const { httpServer } = this;
    return (
      this.opts.allowRequest !== undefined ||
      this.middlewares.length > this._ownMiddlewares ||
      this.generateId !== Engine.prototype.generateId ||
      this.listenerCount("connection") > 1 ||
      this.listenerCount("initial_headers") > 0 ||
      this.listenerCount("headers") > 0 ||
      (httpServer !== undefined &&
        (httpServer.listenerCount("upgrade") > 1 || httpServer.listenerCount("request") > 1))
    );
  }

  /** @returns {boolean} whether nobody else looks at upgrade requests, answers them or changes how they are treated */
  upgradesAlone() {
    const { prototype } = Engine;
    return (
      !this.isSeen() &&
      this.middlewares.length === (this.opts.cors ? 1 : 0) &&
      this.handleUpgrade === prototype.handleUpgrade &&
      this.verify === prototype.verify
    );
  }

  /** @returns {boolean} whether nobody else looks at the requests of open sessions or changes their answers */
  handlesAlone() {
    const { prototype } = Engine;
    return (
      this.middlewares.length === (this.opts.cors ? 1 : 0) &&
      this._ownMiddlewares === this.middlewares.length &&
      this.listenerCount("headers") === 0 &&
      this.handleRequest === prototype.handleRequest &&
      this.verify === prototype.verify
    );
  }

  /** @returns {boolean} whether it has been closed, and has not been opened again */
  isClosed() {
    return this._closed;
  }

  /**
   * @param {string} sid
   * @returns {boolean} whether a request of that session waits for something to be sent
   */
  isPolled(sid) {
    if (this.polls.has(sid)) return true;
    return this.takeover.size > 0 && this.bridge().native.isPolled(this.nativeId(), sid);
  }

  /**
   * @param {string} sid
   * @param {boolean} shown whether this thread has to see each request of that session
   */
  showRequests(sid, shown) {
    this.bridge().native.showRequests(this.nativeId(), sid, shown);
  }

  /**
   * @param {Conn} conn
   * @param {number} token that of the WebSocket which asks to become the transport
   */
  onupgrading(conn, token) {
    const door = /** @type {any} */ (this.bridge().doors.get(token));
    if (door !== undefined) door.probeOf = conn;
    else conn.upgrading = false; // it has gone already
  }

  /**
   * @param {Conn} conn
   * @param {number} token
   */
  onupgraded(conn, token) {
    const door = /** @type {any} */ (this.bridge().doors.get(token));
    if (door === undefined) return;
    conn.door = door.kind;
    door.req = undefined;
    door.probeOf = undefined;
  }

  /**
   * @param {number} token
   * @returns {number} index of the name of the transport that the door leads to
   */
  transportOfDoor(token) {
    const door = /** @type {any} */ (this.bridge().doors.get(token));
    return door === undefined ? WebSocketDoor.prototype.transport : door.transport;
  }

  /**
   * @param {number} token
   * @returns {boolean} whether who came by this door takes bytes as they are, and not as base64
   */
  takesBytes(token) {
    const door = /** @type {any} */ (this.bridge().doors.get(token));
    return !door?.req?._query.b64;
  }

  /** @param {Conn} conn */
  onclosed(conn) {
    delete this.clients[conn.id];
    this.clientsCount--;
  }

  /** Counts what the workers still have of ours: a session, a request or the wire of a WebSocket. */
  hold() {
    this._held++;
  }

  /** Uncounts it. */
  letGo() {
    if (--this._held === 0 && this._closed) this.settle();
  }

  /**
   * Leaves the bridge when all is done; with the last server of the process, the workers end.
   *
   * @private
   */
  settle() {
    const bridge = this._bridge;
    if (!this._closed || bridge === undefined || this._nativeId === -1) return;
    if (this._held > 0) return;
    const id = this._nativeId;
    this._nativeId = -1;
    bridge.ops.flush();
    bridge.native.closeServer(id);
    bridge.owners.delete(id);
  }
}

/**
 * @param {any} options
 * @returns {string} the beginning of the paths that are ours
 */
function computePath(options) {
  const path = (options.path || "/engine.io").replace(/\/$/, "");
  return options.addTrailingSlash === false ? path : `${path}/`;
}

function noop() {}

module.exports = { Engine };
