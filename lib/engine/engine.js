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
    server.on("close", () => this.close());
    server.on("listening", () => {
      this._registration.closed = false;
      this.acceptor.watch();
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
    this.acceptor = new Acceptor(this, server, path);
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
   * @param {any} server
   * @returns {boolean} whether the engine has been attached to that HTTP server
   */
  isAttached(server) {
    return this.takeover.isAttached(server);
  }

  /**
   * @param {"generateId" | "handleRequest" | "handleUpgrade" | "verify"} method
   * @returns {boolean} whether a program has put one of its own in its place
   */
  isReplaced(method) {
    return this[method] !== Engine.prototype[method];
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
