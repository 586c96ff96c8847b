"use strict";

const { EventEmitter } = require("node:events");
const { isAnyArrayBuffer, isArrayBufferView } = require("node:util/types");
const cors = require("cors");
const debug = require("debug")("engine");
const { copyOf } = require("../base/bytes");
const {
  checkHttpCompression,
  deflateOptions,
  maxChunks,
  nativeDeflate,
  serializeCookie,
} = require("../http");
const { getBorder, loadAddon, workerCount } = require("../border");
const { bufferLimits } = require("./buffer-limits");
const { invalidOption } = require("../base/errors");
const { generateId } = require("../base/ids");
const {
  ENGINE_DEFAULTS,
  checkOptions,
  defaultsOf,
  milliseconds,
  payloadLimit,
  warnOfTimes,
} = require("../base/options");
const { PollingTakeover } = require("../ingress");

/** @typedef {import("./conn").Conn} Conn */
/** @typedef {import("../ingress/polling-door").PollingDoor} PollingDoor */

/** The transports that a session may be upgraded to from polling. */
const UPGRADES = ["websocket", "webtransport"];

/** Options that the workers have to be told of when a program changes them later, in `engine.opts`. */
const LIVE = [
  "transports",
  "pingTimeout",
  "pingInterval",
  "upgradeTimeout",
  "maxHttpBufferSize",
  "httpRequestBodyTimeout",
  "maxBufferedChunks",
  "allowUpgrades",
  "initialPacket",
  "maxBufferedBytes",
  "bufferPolicy",
];

/** Options that Socket.IO 2.x has as properties of the engine. */
const SETTINGS = [
  "pingTimeout",
  "pingInterval",
  "upgradeTimeout",
  "maxHttpBufferSize",
  "transports",
  "allowUpgrades",
  "allowRequest",
  "httpCompression",
  "initialPacket",
];

const { connectTimeout: CONNECT_TIMEOUT } = defaultsOf("server");

const COOKIE_DEFAULTS = { name: "io", path: "/", httpOnly: true, sameSite: "lax" };

/**
 * The options of an engine, and its place among the workers.
 *
 *     not open ──first request──► open at the border ──close(), and the workers have nothing of ours any more──► not open
 */
class EngineSettings extends EventEmitter {
  /** @param {any} [opts] options of Engine.IO, as documented there */
  constructor(opts = {}) {
    super();
    loadAddon();
    /** @type {any} @private see `opts` */
    this._opts = { ...ENGINE_DEFAULTS, ...opts };
    checkOptions(this.opts);
    warnOfTimes(this.opts);
    workerCount(opts.workers); // a wrong value is told at once, not at the first request
    bufferLimits(opts);
    checkHttpCompression(this.opts.httpCompression);
    this.opts.perMessageDeflate = deflateOptions(opts.perMessageDeflate);
    if (opts.wsEngine) debug("option wsEngine is not used: WebSockets are served natively");
    this.keepOptionsLive();
    for (const name of SETTINGS) this.exposeSetting(name);
    if (opts.cookie) this.opts.cookie = cookieOptions(opts.cookie);
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
    /** @protected the border and our number there, from the first request on */
    this._border = /** @type {import("../border/border").Border | undefined} */ (undefined);
    /** @protected */
    this._nativeId = -1;
    /** @protected */
    this._held = 0;
    /** @protected */
    this._closed = false;
    /** @protected those that nobody but us has added */
    this._ownMiddlewares = 0;
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
    checkOptions(opts);
    const filled = { ...ENGINE_DEFAULTS, ...opts };
    filled.perMessageDeflate = deflateOptions(filled.perMessageDeflate);
    this._opts = Object.isExtensible(opts) ? Object.assign(opts, filled) : filled; // what it has not been given has its default
    this.keepOptionsLive();
    this.configure();
  }

  /** @private */
  keepOptionsLive() {
    for (const name of LIVE) keepLive(this._opts, name, () => this.configure());
  }

  /** @returns {import("../border/border").Border} */
  border() {
    return (this._border ??= getBorder(this.opts.workers));
  }

  /** @param {any} timeout ms that a client has to join a namespace; for the sessions to come */
  limitConnecting(timeout) {
    this.connectTimeout = timeout;
    this.configure();
  }

  /** @private @returns {any} what the workers need to know */
  settings() {
    const { opts } = this;
    return {
      pingInterval: milliseconds(opts.pingInterval),
      pingTimeout: milliseconds(opts.pingTimeout),
      upgradeTimeout: milliseconds(opts.upgradeTimeout),
      connectTimeout: milliseconds(this.connectTimeout),
      maxHttpBufferSize: this.payloadLimit(),
      httpRequestBodyTimeout: milliseconds(opts.httpRequestBodyTimeout),
      maxBufferedChunks: maxChunks(opts.maxBufferedChunks),
      polling: opts.transports.includes("polling"),
      websocket: opts.transports.includes("websocket"),
      webtransport: opts.transports.includes("webtransport"),
      allowUpgrades: !!opts.allowUpgrades,
      perMessageDeflate: nativeDeflate(opts.perMessageDeflate),
      rawMessages: this.rawMessages,
      ...bufferLimits(opts),
      initialPacket: messageOf(opts.initialPacket),
      greeting: this._greeting,
    };
  }

  /** @returns {number} bytes that a message may have; Infinity: as many as there are */
  payloadLimit() {
    const { maxHttpBufferSize, transports } = this.opts;
    return payloadLimit(maxHttpBufferSize, transports.includes("polling"));
  }

  /** Tells the workers of options that have changed: the new values count for the sessions to come. */
  configure() {
    if (this._nativeId !== -1)
      this.border().native.configureServer(this._nativeId, this.settings());
  }

  /**
   * Makes an option a property of this object, too.
   *
   * @param {string} name
   * @private
   */
  exposeSetting(name) {
    Object.defineProperty(this, name, {
      get: () => this.opts[name],
      set: (value) => {
        checkOptions({ ...this.opts, [name]: value });
        this.opts[name] = value;
        this.configure();
      },
      enumerable: true,
      configurable: true,
    });
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

  /** @returns {number} our number at the border; the options count as they are at the first call */
  nativeId() {
    if (this._nativeId === -1) {
      this._nativeId = this.border().openServer(this._engine, this.settings());
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

  /** @returns {boolean} whether it has been closed, and has not been opened again */
  isClosed() {
    return this._closed;
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
   * Leaves the border when all is done; with the last server of the process, the workers end.
   *
   * @protected
   */
  settle() {
    const border = this._border;
    if (!this._closed || border === undefined || this._nativeId === -1) return;
    if (this._held > 0) return;
    const id = this._nativeId;
    this._nativeId = -1;
    border.closeServer(id);
  }
}

/**
 * @param {any} opts
 * @param {string} name
 * @param {() => void} onchange called when a program has given it another value
 */
function keepLive(opts, name, onchange) {
  let current = opts[name];
  Object.defineProperty(opts, name, {
    get: () => current,
    set(value) {
      const before = current;
      current = value;
      try {
        onchange();
      } catch (error) {
        current = before; // what can't be used counts neither here nor for the workers
        throw error;
      }
    },
    enumerable: Object.hasOwn(opts, name),
    configurable: true,
  });
}

/**
 * @param {any} given the option `cookie`
 * @returns {any}
 * @throws {TypeError} when it can't be written
 */
function cookieOptions(given) {
  const cookie = { ...COOKIE_DEFAULTS, ...given };
  try {
    serializeCookie(cookie.name, "id", { ...cookie, encode: String });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw invalidOption("option cookie", JSON.stringify(given), message);
  }
  return cookie;
}

/**
 * @param {any} given the option `initialPacket`
 * @returns {string | Buffer | undefined}
 */
function messageOf(given) {
  if (!given) return undefined;
  return isArrayBufferView(given) || isAnyArrayBuffer(given) ? copyOf(given) : String(given);
}

module.exports = { EngineSettings };
