"use strict";

const { EventEmitter } = require("node:events");
const cors = require("cors");
const { loadAddon } = require("../border");
const { generateId } = require("../base/ids");
const { defaultsOf, milliseconds } = require("../base/options");
const { PollingTakeover } = require("../ingress");
const {
  exposeSettings,
  keepLive,
  readOptions,
  replaceOptions,
  workerOptions,
} = require("./options");
const { Registration } = require("./registration");

/** @typedef {import("./conn").Conn} Conn */
/** @typedef {import("../ingress/polling-door").PollingDoor} PollingDoor */

/** The transports that a session may be upgraded to from polling. */
const UPGRADES = ["websocket", "webtransport"];

const { connectTimeout: CONNECT_TIMEOUT } = defaultsOf("server");

/**
 * The options of an engine, and its place among the workers.
 */
class EngineSettings extends EventEmitter {
  /** @param {any} [opts] options of Engine.IO, as documented there */
  constructor(opts = {}) {
    super();
    loadAddon();
    /** @type {any} @private see `opts` */
    this._opts = readOptions(opts);
    keepLive(this._opts, () => this.configure());
    exposeSettings(this);
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
    this.connectTimeout = opts.connectTimeout || CONNECT_TIMEOUT;
    /** @type {string | Buffer | undefined} @private what clients of protocol 3 are told with the handshake */
    this._greeting = undefined;
    /** whether messages come undecoded, for the parser that the Socket.IO server has been given */
    this.rawMessages = false;
    /** @type {Map<string, PollingDoor>} requests that wait for something to be sent, by session id */
    this.polls = new Map();
    /** @type {any} takes connections before Node.js reads their requests */
    this.acceptor = undefined;
    /** the connections that polling requests come by, as far as the workers have them */
    this.takeover = new PollingTakeover(this._engine);
    /** @protected */
    this._registration = new Registration(this._engine);
    /** how many of them nobody but us has added */
    this.ownMiddlewares = 0;
    if (this.opts.cors) this.useOwn(cors(this.opts.cors));
  }

  /**
   * The same object, as those see it who are given it.
   *
   * @protected
   */
  get _engine() {
    return /** @type {import("./engine").Engine} */ (/** @type {unknown} */ (this));
  }

  /** @returns {any} the options; those that are changed, or replaced altogether, count for what comes then */
  get opts() {
    return this._opts;
  }

  set opts(opts) {
    if (opts === this._opts) return;
    this._opts = replaceOptions(opts);
    keepLive(this._opts, () => this.configure());
    this.configure();
  }

  /** @param {any} timeout ms that a client has to join a namespace; for the sessions to come */
  limitConnecting(timeout) {
    this.connectTimeout = timeout;
    this.configure();
  }

  /** @returns {object} what the workers need to know */
  workerConfig() {
    return {
      ...workerOptions(this.opts),
      connectTimeout: milliseconds(this.connectTimeout),
      rawMessages: this.rawMessages,
      greeting: this._greeting,
    };
  }

  /** Tells the workers of options that have changed: the new values count for the sessions to come. */
  configure() {
    this._registration.configure();
  }

  /**
   * Tells the clients of protocol 3 that are still to come, with the handshake, that they are in "/".
   *
   * @param {string | Buffer | undefined} message the CONNECT packet; nothing: they are told when they are
   */
  greet(message) {
    this._greeting = message;
    this.configure();
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
    this.ownMiddlewares++;
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

  // --- its place among the workers ---

  /** @returns {import("../border/border").Border} */
  border() {
    return this._registration.border();
  }

  /** @returns {number} our number at the border; the options count as they are at the first call */
  nativeId() {
    return this._registration.open();
  }

  /** @returns {boolean} whether it has been closed, and has not been opened again */
  isClosed() {
    return this._registration.closed;
  }

  /** Counts what the workers still have of ours: a session, a request or the wire of a WebSocket. */
  hold() {
    this._registration.hold();
  }

  /** Uncounts it. */
  letGo() {
    this._registration.letGo();
  }
}

module.exports = { EngineSettings };
