"use strict";

const cluster = /** @type {any} */ (require("node:cluster"));
const { channel } = require("node:diagnostics_channel");
const { EventEmitter } = require("node:events");
const http = require("node:http");
const debug = require("debug")("engine");
const debugDoor = require("debug")("engine:ws");
const { AcceptedDoor } = require("./accepted-door");
const { AcceptedRequest } = require("./accepted-request");
const { crossOriginLines, isConstant } = require("./cross-origin");
const { POSIX } = require("./descriptor");

/** @typedef {import("./engine").Engine} Engine */

const NEW_SOCKET = channel("net.server.socket");
/** How long the kernel may keep a connection by which nothing comes: the least that it knows, in seconds. */
const LONGEST_SILENCE = 1;
/** What Node.js (from version 24 on) does when it is not told otherwise. */
const { shouldUpgradeCallback } = /** @type {any} */ (http.createServer());

/**
 * Takes WebSocket connections from an HTTP server as they are accepted, before Node.js makes sockets of them and reads
 * their requests: most of what a connect costs this thread is that.
 *
 *     accepted ──a plain request is there──► a worker
 *        └──anything else, or nothing yet──► Node.js
 *
 * The addon only looks at the bytes, so Node.js finds everything as it was. On Linux, the kernel is asked to keep a
 * connection until something has come by it. Elsewhere, while there is much to do, connections wait to be accepted, and
 * their requests have come before that; when there is little, Node.js has the time. So nothing waits here.
 */
class Acceptor {
  /**
   * @param {Engine} engine
   * @param {any} server an HTTP server that the engine is attached to
   * @param {string} path the beginning of the paths that are ours
   */
  constructor(engine, server, path) {
    this.engine = engine;
    this.server = server;
    this.path = path;
    /** connections that have been taken */
    this.taken = 0;
    /** @private @type {any} what listens */
    this._listener = undefined;
    /** @private @type {string | undefined} an id that has been made and not been used */
    this._id = undefined;
    server.on("newListener", (/** @type {any} */ name) => {
      if (name === "connection") this.defer(0); // somebody waits for connections, silent ones too
    });
    this.watch();
  }

  /** To be called when the server listens: it may do so more than once. */
  watch() {
    const { server } = this;
    const listener = server._handle;
    // the connections of a cluster's workers come by way of the cluster
    if (!POSIX || cluster.isWorker || Object.getPrototypeOf(server) !== http.Server.prototype)
      return;
    if (!listener || listener === this._listener || listener.constructor.name !== "TCP") return;
    const next = listener.onconnection;
    if (typeof next !== "function" || !(listener.fd >= 0)) return;
    this._listener = listener;
    listener.onconnection = (/** @type {number} */ status, /** @type {any} */ handle) => {
      const isTaken = status === 0 && handle && this.isPossible() && this.take(handle);
      if (!isTaken) next.call(listener, status, handle);
    };
    if (this.isPossible()) this.defer(LONGEST_SILENCE);
  }

  /**
   * @param {number} seconds how long the kernel may keep connections by which nothing has come
   * @private
   */
  defer(seconds) {
    const fd = this._listener?.fd;
    if (fd >= 0) this.engine.bridge().native.deferAccept(fd, seconds);
  }

  /**
   * @returns {boolean} whether nobody but us would have to do with a plain WebSocket request, or with its socket
   * @private
   */
  isPossible() {
    const { engine, server } = this;
    const { cors, transports } = engine.opts;
    return (
      engine.httpServer === server &&
      engine.upgradesAlone() &&
      (!cors || isConstant(cors)) &&
      transports.includes("websocket") &&
      !debug.enabled &&
      !debugDoor.enabled &&
      !NEW_SOCKET.hasSubscribers &&
      server.emit === EventEmitter.prototype.emit && // instrumentations replace it
      server.listenerCount("connection") === 1 && // Node's
      server.listenerCount("upgrade") === 1 &&
      server.maxConnections === undefined &&
      !server.blockList &&
      !server.pauseOnConnect &&
      !server.keepAlive &&
      !server.maxHeadersCount &&
      String(server.shouldUpgradeCallback) === String(shouldUpgradeCallback)
    );
  }

  /**
   * @param {any} handle a connection
   * @returns {boolean} whether it is Node's no more
   * @private
   */
  take(handle) {
    const { engine, server } = this;
    const maxHead = server.maxHeaderSize || http.maxHeaderSize;
    const text = engine.bridge().native.peekUpgrade(handle.fd, this.path, maxHead);
    if (text === "") return false;
    const request = new AcceptedRequest(text);
    const isNew = request.sid === "";
    if (!isNew && engine.find(request.sid)?.protocol !== 4) return false;
    const answer = this.answer(request);
    if (answer === undefined) return false;
    const sid = isNew ? (this._id ??= String(engine.generateId(undefined))) : request.sid;
    try {
      new AcceptedDoor(engine, request).take(sid, isNew, handle, server, answer);
    } catch {
      return false; // no descriptor is free: Node.js has one for this connection already
    }
    if (isNew) this._id = undefined;
    handle.close();
    this.taken++;
    return true;
  }

  /**
   * @param {AcceptedRequest} request
   * @returns {import("./upgrade").UpgradeAnswer | undefined} nothing when it is to be refused
   * @private
   */
  answer(request) {
    const { engine } = this;
    const { cors, perMessageDeflate } = engine.opts;
    let lines = "";
    let deflate = 0;
    const offers = perMessageDeflate && request.header("sec-websocket-extensions");
    const agreed = offers
      ? engine.bridge().native.negotiateDeflate(engine.nativeId(), offers)
      : null;
    if (agreed) {
      if (agreed.agreement === 0) return undefined;
      deflate = agreed.agreement;
      lines = `Sec-WebSocket-Extensions: ${agreed.value}\r\n`;
    }
    if (cors) lines += crossOriginLines(engine.middlewares[0], request.header("origin"));
    return { text: request.key + lines, keyOnly: true, deflate };
  }
}

module.exports = { Acceptor };
