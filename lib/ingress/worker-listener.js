"use strict";

const debug = require("debug")("engine:door");
const {
  acceptDescriptor,
  beforeClose,
  isOver,
  listeningDescriptor,
  listeningHandle,
  longestHead,
} = require("../base/node-internals");
const { setImmediate } = require("../base/loop");
const { AcceptedRequest } = require("./accepted-request");
const {
  ACCEPT,
  ACCEPT_POLLING,
  ACCEPT_WEBSOCKET,
  LEND,
  LISTEN,
  OPEN_POLLING,
  reasonAgainst,
} = require("./reasons");
const { TakenPolling } = require("./takeover");
const { TakenWebSocket } = require("./websocket");

/**
 * What is asked of an engine here.
 *
 * @typedef {object} Lender
 * @property {import("./takeover").PollingTakeover} takeover
 * @property {() => boolean} isClosed
 * @property {Set<WorkerListener>} workerListeners those for which a worker accepts
 */

/** @typedef {import("./door").Engine & Lender} Engine */

/**
 * Has a worker accept the connections of an HTTP server, as long as nothing stands against it. So whoever comes with a plain
 * request of ours needs this thread for nothing, and a blocked event loop keeps nobody out; it hears of the connection
 * together with the session. Whoever comes with anything else is given to Node.js as if it had accepted the connection.
 *
 *     away ──begin()──► shut ──open()──► open      the worker accepts, and the event loop does not look at the socket
 *      ▲                 │ ▲               │
 *      └──── stop() ─────┘ └─── shut() ────┘
 *
 * What stands against it is asked anew at the end of each turn of the event loop, before it waits, which is when Node.js
 * would accept: a connection that comes later is accepted by the rules of then. Listeners that are added count at once.
 * The worker looks at the rules under a lock, under which they are changed (src/net/listener.rs).
 */
class WorkerListener {
  /**
   * @param {Engine} engine
   * @param {any} server an HTTP server that the engine is attached to
   * @param {() => void} ontaken called for each connection that a worker has taken
   */
  constructor(engine, server, ontaken) {
    this.engine = engine;
    this.server = server;
    this.ontaken = ontaken;
    /** the number by which the workers know the HTTP server; 0: a worker has never had its socket */
    this.number = 0;
    /** whether a worker has a duplicate of the listening socket */
    this.isLent = false;
    /** whether the worker accepts */
    this.isOpen = false;
    /** @private whether the event loop does not look at the socket */
    this._isOut = false;
    /** @private @type {any} what Node.js listens with; the last one, when it does not any more */
    this._source = undefined;
    /** @private the descriptor of that */
    this._descriptor = -1;
    /** @private what the rules are made of */
    this._made = new Ingredients();
    const suspend = (/** @type {any} */ name) => {
      if (name === "connection" || name === "request" || name === "upgrade") this.shut();
    };
    server.on("newListener", suspend);
    server.on("removeListener", suspend);
  }

  /**
   * To be called when the server begins to listen. The event loop looks at the socket from its next turn on, and can't be
   * told not to before.
   */
  prepare() {
    const handle = listeningHandle(this.server);
    setImmediate(() => {
      if (listeningHandle(this.server) === handle) this.begin(handle);
    });
  }

  /**
   * @param {any} handle
   * @private
   */
  begin(handle) {
    if (this.isLent || this.reasonAgainst(LISTEN | LEND) !== undefined || this.engine.isClosed())
      return;
    const descriptor = listeningDescriptor(this.server);
    if (descriptor < 0 || !beforeClose(handle, () => this.stop())) return;
    try {
      this.engine.nativeId(); // the workers are there
      const border = this.engine.border();
      this.number = this.engine.takeover.numberOf(this.server);
      border.native.listen(descriptor, this.number);
      this.isLent = true;
      this._source = handle;
      this._descriptor = descriptor;
      this.engine.workerListeners.add(this);
      if (!border.addListener(this.number, this)) {
        this.stop();
        return;
      }
    } catch (error) {
      debug("no worker accepts: %s", error); // no descriptor is left
      return;
    }
    this.check();
  }

  /** The turn of the event loop ends: has all of it be as it must be until the next one. It throws nothing. */
  check() {
    if (!this.isLent) return;
    try {
      if (this.reasonAgainst(ACCEPT | LEND) !== undefined) this.shut();
      else if (!this.isOpen || !this._made.areCurrent(this)) this.open();
    } catch (error) {
      debug("no worker accepts: %s", error); // a getter of the program
      this.shut();
    }
  }

  /** What the rules are made of has changed, and is to count at once. */
  renew() {
    if (this.isOpen) this.open();
  }

  /** @private */
  open() {
    const { native } = this.engine.border();
    if (!areParts(this._made.cors, this.engine.opts.cors)) this.engine.takeover.renewOrigins();
    this._made = new Ingredients(this);
    if (!this._made.websocket && !this._made.polling) {
      this.shut(); // all would be for Node.js
      return;
    }
    native.admit(this.number, this.rules());
    this.isOpen = true;
    if (!this._isOut) this._isOut = native.leaveLoop(this._descriptor);
  }

  /** Has Node.js accept the connections, until the end of the turn at least. */
  shut() {
    if (!this.isOpen) return;
    const { native } = this.engine.border();
    this.isOpen = false;
    native.admit(this.number, undefined);
    if (this._isOut) native.joinLoop(this._descriptor);
    this._isOut = false;
  }

  /** Ends it: the server is about to close, or the engine closes. */
  stop() {
    if (!this.isLent) return;
    this.shut();
    this.isLent = false;
    this.engine.workerListeners.delete(this);
    const border = this.engine.border();
    border.native.unlisten(this.number);
    border.removeListener(this.number);
  }

  /** The server is closed, and has no connections any more. */
  forget() {
    if (this.number !== 0) this.engine.border().forgetListener(this.number);
  }

  /**
   * @param {number} ways
   * @returns {string | undefined} what stands against them on this server
   */
  reasonAgainst(ways) {
    return reasonAgainst(this.engine, this.server, ways);
  }

  /**
   * @returns {import("../../native").AdmissionRules}
   * @private
   */
  rules() {
    const { engine, server, _made: made } = this;
    const { perMessageDeflate } = engine.opts;
    return {
      server: engine.nativeId(),
      profile: engine.takeover.profile(server, undefined),
      websocket: made.websocket,
      polling: made.polling,
      opensPolling: made.opensPolling,
      deflate: !!perMessageDeflate,
      otherOrigins: engine.takeover.originsLeft(),
    };
  }

  // --- what the worker tells ---

  /**
   * It has taken a connection.
   *
   * @param {number} token
   * @param {string} text the description of its first request
   * @returns {boolean} false: it must not have it
   */
  onarrived(token, text) {
    const { engine, server } = this;
    if (engine.isClosed() || isOver(server)) return false;
    const request = new AcceptedRequest(text);
    const door =
      request.key === ""
        ? new TakenPolling(
            engine,
            engine.takeover,
            server,
            request.sid === "" ? request : undefined,
            token,
          )
        : new TakenWebSocket(engine, request, undefined, token);
    door.countFor(server);
    this.ontaken();
    return true;
  }

  /**
   * It has accepted a connection that is for Node.js.
   *
   * @param {number} token
   */
  onforeign(token) {
    const { native } = this.engine.border();
    if (isOver(this.server)) {
      native.dropStream(token); // as the system does with those that wait when the server is closed
      return;
    }
    const descriptor = native.takeDescriptor(token);
    try {
      acceptDescriptor(this._source, descriptor);
    } catch (error) {
      debug("a connection is lost: %s", error); // nothing can be read from it
    }
  }

  /** It can't accept any more. */
  onlost() {
    debug("the worker that accepted has ended: Node.js accepts");
    this.stop();
  }
}

/** What rules are made of, to see whether they are to be made anew. */
class Ingredients {
  /** @param {WorkerListener} [listener] none: they are like nothing that there is */
  constructor(listener) {
    this.id = -1;
    this.websocket = false;
    this.polling = false;
    this.opensPolling = false;
    /** @private @type {any[]} */
    this._settings = [];
    /** @type {any[]} the parts of the option `cors` */
    this.cors = NOTHING;
    if (listener === undefined) return;
    const { engine, server } = listener;
    this.id = engine.nativeId();
    this.websocket = listener.reasonAgainst(ACCEPT_WEBSOCKET) === undefined;
    this.polling = listener.reasonAgainst(ACCEPT_POLLING) === undefined;
    this.opensPolling = this.polling && listener.reasonAgainst(OPEN_POLLING) === undefined;
    this._settings = settingsOf(engine, server);
    this.cors = partsOf(engine.opts.cors);
  }

  /**
   * @param {WorkerListener} listener
   * @returns {boolean} whether all is as it was
   */
  areCurrent(listener) {
    const { engine, server } = listener;
    return (
      this.id === engine.nativeId() &&
      this.websocket === (listener.reasonAgainst(ACCEPT_WEBSOCKET) === undefined) &&
      this.polling === (listener.reasonAgainst(ACCEPT_POLLING) === undefined) &&
      this.opensPolling === (this.polling && listener.reasonAgainst(OPEN_POLLING) === undefined) &&
      areSame(this._settings, settingsOf(engine, server)) &&
      areParts(this.cors, engine.opts.cors)
    );
  }
}

/**
 * @param {Engine} engine
 * @param {any} server
 * @returns {any[]} what of them rules are made of
 */
function settingsOf({ opts }, server) {
  return [
    server.keepAliveTimeout,
    server.keepAliveTimeoutBuffer,
    server.headersTimeout,
    server.requestTimeout,
    longestHead(server),
    !!opts.perMessageDeflate,
    opts.httpCompression,
    opts.httpCompression?.threshold,
  ];
}

/** @type {any[]} */
const NOTHING = [];

/**
 * @param {any} cors the option, which may be an object that the program changes
 * @returns {any[]} its parts
 */
function partsOf(cors) {
  if (typeof cors !== "object" || cors === null) return cors ? [cors] : NOTHING;
  return [cors, ...Object.values(cors).flat()];
}

/**
 * @param {any[]} parts those that it had; asked in each turn
 * @param {any} cors the option
 * @returns {boolean} whether they are as they were
 */
function areParts(parts, cors) {
  if (typeof cors !== "object" || cors === null) return areSame(parts, partsOf(cors));
  if (parts[0] !== cors) return false;
  let at = 1;
  for (const value of Object.values(cors))
    if (!Array.isArray(value)) {
      if (parts[at++] !== value) return false;
    } else {
      for (let i = 0; i < value.length; i++) if (parts[at++] !== value[i]) return false;
    }
  return at === parts.length;
}

/** @param {any[]} a @param {any[]} b @returns {boolean} */
function areSame(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

module.exports = { WorkerListener };
