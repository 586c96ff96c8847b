"use strict";

const debug = require("debug")("engine");
const {
  abortRequest,
  abortUpgrade,
  answerUpgrade,
  applyMiddlewares,
  dialectOf,
  endUnread,
  parseQuery,
  protocolOf,
  serializeCookie,
  UpgradeResponse,
  verify,
  wholeAnswer,
} = require("../http");
const { EngineSettings } = require("./settings");
const { ENGINE_ERRORS, ENGINE_ERROR_MESSAGES } = require("../base/errors");
const { CLOSE_TIMEOUT, PollingDoor, WebSocketDoor } = require("../ingress");

/** What a session can be, in the order in which the addon numbers it. Greeted: its handshake said that it is in "/". */
const FORMS = [false, true].flatMap((greeted) =>
  [4, 3].flatMap((protocol) =>
    ["polling", "websocket"].map((transport) => ({ transport, protocol, greeted })),
  ),
);

/** A WebSocket close frame without a code. */
const CLOSE_FRAME = Buffer.from([0x88, 0x00]);

/** Characters of a Sec-WebSocket-Key. */
const KEY_LENGTH = 24;

/**
 * What an engine does with the requests for its path: it runs the middlewares, checks, and refuses them or hands them
 * to the workers.
 */
class EngineRequests extends EngineSettings {
  /**
   * Handles a request for our path.
   *
   * @param {any} req
   * @param {any} res
   */
  handleRequest(req, res) {
    if (debug.enabled) debug('handling "%s" http request "%s"', req.method, req.url);
    this._engine.takeover.watch(req);
    req._query ??= parseQuery(req.url);
    req.res = res;
    this.admit(req, res, false, (code, context) => {
      if (code !== undefined) {
        this.refuse(req, code, context);
        abortRequest(res, code, context);
        return;
      }
      req.res = null; // or the request would keep its response alive
      const { sid } = req._query;
      if (!sid) {
        this.handshake(
          req,
          (id) => new PollingDoor(this._engine, req, res, id).openSession(),
          (error) => abortRequest(res, error),
        );
      } else if (req.method === "GET") {
        debug("setting new request for existing client");
        new PollingDoor(this._engine, req, res, sid).poll();
      } else if (req.method === "POST") {
        debug("setting new request for existing client");
        new PollingDoor(this._engine, req, res, sid).receive();
      } else {
        res.writeHead(500);
        res.end();
      }
    });
  }

  /**
   * Handles an upgrade request for our path.
   *
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   * @param {Buffer} upgradeHead
   */
  handleUpgrade(req, socket, upgradeHead) {
    req._query ??= parseQuery(req.url);
    socket.on("error", noop); // the peer may go while we decide
    // a copy: the original is a slice of a read buffer
    const head = upgradeHead.length > 0 ? Buffer.from(upgradeHead) : undefined;
    const res = this.middlewares.length > 0 ? new UpgradeResponse(req, socket) : undefined;
    this.admit(req, res, true, (code, context) => {
      if (code !== undefined) {
        this.refuse(req, code, context);
        abortUpgrade(socket, code, context);
        return;
      }
      res?.writeHead();
      if (!socket.readable || !socket.writable) {
        socket.destroy();
        return;
      }
      const answer = answerUpgrade(this._engine, req, socket, res?.headers);
      if (answer === undefined) return;
      const { sid, transport } = req._query;
      if (transport !== "websocket") {
        // the handshake is right, but nothing can be spoken over it
        const text = answer.keyOnly
          ? wholeAnswer(this._engine, req, answer.text.slice(KEY_LENGTH))
          : answer.text;
        endUnread(socket, CLOSE_TIMEOUT, Buffer.concat([Buffer.from(text, "latin1"), CLOSE_FRAME]));
      } else if (sid) {
        debug("upgrading existing transport");
        this.openWire(req, socket, sid, false, head, answer);
      } else {
        this.handshake(
          req,
          (id) => this.openWire(req, socket, id, true, head, answer),
          (error) => abortUpgrade(socket, error),
        );
      }
    });
  }

  /**
   * Runs the middlewares and the checks.
   *
   * @param {any} req
   * @param {any} res
   * @param {boolean} upgrade
   * @param {import("../http/verify").Verdict} done
   * @private
   */
  admit(req, res, upgrade, done) {
    if (this.middlewares.length === 0) {
      debug("no middleware to apply, skipping");
      this.verify(req, upgrade, done);
      return;
    }
    applyMiddlewares(this.middlewares, req, res, (error) => {
      if (error) done(ENGINE_ERRORS.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE", error });
      else this.verify(req, upgrade, done);
    });
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
   * @param {string} sid
   * @returns {import("../http/verify").SessionForm | undefined} what the workers know of an open session
   */
  find(sid) {
    if (this._registration.id === -1) return undefined; // closed, and not to be opened for this
    const found = FORMS[this.border().native.lookup(this.nativeId(), sid)]; // -1: there is no such session
    // to the workers a WebTransport session is a WebSocket
    if (found?.transport !== "websocket" || !Object.hasOwn(this.clients, sid)) return found;
    return { transport: this.clients[sid].transportName, protocol: found.protocol };
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
    this.emit("connection_error", { req, code, message: ENGINE_ERROR_MESSAGES[code], context });
  }

  /**
   * Chooses the id of a new session.
   *
   * @param {any} req
   * @param {(id: string) => void} done
   * @param {(code: number) => void} refused
   * @private
   */
  handshake(req, done, refused) {
    const protocol = protocolOf(req);
    if (protocol === 3 && !this.opts.allowEIO3) {
      this.refuse(req, ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
      refused(ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION);
      return;
    }
    const failed = (/** @type {unknown} */ error) => {
      this.refuse(req, ENGINE_ERRORS.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
      refused(ENGINE_ERRORS.BAD_REQUEST);
    };
    /** @type {any} */
    let id;
    try {
      id = this.generateId(req);
      if (typeof id?.then !== "function") id = String(id);
    } catch (error) {
      failed(error);
      return;
    }
    if (typeof id === "string") done(id);
    else id.then(String).then(done, failed);
  }

  /**
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer | undefined} head
   * @param {import("../http/upgrade-answer").UpgradeAnswer} answer
   * @private
   */
  openWire(req, socket, sid, isNew, head, answer) {
    if (socket.destroyed) return;
    new WebSocketDoor(this._engine, req, socket).open(sid, isNew, head, answer, dialectOf(req));
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
  }

  /**
   * @param {Record<string, any> | undefined} headers made when listeners are to be shown them
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
}

function noop() {}

module.exports = { EngineRequests, FORMS };
