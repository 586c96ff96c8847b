"use strict";

// What an engine does with a request for its path: it runs the middlewares, checks the request, and refuses it or hands it to a
// worker.

const { EventEmitter } = require("node:events");
const debug = require("debug")("engine");
const {
  abortRequest,
  abortUpgrade,
  answerUpgrade,
  applyMiddlewares,
  dialectOf,
  endUnread,
  passOnRequest,
  protocolOf,
  UpgradeResponse,
  wholeAnswer,
} = require("../http");
const { ENGINE_ERRORS } = require("../base/errors");
const { CLOSE_TIMEOUT, openWebSocket, PollingDoor } = require("../ingress");

/** @typedef {import("node:stream").Duplex} Duplex */
/** @typedef {import("../http/upgrade-answer").UpgradeAnswer} UpgradeAnswer */
/** @typedef {import("../http/verify").Verdict} Verdict */

/**
 * What is asked of an engine here. Programs may replace the methods `prepare`, `verify` and `generateId`.
 *
 * @typedef {object} Admission
 * @property {any} opts
 * @property {Function[]} middlewares
 * @property {boolean} hasGone whether another process has the sessions
 * @property {{ expectNext(req: any): void }} takeover
 * @property {(req: any) => void} prepare reads the query string of a request
 * @property {(req: any, upgrade: boolean, done: Verdict) => void} verify says whether a request may pass
 * @property {(req: any) => any} generateId gives the id of a new session, or a promise of it
 * @property {(req: any, code: number, context: any) => void} refuse tells of a request that may not
 * @property {import("./gate").Gate | undefined} gate undefined: there are no limits
 * @property {Function | undefined} crossOrigin the middleware for `cors`, as far as no program decides about that
 *
 * @typedef {Admission & import("../http/upgrade-answer").Upgrader & import("../ingress/polling").Engine} Handler
 */

/** A WebSocket close frame without a code. */
const CLOSE_FRAME = Buffer.from([0x88, 0x00]);

/** @type {WeakSet<Duplex>} those that an engine has taken for a WebSocket: no other one may take them, too */
const upgraded = new WeakSet();

const UPGRADED_TWICE =
  "handleUpgrade() was called more than once with the same socket: attach one engine to a path of an HTTP server, and attach it once";

/** Characters of a Sec-WebSocket-Key. */
const KEY_LENGTH = 24;

/**
 * @param {Handler} engine
 * @param {any} req
 * @param {any} res
 */
function handleRequest(engine, req, res) {
  if (debug.enabled) debug('handling "%s" http request "%s"', req.method, req.url);
  engine.takeover.expectNext(req);
  engine.prepare(req);
  if (engine.hasGone) {
    passOnRequest(req, res);
    return;
  }
  req.res = res;
  admit(engine, req, res, false, (code, context) => {
    if (engine.hasGone) {
      passOnRequest(req, res); // it has been decided about for long, and its session, if it has one, is there
      return;
    }
    if (code !== undefined) {
      engine.refuse(req, code, context);
      abortRequest(res, code, context);
      return;
    }
    req.res = null; // or the request would keep its response alive
    const { sid } = req._query;
    if (!sid) {
      chooseId(
        engine,
        req,
        (id) => {
          // its id may have taken long
          if (engine.hasGone) passOnRequest(req, res);
          else new PollingDoor(engine, req, res, id).openSession();
        },
        (error, why) => abortRequest(res, error, why),
      );
    } else if (req.method === "GET") {
      debug("setting new request for existing client");
      new PollingDoor(engine, req, res, sid).poll();
    } else if (req.method === "POST") {
      debug("setting new request for existing client");
      new PollingDoor(engine, req, res, sid).receive();
    } else {
      res.writeHead(500);
      res.end();
    }
  });
}

/**
 * @param {Handler} engine
 * @param {any} req
 * @param {Duplex} socket
 * @param {Buffer} upgradeHead
 */
function handleUpgrade(engine, req, socket, upgradeHead) {
  engine.prepare(req);
  socket.on("error", noop); // the peer may go before we have decided
  if (engine.hasGone) {
    socket.destroy(); // it comes back, to the other process
    return;
  }
  // a copy: the original keeps a whole buffer of Node.js
  const head = upgradeHead.length > 0 ? Buffer.from(upgradeHead) : undefined;
  const res = engine.middlewares.length > 0 ? new UpgradeResponse(req, socket) : undefined;
  admit(engine, req, res, true, (code, context) => {
    if (code !== undefined) {
      engine.refuse(req, code, context);
      abortUpgrade(socket, code, context);
      return;
    }
    res?.writeHead();
    if (engine.hasGone || !socket.readable || !socket.writable) {
      socket.destroy();
      return;
    }
    if (upgraded.has(socket)) throw new Error(UPGRADED_TWICE);
    upgraded.add(socket);
    const answer = answerUpgrade(engine, req, socket, res?.headers);
    if (answer === undefined) return;
    const { sid, transport } = req._query;
    const dialect = dialectOf(req);
    if (transport !== "websocket") {
      // the handshake is valid, but the request asks for no WebSocket
      const text = answer.keyOnly
        ? wholeAnswer(engine, req, answer.text.slice(KEY_LENGTH))
        : answer.text;
      endUnread(socket, CLOSE_TIMEOUT, Buffer.concat([Buffer.from(text, "latin1"), CLOSE_FRAME]));
    } else if (sid) {
      debug("upgrading existing transport");
      openWebSocket(engine, req, socket, head, { sid, isNew: false, dialect, answer });
    } else {
      chooseId(
        engine,
        req,
        (id) => {
          if (engine.hasGone) socket.destroy();
          else openWebSocket(engine, req, socket, head, { sid: id, isNew: true, dialect, answer });
        },
        (error, why) => abortUpgrade(socket, error, why),
      );
    }
  });
}

/**
 * Runs the middlewares and the checks.
 *
 * @param {Handler} engine
 * @param {any} req
 * @param {any} res
 * @param {boolean} upgrade
 * @param {Verdict} done
 */
function admit(engine, req, res, upgrade, done) {
  const { gate, middlewares } = engine;
  // before all that takes time; what is no GET opens no session: a browser asks by OPTIONS first whether it may
  const refused =
    req._query.sid || req.method !== "GET"
      ? undefined
      : gate?.pass(req, upgrade ? req.socket : res);
  if (refused !== undefined) {
    // a page of another origin may read it, as where a worker refuses
    if (!upgrade) engine.crossOrigin?.(req, res, noop);
    done(refused.code, refused);
    return;
  }
  if (middlewares.length === 0) {
    debug("no middleware to apply, skipping");
    engine.verify(req, upgrade, done);
    return;
  }
  applyMiddlewares(middlewares, req, res, (error) => {
    if (error) done(ENGINE_ERRORS.BAD_REQUEST, { name: "MIDDLEWARE_FAILURE", error });
    else engine.verify(req, upgrade, done);
  });
}

/**
 * Chooses the id of a new session.
 *
 * @param {Handler} engine
 * @param {any} req
 * @param {(id: string) => void} opening
 * @param {(code: number, context?: any) => void} refused
 */
function chooseId(engine, req, opening, refused) {
  const { gate } = engine;
  /** @type {typeof opening} */
  const done =
    gate === undefined
      ? opening
      : (id) => {
          const full = gate.open(req, () => opening(id));
          if (full === undefined) return;
          engine.refuse(req, full.code, full);
          refused(full.code, full);
        };
  const protocol = protocolOf(req);
  if (protocol === 3 && !engine.opts.allowEIO3) {
    engine.refuse(req, ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION, { protocol });
    refused(ENGINE_ERRORS.UNSUPPORTED_PROTOCOL_VERSION);
    return;
  }
  const failed = (/** @type {unknown} */ error) => {
    engine.refuse(req, ENGINE_ERRORS.BAD_REQUEST, { name: "ID_GENERATION_ERROR", error });
    refused(ENGINE_ERRORS.BAD_REQUEST);
  };
  /** @type {any} */
  let id;
  try {
    id = engine.generateId(req);
    if (typeof id?.then !== "function") id = String(id);
  } catch (error) {
    failed(error);
    return;
  }
  if (typeof id === "string") done(id);
  else id.then(String).then(done, failed);
}

/**
 * Has the middlewares look at the request of a session that another process has handed over, as at one by which a session is opened:
 * what they put on it, a program finds there. Nothing that they answer reaches the client, whose handshake was long ago.
 *
 * @param {{ middlewares: Function[] }} engine
 * @param {{ request: any }} conn
 * @param {(isAdmitted: boolean) => void} done called once
 */
function readmit({ middlewares }, conn, done) {
  const req = middlewares.length > 0 ? conn.request : undefined;
  if (!req) {
    done(true);
    return;
  }
  let isDone = false;
  const decide = (/** @type {boolean} */ isAdmitted) => {
    if (!isDone) done(isAdmitted);
    isDone = true;
  };
  const socket = /** @type {Duplex} */ (
    /** @type {unknown} */ (Object.assign(new EventEmitter(), { destroy: noop }))
  );
  const res = new UpgradeResponse(req, socket);
  res.once("finish", () => decide(false));
  applyMiddlewares(middlewares, req, res, (error) => {
    if (!error && !isDone) res.writeHead();
    decide(!error);
  });
}

function noop() {}

module.exports = { handleRequest, handleUpgrade, readmit };
