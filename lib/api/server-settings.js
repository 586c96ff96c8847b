"use strict";

const { MESSAGES } = require("../base/errors");
const { checkOptions, defaultsOf } = require("../base/options");
const { checkOrigin } = require("./origins");
const { NamespaceTable } = require("./server-namespaces");

/** @typedef {import("../engine/engine").Engine} Engine */

const { connectTimeout: CONNECT_TIMEOUT, path: PATH } = defaultsOf("server");

/** What `set()` calls the options of the engine. */
const OLD_NAMES = new Map([
  ["transports", "transports"],
  ["heartbeat timeout", "pingTimeout"],
  ["heartbeat interval", "pingInterval"],
  ["destroy buffer size", "maxHttpBufferSize"],
]);

/**
 * What a program can set on a server.
 */
class ServerSettings extends NamespaceTable {
  /** @param {any} opts as documented for Socket.IO and Engine.IO */
  constructor(opts) {
    super();
    checkOptions(opts);
    /** @type {any} */
    this.opts = opts;
    /** @protected */
    this._path = "";
    /** @protected */
    this._serveClient = true;
    this._connectTimeout = CONNECT_TIMEOUT;
    /** @type {import("./origins").Origins | undefined} @protected */
    this._origins = undefined;
    /** @type {any} @private */
    this._adapter = undefined;
    /** @type {any} */
    this.eio = undefined;
    this.path(opts.path || PATH);
    this.connectTimeout(opts.connectTimeout || CONNECT_TIMEOUT);
    this.serveClient(opts.serveClient !== false);
    if (opts.origins) this.origins(opts.origins);
  }

  get _opts() {
    return this.opts;
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
    this.eio?.limitConnecting?.(value);
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
   * Says whether a request comes from an origin that may connect.
   *
   * @param {any} req
   * @param {(error: any, success: boolean) => void} done
   * @deprecated kept for programs written for Socket.IO 2.x
   */
  checkRequest(req, done) {
    checkOrigin(this.origins(), req, done);
  }

  /**
   * Lets an engine ask for the origin.
   *
   * @param {Engine} engine
   * @protected
   */
  guard(engine) {
    engine.opts.allowRequest ??= (/** @type {any} */ req, /** @type {any} */ done) =>
      this.checkRequest(req, done);
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

module.exports = { ServerSettings };
