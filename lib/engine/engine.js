"use strict";

const debug = require("debug")("engine");
const {
  Acceptor,
  handleHead,
  receiveSession,
  show,
  watchSockets,
  WebTransportDoor,
} = require("../ingress");
const { EngineSessions } = require("./sessions");
const { ENGINE_ERRORS, ENGINE_ERROR_MESSAGES } = require("../base/errors");
const { endUnread, interceptRequests } = require("../http");
const { generateId } = require("../base/ids");
const { hasOwnRequests } = require("../base/node-internals");

const DESTROY_UPGRADE_TIMEOUT = 1000; // ms
/** How long a peer may go on to send when its connection has been ended, in ms. */
const LONGEST_GOODBYE = 1000;

/**
 * The Engine.IO server as programs see it (`io.engine`): it looks at requests, lets them through or refuses them, and
 * hands them to the workers.
 *
 * Emits "connection" (conn), "connection_error" ({ req, code, message, context }), "initial_headers" and "headers"
 * (headers, req), "flush" (conn, packets) and "drain" (conn).
 */
class Engine extends EngineSessions {
  /** Error codes, by name. */
  static get errors() {
    return ENGINE_ERRORS;
  }

  /** Error messages, by code. */
  static get errorMessages() {
    return ENGINE_ERROR_MESSAGES;
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
    server.on("close", () => this.close());
    server.on("listening", () => {
      this._registration.closed = false;
      acceptor.watch();
    });
    interceptRequests(server, (req, res) => {
      handleHead(server, req.socket);
      if (!isOurs(req)) {
        show(req.socket);
        return false;
      }
      if (debug.enabled) debug('intercepting request for path "%s"', path);
      this.handleRequest(req, res);
      return true;
    });
    this.httpServer = server;
    watchSockets(server);
    this.takeover.attach(server, path);
    this.acceptor = acceptor;
    if (!this.opts.transports.includes("websocket")) return;
    server.on(
      "upgrade",
      (/** @type {any} */ req, /** @type {any} */ socket, /** @type {Buffer} */ head) => {
        handleHead(server, socket);
        if (isOurs(req)) this.handleUpgrade(req, socket, head);
        else if (options.destroyUpgrade !== false) {
          socket.on("error", noop);
          // another listener may answer it; if none does, the connection must not stay for ever
          setTimeout(() => {
            if (socket.writable && socket.bytesWritten <= 0) endUnread(socket, LONGEST_GOODBYE);
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
    this._registration.close();
    return this;
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
        (httpServer.listenerCount("upgrade") > 1 ||
          httpServer.listenerCount("request") > 1 ||
          !hasOwnRequests(httpServer)))
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
