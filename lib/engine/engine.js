"use strict";

const { assignable } = require("../base/assignable");
const { bare } = require("../base/bare");
const { EventEmitter } = require("node:events");
const cors = require("cors");
const debug = require("debug")("engine");
const { SessionFlag, Returned, Token } = require("../border");
const { Conn } = require("./conn");
const { channels } = require("../base/channels");
const {
  ENGINE_ERRORS,
  ENGINE_ERROR_MESSAGES,
  engineMessage,
  rejectUnhandled,
} = require("../base/errors");
const {
  addOurs,
  endUnread,
  interceptRequests,
  isConstant,
  parseQuery,
  serializeCookie,
  verify,
} = require("../http");
const { generateId } = require("../base/ids");
const { lacksHeaders, useTable } = require("../node");
const {
  Acceptor,
  doorOf,
  DROP_REQUEST,
  noteRequest,
  noteShown,
  PollingTakeover,
  readBeforeClosing,
  reasonAgainst,
  receiveSession,
  stopAwaitingHead,
  TakenWebSocket,
  trackConnectionListeners,
  useNativeTls,
  WebTransportBridge,
} = require("../ingress");
const {
  exposeSettings,
  keepLive,
  liveOptions,
  readOptions,
  replaceOptions,
  workerOptions,
} = require("./options");
const { defaultsOf, milliseconds } = require("../base/options");
const { plainView } = require("../base/plain-view");
const { Gate } = require("./gate");
const { Registration } = require("./registration");
const { openingFrom, openingOf, requestOf } = require("./request-info");
const { handleRequest, handleUpgrade } = require("./requests");
const { SessionCounts } = require("./session-counts");
const { transports } = require("./transports");
const { trace } = require("../base/trace");

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../border/border").Addresses} Addresses */
/** @typedef {import("../border/operations").Named} Named */
/** @typedef {import("../http/verify").SessionTraits} SessionTraits */
/** @typedef {import("../ingress/door").Door} Door */
/** @typedef {import("../ingress/polling").PollingDoor} PollingDoor */
/** @typedef {import("node:http").Server} HttpServer */

const { connectTimeout: CONNECT_TIMEOUT } = defaultsOf("server");
const { destroyUpgradeTimeout: DESTROY_UPGRADE_TIMEOUT } = defaultsOf("attach");

/** Why a client ends that does not read; see `maxBufferedBytes`. */
const BUFFER_OVERFLOW = "buffer overflow";

/** ms that a peer may take to end a connection that we have ended. */
const LONGEST_GOODBYE = 1000;

/** The traits of a session, by its flags. Greeted: the handshake says that it is in "/". */
const TRAITS = Array.from(
  { length: 1 + (SessionFlag.WEBSOCKET | SessionFlag.PROTOCOL_3 | SessionFlag.GREETED) },
  (_, flags) => ({
    transport: flags & SessionFlag.WEBSOCKET ? "websocket" : "polling",
    protocol: flags & SessionFlag.PROTOCOL_3 ? 3 : 4,
    greeted: (flags & SessionFlag.GREETED) !== 0,
  }),
);

/**
 * Who takes sessions over from another process.
 *
 * @typedef {object} Adopter
 * @property {(blob: Buffer | undefined) => import("./request-info").CarriedOpening | undefined} openingOf the request that opened
 *   the session which brings that
 * @property {(conn: Conn, blob: Buffer | undefined) => void} onadopted it has come
 */

/** In place of a door that has gone before its session was told of. */
const NO_DOOR = { kind: /** @type {"polling"} */ ("polling"), reason: undefined };

/**
 * The Engine.IO server as programs see it (`io.engine`): it looks at requests, lets them through or refuses them, hands
 * them to the workers, and keeps the sessions that the workers tell of.
 *
 * Emits "connection" (conn), "connection_error" ({ req, code, message, context }), "initial_headers" and "headers"
 * (headers, req), "flush" (conn, packets) and "drain" (conn). The last two cost something only while somebody listens.
 */
class Engine extends EventEmitter {
  static {
    Object.defineProperty(this, "name", bare({ value: "Server" })); // as programs know it
  }

  /** Error codes, by name. */
  static get errors() {
    return ENGINE_ERRORS;
  }

  /** Error messages, by code. */
  static get errorMessages() {
    return ENGINE_ERROR_MESSAGES;
  }

  /** @param {any} [opts] options of Engine.IO, as documented there */
  constructor(opts = {}) {
    super();
    useTable(this); // who listens is looked at in each turn
    /** @type {any} @private see `opts` */
    this._opts = liveOptions(readOptions(opts), () => this.configure());
    exposeSettings(this);
    /** @type {Function[]} */
    this.middlewares = [];
    this.clientsCount = 0;
    /** @type {Map<string, Conn>} the open sessions by id; the keys of an object would be kept in V8's table of all names */
    this.sessions = new Map();
    /** @type {Record<string, Conn> | undefined} @private */
    this._clients = undefined;
    this._counts = new SessionCounts();
    /** @type {Gate | undefined} undefined: there are no limits */
    this.gate = Gate.of(this, this._opts);
    /** whether somebody listens to what leaves on any connection */
    this.showsFlushes = false;
    /** @type {HttpServer | undefined} */
    this.httpServer = undefined;
    /** @type {any} ms that a client has to join a namespace; an option of the Socket.IO server, kept by the workers */
    this.connectTimeout = opts.connectTimeout || CONNECT_TIMEOUT;
    /** @type {string | Buffer | undefined} @private see `greet()` */
    this._greeting = undefined;
    /** whether no Socket.IO server takes the connections: messages are the program's, and nobody has to join a namespace */
    this.isPlain = true;
    /** whether messages come undecoded, for the parser that the Socket.IO server has been given */
    this.rawMessages = false;
    /** @type {Map<string, PollingDoor>} requests that wait for something to be sent, by session id */
    this.polls = new Map();
    /** @type {Acceptor | undefined} takes connections of the HTTP server before Node.js reads from them */
    this.acceptor = undefined;
    /** @type {Set<import("../ingress/worker-listener").WorkerListener>} those for which a worker accepts connections */
    this.workerListeners = new Set();
    /** gives the workers connections by which polling requests come */
    this.takeover = new PollingTakeover(this);
    /** its methods that programs may replace, of this engine or of all, as they are if nobody does */
    this.original = ORIGINAL;
    /** whether the sessions are another process's now: it answers the requests that still come here */
    this.hasGone = false;
    /** requests that Node.js reads and that bring packets, as long as they are not answered */
    this.receiving = 0;
    /** whether another process is about to take its place: no connection is to be kept */
    this.isLeaving = false;
    /** @type {Adopter | undefined} who takes sessions over from another process */
    this.adopter = undefined;
    /** @private */
    this._registration = new Registration(this);
    /** @private @type {WeakSet<object>} the doors that had not brought their session yet when the engine was closed */
    this._unopened = new WeakSet();
    /**
     * Those for which a worker accepted when the engine was closed, as one does again when a session is opened; nothing: it has
     * not been closed, or has opened a session since.
     *
     * @private @type {Set<import("../ingress/worker-listener").WorkerListener> | undefined}
     */
    this._resting = undefined;
    /** whether it has been closed, and no HTTP server has begun to listen since: it opens sessions by polling only */
    this.refusesWebSockets = false;
    /** how many of the middlewares are ours */
    this.ownMiddlewares = 0;
    /** @type {Function | undefined} what tells browsers who may read an answer, as far as no program decides about that */
    this.crossOrigin = undefined;
    if (this.opts.cors) {
      const crossOrigin = cors(this.opts.cors);
      if (isConstant(this.opts.cors)) this.crossOrigin = crossOrigin;
      this.useOwn(crossOrigin);
    }
  }

  /** @returns {Record<string, Conn>} the open sessions by id, as a plain object */
  get clients() {
    return (this._clients ??= plainView(
      () => this.sessions,
      (id, conn) => this.sessions.set(id, conn),
      (id) => this.sessions.delete(id),
    ));
  }

  /** @returns {any} the options. One may be changed, or all be replaced: that counts for the sessions to come */
  get opts() {
    return this._opts;
  }

  set opts(opts) {
    if (opts === this._opts) return;
    this._opts = replaceOptions(opts);
    keepLive(this._opts, () => this.configure());
    this.configure();
  }

  /**
   * Attaches the engine to an HTTP server: requests for our path are ours, all others go to the listeners that were
   * there before.
   *
   * @param {HttpServer} server
   * @param {any} [options] path, addTrailingSlash, destroyUpgrade, destroyUpgradeTimeout (ms)
   */
  attach(server, options = {}) {
    const path = computePath(options);
    const isOurs = (/** @type {any} */ req) => req.url.startsWith(path);
    useNativeTls(this, server);
    server.on("close", () => {
      this.close();
      acceptor.forget();
    });
    server.on("listening", () => {
      this._registration.closed = false;
      this._resting = undefined;
      this.refusesWebSockets = false;
      acceptor.intercept();
    });
    interceptRequests(server, (req, res) => {
      stopAwaitingHead(server, req.socket);
      readBeforeClosing(req.socket);
      noteRequest(req, res);
      if (!isOurs(req)) {
        noteShown(req.socket);
        return false;
      }
      if (debug.enabled) debug('intercepting request for path "%s"', path);
      this.handleRequest(req, res);
      return true;
    });
    this.httpServer = server;
    trackConnectionListeners(server);
    this.takeover.attach(server, path);
    const acceptor = new Acceptor(this, server, path);
    this.acceptor = acceptor;
    if (!this.opts.transports.includes("websocket")) return;
    addOurs(
      server,
      "upgrade",
      (/** @type {any} */ req, /** @type {any} */ socket, /** @type {Buffer} */ head) => {
        stopAwaitingHead(server, socket);
        if (isOurs(req)) this.handleUpgrade(req, socket, head);
        else if (options.destroyUpgrade !== false) {
          socket.on("error", noop);
          // another listener may answer it; if none does, the connection must not be kept for ever
          setTimeout(() => {
            if (socket.writable && socket.bytesWritten <= 0) endUnread(socket, LONGEST_GOODBYE);
          }, options.destroyUpgradeTimeout || DESTROY_UPGRADE_TIMEOUT);
        }
      },
    );
  }

  /**
   * Handles a request for our path.
   *
   * @param {any} req
   * @param {any} res
   */
  handleRequest(req, res) {
    handleRequest(this, req, res);
  }

  /**
   * Reads the query string of a request, before all else; programs may replace this method.
   *
   * @param {any} req
   */
  prepare(req) {
    req._query ??= parseQuery(req.url);
  }

  /**
   * Handles an upgrade request for our path.
   *
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   * @param {Buffer} upgradeHead
   */
  handleUpgrade(req, socket, upgradeHead) {
    handleUpgrade(this, req, socket, upgradeHead);
  }

  /**
   * Says whether a request may pass.
   *
   * @param {any} req
   * @param {boolean} upgrade
   * @param {import("../http/verify").Verdict} done
   */
  verify(req, upgrade, done) {
    verify(req, upgrade, this.opts, (sid) => this.find(sid), done);
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
   * @throws {TypeError} when there is no transport of that name
   */
  upgrades(transport) {
    if (!this.opts.allowUpgrades) return [];
    return transports[/** @type {keyof typeof transports} */ (transport)].upgradesTo || [];
  }

  /**
   * Adds a middleware for the HTTP requests, upgrades included.
   *
   * @param {Function} middleware (req, res, next)
   */
  use(middleware) {
    this.middlewares.push(middleware);
    this.takeover.recall();
    this.suspendAccepting();
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
    if (sid === undefined && this.middlewares.length > 0) {
      session.close(); // since then: the server lets its clients go, for instance
      return;
    }
    // the id is made here and not by generateId(), which is given a request
    const open = () =>
      new WebTransportBridge(this, session, stream).open(sid ?? generateId(), sid === undefined);
    if (sid !== undefined || this.gate === undefined) return open();
    const refused = this.gate.pass(undefined) ?? this.gate.open(undefined, open);
    if (refused === undefined) return;
    this.refuse(undefined, refused.code, refused);
    session.close({ closeCode: refused.code, reason: refused.message });
  }

  /**
   * Closes all sessions.
   *
   * @returns {this}
   */
  close() {
    debug("closing all open clients");
    this.refusesWebSockets = true;
    this._resting ??= new Set();
    for (const listener of this.workerListeners) {
      this._resting.add(listener);
      // what proxies say first must be taken off as long as the HTTP server accepts
      if (listener.introduced === undefined) listener.stop();
      else listener.shut();
    }
    for (const conn of this.sessions.values()) conn.close(true);
    this.noteUnopened();
    this._registration.close();
    return this;
  }

  /**
   * Opens sessions again, after it has been closed: the HTTP servers go on.
   *
   * @private
   */
  reopen() {
    const resting = this._resting;
    this._resting = undefined;
    if (resting !== undefined) for (const listener of resting) listener.prepare();
  }

  /**
   * A worker may have let clients in of which this thread has not heard yet: they end with the others, as soon as it has.
   *
   * @private
   */
  noteUnopened() {
    if (this._registration.id === -1) return;
    for (const door of this.border().doors.values()) {
      if (/** @type {Door} */ (door).request !== undefined) this._unopened.add(door);
    }
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    if (name === "flush" || name === "drain") this.showFlushes();
    if (name === "headers") this.takeover.recall();
    this.suspendAccepting();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /**
   * Something that may keep workers from accepting connections has just been done: until the end of the turn they accept none.
   *
   * @private
   */
  suspendAccepting() {
    for (const listener of this.workerListeners) listener.shut();
  }

  /** @private */
  showFlushes() {
    this.showsFlushes = true;
    for (const conn of this.sessions.values()) conn.observe();
  }

  // --- what the Socket.IO server asks ---

  /**
   * A Socket.IO server takes the connections, those to come: workers decode its packets.
   *
   * @param {any} connectTimeout ms that a client has to join a namespace
   * @param {boolean} rawMessages whether it has a parser of its own
   */
  carry(connectTimeout, rawMessages) {
    this.isPlain = false;
    this.rawMessages = rawMessages;
    this.limitConnecting(connectTimeout);
  }

  /** @param {any} timeout ms that a client has to join a namespace; it counts for the sessions to come */
  limitConnecting(timeout) {
    this.connectTimeout = timeout;
    this.configure();
  }

  /**
   * Has the handshake tell the clients of protocol 3, those to come, that they are in "/".
   *
   * @param {string | Buffer | undefined} message the CONNECT packet; undefined: they are told when they are in it
   */
  greet(message) {
    this._greeting = message;
    this.configure();
  }

  /**
   * Adds a middleware of ours, which does not keep the request.
   *
   * @param {Function} middleware (req, res, next)
   */
  useOwn(middleware) {
    this.ownMiddlewares++;
    this.use(middleware);
  }

  // --- requests, and their answers ---

  /**
   * @param {string} sid
   * @returns {SessionTraits | undefined} what that session speaks; undefined: it is not open
   */
  find(sid) {
    if (this._registration.id === -1) return undefined; // closed: it is not opened again only for this
    const flags = this.border().native.lookup(this.nativeId(), sid);
    const found = flags === Returned.NO_SESSION ? undefined : TRAITS[flags];
    // a WebTransport session is a WebSocket to the workers
    if (found?.transport !== "websocket") return found;
    const conn = this.sessions.get(sid);
    return conn ? { transport: conn.transportName, protocol: found.protocol } : found;
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
    this.gate?.end(req);
    this._counts.refused.add(code);
    const message = engineMessage(code);
    if (channels.refused.hasSubscribers) channels.refused.publish({ req, code, message, context });
    this.emit("connection_error", { req, code, message, context });
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
    this.sessions.get(sid)?.showHeaders(headers, req);
  }

  /**
   * Lets listeners change the headers of an answer.
   *
   * @param {Record<string, any> | undefined} headers undefined: there are none yet
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
   * @param {HttpServer} server
   * @returns {boolean} whether the engine has been attached to that HTTP server
   */
  isAttached(server) {
    return this.takeover.isAttached(server);
  }

  /**
   * @param {import("../ingress/door").FirstRequest} request
   * @param {string | undefined} peer the address at the other end of its connection
   * @returns {string | undefined} that of the client, as far as the proxies have told that are trusted
   */
  clientAddress(request, peer) {
    if (!this.opts.trustProxy) return peer;
    // Of a request with too many headers Node.js drops the last ones. Those are the proxy's; what is left may be the client's word.
    if (request.raw === undefined && lacksHeaders(request)) return peer;
    const fields = request.raw ?? /** @type {string[]} */ (request.rawHeaders).join("\n");
    return this.border().native.clientAddress(this.nativeId(), peer ?? "", fields) ?? peer;
  }

  // --- sessions, as the workers tell of them ---

  /**
   * A worker has opened a session.
   *
   * @param {Named} name
   * @param {string} sid
   * @param {number} flags bits of SessionFlag
   * @param {number} token that of the door by which it came
   * @param {Addresses} [addresses] known when a worker has the connection
   * @param {Buffer} [blob] what another process says of it, which has handed it over
   * @returns {Conn | undefined} undefined: it is not to be
   */
  onopen(name, sid, flags, token, addresses, blob) {
    if (flags & SessionFlag.ADOPTED)
      return this.adopt(name, sid, flags & ~SessionFlag.ADOPTED, token, blob);
    const border = this.border();
    const door = doorOf(border, token);
    if (door === undefined && token >= Token.OF_WORKER) return undefined; // it came when we were closed
    const seen = reasonAgainst(this, this.httpServer, DROP_REQUEST) !== undefined;
    let traits = /** @type {SessionTraits} */ (TRAITS[flags]);
    if (door?.transport === "webtransport") traits = { ...traits, transport: door.transport };
    else if (door?.takesBytes === false) traits = { ...traits, takesBytes: false };
    if (trace.any && debug.enabled) debug('handshaking client "%s"', sid);
    const opening = openingOf(door, seen, addresses);
    const conn = new Conn(this, border, name, sid, traits, opening, door ?? NO_DOOR);
    if (door !== undefined) door.request = undefined; // the session has what it needs of it
    if (seen) conn.showRequest();
    border.addSession(name._handle, conn);
    this.ref();
    this.sessions.set(sid, conn);
    this.clientsCount++;
    this._counts.open(conn);
    // too late to go to another process with all others: its client comes back, to that
    const isUnwanted = this.hasGone || (door !== undefined && this._unopened.has(door));
    if (!isUnwanted) this.reopen();
    try {
      if (this.showsFlushes) this.showOpenPacket(conn);
      this.emit("connection", conn);
    } catch (error) {
      rejectUnhandled(error);
    }
    if (isUnwanted) conn.close(true);
    return conn;
  }

  /**
   * Another process has handed a session over.
   *
   * @param {Named} name
   * @param {string} sid
   * @param {number} flags bits of SessionFlag
   * @param {number} token that of its WebSocket; 0: it has none
   * @param {Buffer | undefined} blob
   * @returns {Conn | undefined} undefined: it is not to be
   * @private
   */
  adopt(name, sid, flags, token, blob) {
    const { adopter, httpServer } = this;
    if (adopter === undefined || httpServer === undefined) return undefined;
    const border = this.border();
    const carried = adopter.openingOf(blob);
    /** @type {TakenWebSocket | undefined} */
    let door;
    if (token !== 0) {
      door = new TakenWebSocket(this, carried && requestOf(carried), undefined, token);
      door.countFor(httpServer);
      door.request = undefined;
    }
    const opening = openingFrom(carried, door);
    const conn = new Conn(this, border, name, sid, TRAITS[flags], opening, door ?? NO_DOOR);
    conn.greeted = false;
    conn.isAdopted = true;
    border.addSession(name._handle, conn);
    this.ref();
    this.sessions.set(sid, conn);
    this.clientsCount++;
    this._counts.open(conn);
    try {
      this.emit("connection", conn);
    } catch (error) {
      rejectUnhandled(error);
    }
    adopter.onadopted(conn, blob);
    return conn;
  }

  /**
   * Shows the handshake, which the worker has sent, to the listeners of "flush" and "drain".
   *
   * @param {Conn} conn
   * @private
   */
  showOpenPacket(conn) {
    const data = this.openPacket(conn.id, conn.transportName);
    this.emit("flush", conn, [{ type: "open", options: { compress: true }, data }]);
    this.emit("drain", conn);
  }

  /**
   * @param {string} sid
   * @param {string} transport
   * @returns {string} what the handshake of a session says
   */
  openPacket(sid, transport) {
    const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.opts;
    const upgrades = this.upgrades(transport).filter((name) => this.opts.transports.includes(name));
    return JSON.stringify({ sid, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /**
   * @param {string} sid
   * @returns {boolean} whether a request of that session waits for something to be sent
   */
  isPolled(sid) {
    if (this.polls.has(sid)) return true;
    return this.takeover.size > 0 && this.border().native.isPolled(this.nativeId(), sid);
  }

  /**
   * @param {string} sid
   * @param {boolean} shown whether this thread has to see each request of that session
   */
  showRequests(sid, shown) {
    this.border().native.showRequests(this.nativeId(), sid, shown);
  }

  /** @param {Conn} conn */
  onupgraded(conn) {
    this._counts.upgrade(conn);
  }

  /**
   * @param {Conn} conn
   * @param {string} reason
   */
  onclosed(conn, reason) {
    this._counts.close(conn, reason);
    if (reason === BUFFER_OVERFLOW && channels.overflow.hasSubscribers)
      channels.overflow.publish({ conn });
    const { sessions } = this;
    if (sessions.get(conn.id) === conn) sessions.delete(conn.id);
    // a program has made this id for two sessions, or has given the connection another one
    else for (const [id, other] of sessions) if (other === conn) sessions.delete(id);
    this.clientsCount--;
  }

  /** Workers have refused handshakes for the limits. */
  onlimited() {
    this.gate?.tell();
  }

  // --- its place among the workers ---

  /** @returns {Border} */
  border() {
    return this._registration.border();
  }

  /** @returns {number} our number at the border; the options count as they are at the first call */
  nativeId() {
    return this._registration.open();
  }

  /** @returns {boolean} whether it has been closed, and has opened no session since */
  isClosed() {
    return this._resting !== undefined;
  }

  /** @returns what has been counted by the addon, and by this thread for all its engines */
  measure() {
    const border = this.border();
    const { reasons, lastDelay } = border;
    return { addon: this._registration.measure(), reasons, lastDelay };
  }

  /** Counts what the workers still have of ours: a session, a request or the wire of a WebSocket. */
  ref() {
    this._registration.ref();
  }

  /** The workers have no longer what was held. */
  unref() {
    this._registration.unref();
  }

  /** @returns {import("../border/border").ServerConfig} what the workers need to know */
  workerConfig() {
    return {
      ...workerOptions(this.opts),
      connectTimeout: milliseconds(this.connectTimeout),
      rawMessages: this.rawMessages,
      plain: this.isPlain,
      greeting: this._greeting,
    };
  }

  /** Tells the workers of options that have changed: the new values count for the sessions to come. */
  configure() {
    this._registration.configure();
    for (const listener of this.workerListeners) listener.renew();
  }
}

assignable(Engine.prototype, "clients");

/**
 * @param {any} options
 * @returns {string} the beginning of the paths that are ours
 */
function computePath(options) {
  const path = (options.path || "/engine.io").replace(/\/$/, "");
  return options.addTrailingSlash === false ? path : `${path}/`;
}

function noop() {}

/** Methods of the class, as they are when nobody has replaced them: a program may do so for all engines. */
const ORIGINAL = Object.freeze({
  generateId: Engine.prototype.generateId,
  handleRequest: Engine.prototype.handleRequest,
  handleUpgrade: Engine.prototype.handleUpgrade,
  prepare: Engine.prototype.prepare,
  verify: Engine.prototype.verify,
});

module.exports = { Engine };
