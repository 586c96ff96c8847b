"use strict";

const {
  closeSilently,
  countConnection,
  countingServer,
  endStandIn,
  replaceHandle,
  standInSocket,
  uncountConnection,
} = require("../node");
const { showDecrypted } = require("../base/decrypted-socket");
const { Door } = require("./door");
const { DROP_SOCKET, reasonAgainst } = require("./reasons");

/** @typedef {import("./door").Engine} Engine */
/** @typedef {import("../base/decrypted-socket").TlsDetails} TlsDetails */
/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").Stream} Stream */
/** @typedef {import("node:net").Socket} Socket */

/** Bytes of an answer to an upgrade request, at least: to Node.js and to others, nothing has been written to a socket without. */
const ANSWER_LENGTH = 129;

/**
 * A connection that a worker has. The worker reads and writes by a descriptor of its own, so the handle that Node.js has of the
 * connection is closed. What programs see of the connection stays as it was:
 *
 * - The HTTP server goes on counting it as one of its connections.
 * - Where a program has been given the socket, or may have been (see reasons.js), the object stays what it is: counted by
 *   its server, open until the connection has ended, with "close" then, and with `destroy()` and `end()` that end the
 *   connection. Only its handle is another one, which leads to the worker.
 * - Otherwise there is no socket any more (or there has never been one: see Acceptor). A program that asks for it later, by
 *   `socket.request`, gets a new one, which does the same.
 *
 * What is not as it was: `bytesRead` and `bytesWritten` stand still, and `write()` fails with EPIPE, because only the worker
 * reads and writes.
 *
 * @extends {Door<Engine>}
 */
class TakenConnection extends Door {
  /**
   * @param {Engine} engine
   * @param {"takeover" | "polling"} kind
   * @param {"websocket" | "polling"} transport
   * @param {import("./door").FirstRequest | undefined} request
   * @param {number} [token] its name, when a worker has given it one
   */
  constructor(engine, kind, transport, request, token) {
    super(engine, kind, transport, request, token);
    /** @type {TlsDetails | undefined} what was agreed on, if a worker speaks TLS by it */
    this.tls = undefined;
    /** @private @type {HttpServer | undefined} the one that counts it, once it is counted */
    this._countedBy = undefined;
    /** @private @type {Socket | undefined} the one that programs may have; it takes itself off the server's count */
    this._socket = undefined;
    this.border.ref();
  }

  /** @override */
  get isTaken() {
    return true;
  }

  /**
   * Notes the addresses that a socket shows.
   *
   * @param {Stream} socket
   * @protected
   */
  noteAddresses(socket) {
    this.addresses = {
      address: socket.remoteAddress ?? "",
      port: socket.remotePort ?? 0,
      localAddress: socket.localAddress ?? "",
      localPort: socket.localPort ?? 0,
    };
  }

  /**
   * Goes on without a socket.
   *
   * @param {HttpServer} server the HTTP server that is to count it
   */
  countFor(server) {
    this._countedBy = server;
    countConnection(server);
  }

  /**
   * Goes on without the socket that Node.js has, if nobody but us may have been given it; it stays counted.
   *
   * @param {Stream} socket
   * @protected
   */
  leaveSocket(socket) {
    this._countedBy = countingServer(socket);
    if (reasonAgainst(this.engine, this._countedBy, DROP_SOCKET, socket) !== undefined)
      this.keepSocket(socket);
    else closeSilently(socket);
  }

  /**
   * Goes on with the socket: a program has it, or may have it.
   *
   * @param {Stream} socket one that Node.js has, which is counted
   * @protected
   */
  keepSocket(socket) {
    this._countedBy = countingServer(socket);
    if (socket.timeout) socket.setTimeout?.(0);
    replaceHandle(socket, () => this.border.endWire(this.token), ANSWER_LENGTH);
    this.giveSocket(/** @type {Socket} */ (socket));
  }

  /**
   * Gives a program that asks for it the socket: the one that there is, or a new one.
   *
   * @param {import("./door").Addresses} addresses
   * @returns {Socket}
   * @override
   */
  socketFor(addresses) {
    if (this._socket !== undefined) return this._socket;
    const { border, token, _countedBy: server } = this;
    const isOpen = border.doors.get(token) === this;
    if (!isOpen) return this.show(standInSocket(addresses, server));
    const socket = standInSocket(addresses, server, ANSWER_LENGTH, () => border.endWire(token));
    this.giveSocket(socket);
    return this.show(socket);
  }

  /**
   * @param {Socket} socket
   * @returns {Socket} the same, which shows TLS if that is spoken
   * @private
   */
  show(socket) {
    return this.tls === undefined ? socket : showDecrypted(socket, this.tls);
  }

  /**
   * @param {Socket} socket
   * @private
   */
  giveSocket(socket) {
    this._socket = socket;
    socket.on("error", noop); // the peer may be gone, and nobody else may listen
    socket.resetAndDestroy = socket.destroy; // what Node.js does needs a handle of its own
  }

  /**
   * All that is told of it is that it has ended.
   *
   * @param {import("./door").DoorRecord} _kind
   * @param {number | undefined} _first
   * @param {number | undefined} _second
   * @param {Buffer | undefined} _buffer
   * @override
   */
  onrecord(_kind, _first, _second, _buffer) {
    this.end();
  }

  /** The connection has ended, or the worker has not got it. */
  end() {
    this.leave();
    if (this._socket !== undefined) endStandIn(this._socket);
    else if (this._countedBy !== undefined) uncountConnection(this._countedBy);
  }

  /**
   * Another socket of Node.js has the connection from now on, and is counted for it.
   *
   * @protected
   */
  endForAnother() {
    this.leave();
    if (this._socket === undefined) return;
    // to who has it, one connection has ended and another one has come
    if (this._countedBy !== undefined) countConnection(this._countedBy);
    endStandIn(this._socket);
  }

  /** @override @protected */
  leave() {
    this.border.unref();
    super.leave();
  }
}

function noop() {}

module.exports = { TakenConnection };
