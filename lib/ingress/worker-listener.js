"use strict";

const debug = require("debug")("engine:door");
const {
  acceptDescriptor,
  beforeClose,
  countConnection,
  isOver,
  listeningDescriptor,
  listeningHandle,
  uncountConnection,
  standInSocket,
} = require("../node");
const { onNewListener } = require("../base/new-listeners");
const { setImmediate } = require("../base/loop");
const { readProxyProtocol } = require("../base/trust-proxy");
const { isOurs } = require("../http");
const { AcceptedRequest } = require("./accepted-request");
const { Inputs } = require("./inputs");
const { nativeTls, TLS_EVENTS } = require("./native-tls");
const {
  ACCEPT,
  ACCEPT_POLLING,
  ACCEPT_WEBSOCKET,
  INTRODUCE,
  LEND,
  LISTEN,
  mayRelay,
  OPEN_POLLING,
  reasonAgainst,
} = require("./reasons");
const { bypassRelayed, RelayedConnection } = require("./relayed");
const { TakenPolling } = require("./takeover");
const { TakenWebSocket } = require("./websocket");

/** Events of an HTTP server that a worker can't tell who listens to them. */
/** @type {Set<string | symbol>} */
const COUNT_AT_ONCE = new Set(["connection", "request", "upgrade", ...TLS_EVENTS]);

/**
 * What is asked of an engine here.
 *
 * @typedef {object} Lender
 * @property {import("./takeover").PollingTakeover} takeover
 * @property {() => boolean} isClosed
 * @property {Set<WorkerListener>} workerListeners those for which a worker accepts
 */

/** @typedef {import("./door").Engine & Lender} Engine */
/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").Handle} Handle */

/**
 * Has a worker accept the connections of an HTTP server, as long as nothing stands against it. So whoever comes with a plain
 * request of ours needs this thread for nothing, and a blocked event loop keeps nobody out; it hears of the connection
 * together with the session. Whoever comes with anything else is given to Node.js as if it had accepted the connection.
 *
 *     away ──begin()──► shut ──open()──► open      the worker accepts, and the event loop does not look at the socket
 *      ▲                 │ ▲               │
 *      └──── stop() ─────┘ └─── shut() ────┘
 *
 * At the end of each turn of the event loop, before it waits, which is when Node.js would accept, it is looked whether
 * anything has changed of what can stand against it; if so, that is asked anew. So a connection that comes later is accepted
 * by the rules of then. Listeners that are added count at once.
 * The worker looks at the rules under a lock, under which they are changed (src/net/listener.rs).
 */
class WorkerListener {
  /**
   * @param {Engine} engine
   * @param {HttpServer} server one that the engine is attached to
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
    /** @private how often it was lent, and its end not told yet */
    this._lent = 0;
    /** @type {(() => void) | undefined} @private called when no end is to be told any more */
    this._onended = undefined;
    /** @private whether nothing is to be heard of it when that is told */
    this._isForgotten = false;
    /** @private how many connections the server counts whose first request a worker waits for */
    this._newcomers = 0;
    /** @private @type {Handle | null} what Node.js listens with; the last one, when it does not any more */
    this._source = null;
    /** @private the descriptor of that */
    this._descriptor = -1;
    /** from where connections begin with the header of the PROXY protocol; none: from everywhere; undefined: none does */
    this.introduced = readProxyProtocol(engine.opts.proxyProtocol);
    /** @private what stands against it, and the rules, depend on */
    this._inputs = new Inputs(engine, server);
    /** @private the count of changes of the option `cors` that the workers have been told of */
    this._corsKnown = 0;
    const suspend = (/** @type {string | symbol} */ name) => {
      if (COUNT_AT_ONCE.has(name)) this.shut();
    };
    onNewListener(server, suspend);
    server.on("removeListener", (name, /** @type {Function} */ listener) => {
      suspend(name);
      if (this.isLent && name === "request" && isOurs(listener)) bypassRelayed(server);
    });
  }

  /**
   * To be called when the server begins to listen. The event loop looks at the socket from its next turn on, and can't be
   * told not to before.
   */
  prepare() {
    const handle = listeningHandle(this.server);
    if (this.introduced !== undefined && handle !== null) {
      if (this.isLent) this.renew();
      else this.begin(handle);
      return;
    }
    setImmediate(() => {
      if (handle !== null && listeningHandle(this.server) === handle) this.begin(handle);
    });
  }

  /**
   * @param {Handle} handle
   * @private
   */
  begin(handle) {
    const { engine } = this;
    try {
      const ways = this.introduced === undefined ? LISTEN | LEND : INTRODUCE;
      if (this.isLent || engine.isClosed() || this.reasonAgainst(ways) !== undefined) return;
      const descriptor = listeningDescriptor(this.server);
      if (descriptor < 0 || !beforeClose(handle, () => this.stop())) return;
      engine.nativeId(); // the workers are there
      const border = engine.border();
      this.number = engine.takeover.numberOf(this.server);
      border.native.listen(descriptor, this.number, this.introduced);
      nativeTls.get(this.server)?.forgetTold(); // each socket has to be told anew
      this._lent++;
      engine.ref(); // so the workers are there until all has been handed over
      this.isLent = true;
      this._isForgotten = false;
      this._source = handle;
      this._descriptor = descriptor;
      engine.workerListeners.add(this);
      if (!border.addListener(this.number, this)) {
        this.stop();
        return;
      }
    } catch (error) {
      debug("no worker accepts: %s", error); // no descriptor is left, or a getter of the program throws
      return;
    }
    this.check();
  }

  /** The turn of the event loop ends: has all of it be as it must be until the next one. It throws nothing. */
  check() {
    if (!this.isLent) return;
    const { engine } = this;
    // that Node.js speaks TLS can't keep a worker from taking off what stands before that
    const ways = this.introduced === undefined ? ACCEPT | LEND : LISTEN | ACCEPT | LEND;
    try {
      if (this._inputs.areSame()) {
        if (this.isOpen !== this._isOut) this.leaveLoop(); // the event loop has not looked at the socket before
        return; // the answer is the same
      }
      if (this.introduced !== undefined && engine.isClosed()) this.close();
      else if (this.reasonAgainst(ways) === undefined) this.open(false);
      else if (mayRelay(this.engine, this.server)) this.open(true);
      else {
        this.close();
        bypassRelayed(this.server);
      }
    } catch (error) {
      debug("no worker accepts: %s", error); // a getter of the program
      this.shut();
    }
  }

  /** What the rules are made of has changed, and is to count at once. */
  renew() {
    if (!this.isOpen) return;
    this._inputs.forget();
    this.check();
  }

  /**
   * @param {boolean} relays whether polling connections are relayed, and none is taken
   * @private
   */
  open(relays) {
    const { native } = this.engine.border();
    const { corsChanges } = this._inputs;
    if (corsChanges !== this._corsKnown) this.engine.takeover.renewOrigins();
    this._corsKnown = corsChanges;
    const rules = this.rules(relays);
    nativeTls.get(this.server)?.tell(this.number);
    if (!rules.websocket && !rules.polling && !relays) {
      this.close(); // all would be for Node.js
      return;
    }
    native.admit(this.number, rules);
    this.isOpen = true;
    if (!this._isOut) this.leaveLoop();
  }

  /** @private */
  leaveLoop() {
    this._isOut = this.engine.border().native.leaveLoop(this._descriptor);
  }

  /** Has Node.js accept the connections, until the end of the turn at least. */
  shut() {
    this._inputs.forget();
    this.close();
  }

  /** Has Node.js accept the connections, until something is otherwise. @private */
  close() {
    if (this.introduced !== undefined && this.isLent) this.openForNode();
    else this.end();
  }

  /** Has the worker only take off what proxies say first, and give all connections to Node.js. @private */
  openForNode() {
    const none = { websocket: false, polling: false, opensPolling: false, relays: false };
    nativeTls.get(this.server)?.tell(this.number);
    this.engine.border().native.admit(this.number, { ...this.rules(true), ...none });
    this.isOpen = true;
  }

  /** @private */
  end() {
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
    this._inputs.forget();
    this.end();
    this.isLent = false;
    this.engine.workerListeners.delete(this);
    const border = this.engine.border();
    border.native.unlisten(this.number);
    border.removeListener(this.number);
  }

  /**
   * Ends it, until `prepare()`.
   *
   * @returns {Promise<void>} resolved when all that the worker has accepted has been handed over
   */
  pause() {
    this.stop();
    if (this._lent === 0) return Promise.resolve();
    return new Promise((resolve) => (this._onended = resolve));
  }

  /** The server is closed, and has no connections any more. */
  forget() {
    if (this._lent > 0)
      this._isForgotten = true; // something may still be told
    else if (this.number !== 0) this.engine.border().forgetListener(this.number);
  }

  /**
   * @param {number} ways
   * @returns {string | undefined} what stands against them on this server
   */
  reasonAgainst(ways) {
    return reasonAgainst(this.engine, this.server, ways);
  }

  /**
   * @param {boolean} relays
   * @returns {import("../../native").AdmissionRules}
   * @private
   */
  rules(relays) {
    const { engine, server } = this;
    const polling = !relays && this.reasonAgainst(ACCEPT_POLLING) === undefined;
    return {
      server: engine.nativeId(),
      profile: engine.takeover.profile(server, undefined),
      websocket: !relays && this.reasonAgainst(ACCEPT_WEBSOCKET) === undefined,
      polling,
      opensPolling: polling && this.reasonAgainst(OPEN_POLLING) === undefined,
      relays,
      deflate: !!engine.opts.perMessageDeflate,
      secure: nativeTls.has(server),
      otherOrigins: engine.takeover.originsLeft(),
    };
  }

  /**
   * Node.js has accepted a connection which is to begin with the header of the PROXY protocol: before it could be told not to.
   *
   * @param {number} descriptor
   */
  receive(descriptor) {
    if (this.isLent) this.engine.border().native.receive(this.number, descriptor);
  }

  // --- what the worker tells ---

  /**
   * It has taken a connection.
   *
   * @param {number} token
   * @param {string} text the description of its first request
   * @param {string | undefined} tls what was agreed on, if a worker speaks TLS by it
   * @param {import("./door").Addresses | undefined} addresses those that a proxy has told
   * @returns {boolean} false: it must not have it
   */
  onarrived(token, text, tls, addresses) {
    const { engine, server } = this;
    if (engine.isClosed() || isOver(server)) return false;
    const request = new AcceptedRequest(text, tls !== undefined);
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
    if (tls !== undefined) door.tls = nativeTls.get(server)?.details(tls);
    door.addresses = addresses;
    door.countFor(server);
    this.ontaken();
    return true;
  }

  /**
   * It has accepted a connection that is for Node.js.
   *
   * @param {number} token
   * @param {import("./door").Addresses | undefined} addresses those that a proxy has told
   */
  onforeign(token, addresses) {
    const { native } = this.engine.border();
    if (isOver(this.server)) {
      native.dropStream(token); // as the system does with those that wait when the server is closed
      return;
    }
    const descriptor = native.takeDescriptor(token);
    try {
      acceptDescriptor(/** @type {Handle} */ (this._source), descriptor, addresses);
    } catch (error) {
      debug("a connection is lost: %s", error); // nothing can be read from it
    }
  }

  /**
   * It relays a connection that it has accepted.
   *
   * @param {number} token
   * @param {import("./door").Addresses} addresses
   * @param {string | undefined} tls what was agreed on, if a worker speaks TLS by it
   */
  onrelayed(token, addresses, tls) {
    const { engine, server } = this;
    if (engine.isClosed() || isOver(server)) engine.border().native.dropStream(token);
    else new RelayedConnection(engine, server, token).accept(addresses, tls);
  }

  /**
   * TLS could not be begun with a connection, which is closed: programs hear of it as from Node.js.
   *
   * @param {string} message
   * @param {string} address of the peer; empty: it is not known any more
   * @param {number} port
   */
  onhandshakefailed(message, address, port) {
    const error = Object.assign(new Error(message), { code: "ERR_SSL_HANDSHAKE_FAILED" });
    const peer = { address, port, localAddress: "", localPort: 0 };
    this.server.emit("tlsClientError", error, standInSocket(peer, this.server));
  }

  /**
   * It waits for the first request of one connection more, or of one less: that has been handed over, or has gone. To Node.js,
   * such a connection is one that it has accepted.
   *
   * @param {boolean} more
   */
  onnewcomer(more) {
    if (more && !isOver(this.server)) {
      this._newcomers++;
      countConnection(this.server);
    } else if (!more && this._newcomers > 0) {
      this._newcomers--;
      uncountConnection(this.server);
    }
  }

  /** It accepts no more: because it was told so, and all that it had has been handed over; or it can't. */
  onunlistened() {
    const { engine } = this;
    if (--this._lent === 0) {
      if (this.isLent) {
        debug("the worker that accepted has ended: Node.js accepts");
        this.stop();
      }
      if (this._isForgotten) engine.border().forgetListener(this.number);
      this._onended?.();
      this._onended = undefined;
    }
    engine.unref();
  }
}

module.exports = { WorkerListener };
