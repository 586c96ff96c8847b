"use strict";

const debug = require("debug")("engine:polling");
const debugDoor = require("debug")("engine:door");
const { compressFrom } = require("../http");
const {
  descriptorOf,
  httpServerOf,
  isQuiet,
  longestHead,
  relayedSocket,
  responseOn,
  socketOf,
  expectNext,
} = require("../node");
const { onNewListener } = require("../base/new-listeners");
const { decryptedDetails, showDecrypted } = require("../base/decrypted-socket");
const { RecordKind } = require("../border");
const { Origins } = require("./origins");
const { DROP_SOCKET, MOVE_BEHIND, MOVE_POLLING, reasonAgainst } = require("./reasons");
const { TakenConnection } = require("./taken-connection");
const { nextTick } = require("../base/loop");

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").Stream} Stream */
/** @typedef {import("./accepted-request").AcceptedRequest} AcceptedRequest */
/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("./door").Engine & { isClosed(): boolean }} Engine */

/** What Node.js adds to keepAliveTimeout before it closes, where it is no property of the server. */
const KEEP_ALIVE_BUFFER = 1000; // ms

/**
 * Moves connections by which polling requests come to the workers.
 *
 * Node.js accepts a connection and answers its first request of ours. When that is done and nothing else has come, the
 * connection is idle: its descriptor is duplicated for the worker of the session, and Node.js closes its own. The worker
 * answers the plain requests that follow, and gives the connection back when one is not plain.
 *
 * A connection whose first request is plain need not be read by Node.js at all: see Acceptor.
 */
class PollingTakeover {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    /** connections that workers have */
    this.size = 0;
    /** @private */
    this._origins = new Origins(engine);
    /** @private @type {WeakMap<object, string>} the path on each HTTP server */
    this._paths = new WeakMap();
  }

  /**
   * @param {HttpServer} server one that the engine is attached to
   * @param {string} path the beginning of the paths that are ours
   */
  attach(server, path) {
    this._paths.set(server, path);
    // another listener may want to see the requests
    onNewListener(server, (name) => {
      if (name === "request") this.recall();
    });
  }

  /** @param {HttpServer} server @returns {boolean} whether the engine has been attached to it */
  isAttached(server) {
    return this._paths.has(server);
  }

  /** Asks for all connections back: somebody wants to see the requests. */
  recall() {
    if (this.size > 0) this.engine.border().native.recallPolling(this.engine.nativeId());
  }

  /**
   * To be called while Node.js hands out a request: what comes behind it is noticed from now on.
   *
   * @param {IncomingMessage} req
   */
  expectNext(req) {
    const server = httpServerOf(req.socket);
    if (server !== undefined && this._paths.has(server)) expectNext(req.socket);
  }

  /**
   * Looks at a request that is about to be answered: maybe its connection can be moved then.
   *
   * @param {IncomingMessage} req one that `expectNext()` was told of
   * @param {import("node:http").ServerResponse} res
   * @param {string} sid its session
   */
  offer(req, res, sid) {
    const { socket } = req;
    if (!socket || responseOn(socket) !== res) return; // another answer comes first
    const server = httpServerOf(socket);
    if (!this.mayMove(server, MOVE_POLLING | MOVE_BEHIND, socket)) return;
    const attached = /** @type {HttpServer} */ (server);
    res.once("finish", () => nextTick(() => this.take(attached, req, sid)));
  }

  /**
   * @param {HttpServer | undefined} server
   * @param {number} ways
   * @param {Stream} socket
   * @returns {boolean}
   * @private
   */
  mayMove(server, ways, socket) {
    const reason = reasonAgainst(this.engine, server, ways, socket);
    if (reason === undefined) return true;
    debugDoor("a polling connection stays with Node.js: %s", reason);
    return false;
  }

  /**
   * @param {HttpServer} server
   * @param {IncomingMessage} req
   * @param {string} sid
   * @private
   */
  take(server, req, sid) {
    const { socket } = req;
    const { engine } = this;
    const session = engine.sessions.get(sid);
    if (!isQuiet(req) || session?.transportName !== "polling") return;
    const descriptor = descriptorOf(socket);
    if (descriptor < 0 || engine.isClosed() || !server.listening) return;
    // since it was answered, somebody may have begun to look at requests
    if (!this.mayMove(server, MOVE_POLLING, socket)) return;
    const taken = new TakenPolling(engine, this, server, undefined);
    taken.noteLook(socket);
    let done = false;
    try {
      const header = (/** @type {string} */ name) => String(req.headers[name] ?? "");
      done = taken.handOver(sid, descriptor, this.profile(server, header));
    } catch (error) {
      debug("the connection can't be taken over: %s", error); // no descriptor is left
    }
    if (done) taken.replaceSocket(socket, session);
    else taken.end();
  }

  /**
   * Takes the connection that the addon has looked at last.
   *
   * @param {HttpServer} server
   * @param {number} descriptor
   * @param {AcceptedRequest} request its first one
   * @param {string} sid the session that it names, or is to open
   * @returns {boolean} false: there is no such session any more, and the connection is as it was
   * @throws {Error} when no descriptor is free; the connection is as it was then
   */
  accept(server, descriptor, request, sid) {
    const isNew = request.sid === "";
    const taken = new TakenPolling(this.engine, this, server, isNew ? request : undefined);
    let done = false;
    try {
      const header = (/** @type {string} */ name) => request.header(name);
      done = taken.handOver(sid, descriptor, this.profile(server, header));
    } finally {
      if (!done) taken.end();
    }
    if (done) taken.countFor(server);
    return done || isNew; // one that opens a session has been read, so it is lost
  }

  /** @returns {boolean} whether answers may be compressed */
  compresses() {
    return compressFrom(this.engine.opts.httpCompression) !== undefined;
  }

  /**
   * @param {HttpServer} server
   * @returns {number} the number by which the workers know it
   */
  numberOf(server) {
    return trackListener(server, this.engine.border());
  }

  /** @returns {string | undefined} see Origins */
  originsLeft() {
    return this._origins.others();
  }

  /** See Origins. */
  renewOrigins() {
    this._origins.renew();
  }

  /**
   * @param {HttpServer} server
   * @param {((name: string) => string) | undefined} header gives a header of the first request, or of one before; empty: it has
   *   none; undefined: it is for all requests
   * @returns {import("../../native").HttpProfile} what the worker needs to know to answer as Node.js would
   */
  profile(server, header) {
    const { httpCompression } = this.engine.opts;
    const keepAlive = server.keepAliveTimeout;
    const { headersTimeout, requestTimeout } = server;
    const longest = Math.min(headersTimeout || Infinity, requestTimeout || Infinity);
    return {
      path: /** @type {string} */ (this._paths.get(server)),
      ...(header === undefined ? this._origins.forAll() : this._origins.forConnection(header)),
      keepAlive: keepAlive ? Math.floor(keepAlive / 1000) : undefined,
      idleTimeout: idleTimeout(server),
      // Node.js checks these only every connectionsCheckingInterval
      headersTimeout: longest === Infinity ? 0 : longest,
      requestTimeout,
      maxHead: longestHead(server),
      compressFrom: compressFrom(httpCompression),
    };
  }
}

/**
 * @param {HttpServer} server
 * @returns {number} ms after which Node.js closes a kept connection by which no request comes; 0: never
 */
function idleTimeout(server) {
  const keepAlive = server.keepAliveTimeout;
  return keepAlive && keepAlive + (server.keepAliveTimeoutBuffer ?? KEEP_ALIVE_BUFFER);
}

/** @type {WeakSet<object>} sockets that have come back, until they have brought the head of a request */
const awaitingHead = new WeakSet();

/**
 * To Node.js, a connection that comes back is new, and may take a minute and more for the head of its first request. But it is a
 * kept one, which is closed when nothing comes by it.
 *
 * @param {HttpServer} server
 * @param {import("node:net").Socket} socket
 */
function awaitHead(server, socket) {
  const others = ["connect", "checkContinue", "checkExpectation"];
  const timeout = idleTimeout(server);
  // with such listeners, a request may not lead to stopAwaitingHead()
  if (timeout === 0 || others.some((name) => server.listenerCount(name) > 0)) return;
  awaitingHead.add(socket);
  socket.setTimeout(timeout);
}

/**
 * The head of a request has come: it is waited for no longer.
 *
 * @param {HttpServer} server
 * @param {import("node:net").Socket} socket
 */
function stopAwaitingHead(server, socket) {
  if (awaitingHead.delete(socket)) socket.setTimeout(server.timeout || 0);
}

/**
 * A connection of which a worker reads the polling requests.
 *
 *     taken ──closed by the worker──► gone
 *       └──given back, with bytes──► a new socket of the HTTP server
 *
 * If it opens a session, it is the door of that session.
 */
class TakenPolling extends TakenConnection {
  /**
   * @param {Engine} engine
   * @param {PollingTakeover} takeover who has it
   * @param {HttpServer} server
   * @param {AcceptedRequest | undefined} request the one that opens a session, if it is here
   * @param {number} [token] its name, when a worker has accepted it
   */
  constructor(engine, takeover, server, request, token) {
    super(engine, "polling", "polling", request, token);
    this.takeover = takeover;
    this.server = server;
    takeover.size++;
  }

  /**
   * Notes how the socket of a connection that is relayed looks, for the case that it comes back.
   *
   * @param {import("node:net").Socket} socket
   */
  noteLook(socket) {
    this.tls = decryptedDetails(socket);
    if (this.tls !== undefined || this.engine.opts.proxyProtocol) this.noteAddresses(socket);
  }

  /**
   * @param {string} sid
   * @param {number} descriptor
   * @param {import("../../native").HttpProfile} profile
   * @returns {boolean} whether a worker has it
   * @throws {Error} when no descriptor is free; the connection is as it was then
   */
  handOver(sid, descriptor, profile) {
    const { border, engine, request, server, token } = this;
    const listener = trackListener(server, border);
    const beginsAnew = this.tls === undefined && this.addresses === undefined;
    const arrival = { server: engine.nativeId(), token, sid, listener, beginsAnew, profile };
    const done =
      request === undefined
        ? border.native.takeOverHttp(descriptor, arrival)
        : border.native.takeOverHttpPeeked(descriptor, arrival);
    if (done) border.wakeSoon();
    return done;
  }

  /**
   * The connection had a socket of Node.js.
   *
   * @param {Stream} socket
   * @param {import("./door").Session} session
   */
  replaceSocket(socket, session) {
    const { engine, server } = this;
    if (reasonAgainst(engine, server, DROP_SOCKET, socket) !== undefined) {
      this.keepSocket(socket);
    } else {
      this.countFor(server); // the socket takes one off when it is destroyed
      session.handleMove(socket, this);
      socket.destroy();
    }
  }

  /**
   * @param {import("./door").DoorRecord} kind
   * @param {number | undefined} _first
   * @param {number | undefined} _second
   * @param {Buffer | undefined} bytes
   * @override
   */
  onrecord(kind, _first, _second, bytes) {
    if (kind === RecordKind.GIVEN_BACK) this.comeBack(/** @type {Buffer} */ (bytes));
    else this.end();
  }

  /**
   * The worker does not answer what stands in `bytes`: from here on all is as if the connection had come now.
   *
   * @param {Buffer} bytes
   * @private
   */
  comeBack(bytes) {
    const { server, tls, addresses } = this;
    debug("a connection is given back");
    let socket;
    try {
      const descriptor = this.border.native.takeDescriptor(this.token);
      socket =
        addresses === undefined
          ? socketOf(server, descriptor)
          : relayedSocket(server, descriptor, addresses, noop);
    } catch (error) {
      debug("the connection is lost: %s", error); // nothing can be read from it
      this.end();
      return;
    }
    this.endForAnother();
    if (tls === undefined) server.emit("connection", socket);
    else server.emit("secureConnection", showDecrypted(socket, tls));
    awaitHead(server, socket);
    if (!socket.destroyed) socket.emit("data", bytes); // a listener may have closed it
  }

  /** @override @protected */
  leave() {
    this.takeover.size--;
    super.leave();
  }
}

/** @type {WeakMap<object, number>} the numbers by which the workers know HTTP servers */
const listenerNumbers = new WeakMap();
let lastNumber = 0;

/**
 * Has the methods by which an HTTP server closes its connections close those, too, that workers have.
 *
 * @param {HttpServer} server
 * @param {Border} border
 * @returns {number} the number of the server
 */
function trackListener(server, border) {
  const known = listenerNumbers.get(server);
  if (known !== undefined) return known;
  const number = ++lastNumber;
  listenerNumbers.set(server, number);
  const { closeIdleConnections, closeAllConnections } = server;
  server.closeIdleConnections = function () {
    closeIdleConnections.call(server);
    closeTaken(border, number, false, false);
    // if close() has called it, connections that still wait for an answer end with that answer
    nextTick(() => {
      if (!server.listening) closeTaken(border, number, false, true);
    });
  };
  server.closeAllConnections = function () {
    closeAllConnections.call(server);
    closeTaken(border, number, true, false);
  };
  return number;
}

/**
 * @param {Border} border
 * @param {number} number
 * @param {boolean} busy also those with a request that has no answer yet
 * @param {boolean} later those as soon as they have answered
 */
function closeTaken(border, number, busy, later) {
  border.operations.flush(); // answers that the program has given before leave first
  border.native.closePolling(number, busy, later);
}

function noop() {}

module.exports = { PollingTakeover, stopAwaitingHead, TakenPolling };
