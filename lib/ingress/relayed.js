"use strict";

const debug = require("debug")("engine:polling");
const {
  beforeSending,
  breakSocket,
  countConnection,
  hasConnection,
  mute,
  relayedSocket,
} = require("../node");
const { showDecrypted } = require("../base/decrypted-socket");
const { RecordKind, Returned } = require("../border");
const { nativeTls } = require("./native-tls");

/** @typedef {import("./door").Engine} Engine */
/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").Request} Request */
/** @typedef {import("../node/inside").Response} Response */
/** @typedef {import("../node/inside").Socket} Socket */

/** @type {WeakMap<object, RelayedConnection>} by the sockets that Node.js has of them */
const relayed = new WeakMap();

/** @type {WeakMap<HttpServer, Set<RelayedConnection>>} those that are there */
const open = new WeakMap();

/** @type {WeakMap<object, RelayedRequest>} by the requests */
const requests = new WeakMap();

/** Headers that are ours, or Node's, or that must not be sent again. */
const OWN_HEADERS = new Set([
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "set-cookie",
  "transfer-encoding",
]);

/**
 * A connection that a worker has, and whose bytes it relays to this thread (src/net/relay.rs): to Node.js it is a connection
 * like any other. While this thread is blocked, the worker answers the heartbeats that come by it.
 */
class RelayedConnection {
  /**
   * @param {Engine} engine
   * @param {HttpServer} server the one that it came to
   * @param {number} token the name that the worker has given it
   */
  constructor(engine, server, token) {
    this.engine = engine;
    this.server = server;
    this.token = token;
    this.border = engine.border();
    /** requests that have begun */
    this.count = 0;
    /** @private @type {Socket | undefined} */
    this._socket = undefined;
  }

  /**
   * Has the HTTP server accept it.
   *
   * @param {import("./door").Addresses} addresses
   * @param {string} [tls] what was agreed on, if the worker speaks TLS by it
   */
  accept(addresses, tls) {
    const { border, engine, server, token } = this;
    const { native } = border;
    const descriptor = native.takeDescriptor(token);
    if (descriptor === Returned.NO_DESCRIPTOR) return; // its peer has gone, and nothing was left to do
    border.addDoor(this, token);
    border.ref();
    engine.ref();
    let socket;
    try {
      socket = relayedSocket(server, descriptor, addresses, () => native.resetRelay(token));
    } catch (error) {
      debug("a connection is lost: %s", error); // nothing can be read from it
      native.forgetRelayed(token);
      return;
    }
    this._socket = socket;
    relayed.set(socket, this);
    const others = open.get(server);
    if (others === undefined) open.set(server, new Set([this]));
    else others.add(this);
    socket.once("close", () => native.forgetRelayed(token));
    countConnection(server);
    const details = tls === undefined ? undefined : nativeTls.get(server)?.details(tls);
    if (details === undefined) server.emit("connection", socket);
    else server.emit("secureConnection", showDecrypted(socket, details));
  }

  /** Requests of it may be given to others than us: the worker must not answer what they answer. */
  bypass() {
    this.border.native.bypassRelayed(this.token);
  }

  /** @param {import("../border/border").DoorRecord} kind */
  onrecord(kind) {
    if (kind === RecordKind.RELAY_BROKEN) {
      const { _socket: socket } = this;
      const isOurs = socket !== undefined && hasConnection(socket);
      if (socket !== undefined) breakSocket(socket);
      // A worker, or a socket that came after this one, has our end of the pair by now. It sees the end when the other one is closed.
      if (!isOurs) this.border.native.resetRelay(this.token);
      return;
    }
    open.get(this.server)?.delete(this);
    this.border.doors.delete(this.token);
    this.border.unref();
    this.engine.unref();
  }
}

/** A request that has come by such a connection. */
class RelayedRequest {
  /**
   * @param {RelayedConnection} connection
   * @param {Response} res
   */
  constructor(connection, res) {
    this.connection = connection;
    this.res = res;
    this.number = connection.count++;
    /** whether the worker has answered it, as far as is known */
    this.isAnswered = connection.border.native.beginRelayed(connection.token);
    if (this.isAnswered) mute(res);
    else {
      beforeSending(res, () =>
        connection.border.native.claimRelayed(connection.token, this.number),
      );
      res.once("finish", () => this.settle());
    }
  }

  /**
   * Its session is to hear of it, unless the worker has answered it.
   *
   * @param {number} token that of its door
   * @param {string} sid
   * @returns {boolean} whether it is to
   */
  enter(token, sid) {
    const { border, token: relay } = this.connection;
    this.noteHeaders(sid);
    this.isAnswered ||= border.native.enterRelayed(relay, this.number, token);
    return !this.isAnswered;
  }

  /**
   * Its session has answered it, or it has gone.
   *
   * @param {number} token that of its door
   */
  leave(token) {
    this.connection.border.native.leaveRelayed(token);
  }

  /** Its answer is in the socket. */
  settle() {
    const { border, token } = this.connection;
    border.native.settleRelayed(token, this.number);
  }

  /**
   * Notes the headers that the program has set for its answer: a worker uses them for its own answers to that client.
   *
   * @param {string} sid
   */
  noteHeaders(sid) {
    const { border, engine } = this.connection;
    border.native.noteLines(engine.nativeId(), sid, linesOf(this.res));
  }
}

/**
 * @param {Response} res
 * @returns {string} the headers that have been set, as they are written
 */
function linesOf(res) {
  let lines = "";
  for (const name of res.getHeaderNames()) {
    if (OWN_HEADERS.has(name)) continue;
    for (const value of [res.getHeader(name)].flat()) lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** @param {HttpServer} server one by whose listener of ours requests may pass */
function bypassRelayed(server) {
  for (const connection of open.get(server) ?? []) connection.bypass();
}

/**
 * Node.js begins with a request.
 *
 * @param {Request} req
 * @param {Response} res
 */
function noteRequest(req, res) {
  const connection = relayed.get(req.socket);
  if (connection === undefined || requests.has(req)) return; // another engine of that server has
  requests.set(req, new RelayedRequest(connection, res));
}

/**
 * @param {Request} req
 * @returns {RelayedRequest | undefined} what is known of it, if it has come by a relayed connection
 */
function relayedRequest(req) {
  return requests.get(req);
}

module.exports = { bypassRelayed, noteRequest, RelayedConnection, relayedRequest };
