"use strict";

const {
  closeSilently,
  countConnection,
  countingServer,
  endStandIn,
  replaceHandle,
  standInSocket,
  uncountConnection,
} = require("../base/node-internals");

const { DROP_SOCKET, reasonAgainst } = require("./reasons");

/** @typedef {import("./door").Engine} Engine */

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
 */
class TakenConnection {
  /**
   * @param {Engine} engine
   * @param {"takeover" | "polling"} kind
   * @param {"websocket" | "polling"} transport
   * @param {any} request
   * @param {number} [token] its name, when a worker has given it one
   */
  constructor(engine, kind, transport, request, token) {
    this.engine = engine;
    this.kind = kind;
    this.transport = transport;
    /** @type {string | undefined} */
    this.reason = undefined;
    this.request = request;
    this.takesBytes = !request?._query.b64;
    /** @type {import("./door").Session | undefined} */
    this.probeOf = undefined;
    /** @private @type {any} the HTTP server that counts it, once it is counted */
    this._countedBy = undefined;
    /** @private @type {any} the socket that programs may have; it takes itself off the server's count */
    this._socket = undefined;
    this.border = engine.border();
    this.token = this.border.addDoor(this, token);
    this.border.ref();
    engine.hold();
  }

  /**
   * Goes on without a socket.
   *
   * @param {any} server the HTTP server that is to count it
   */
  countFor(server) {
    this._countedBy = server;
    countConnection(server);
  }

  /**
   * Goes on without the socket that Node.js has, if nobody but us may have been given it; it stays counted.
   *
   * @param {any} socket
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
   * @param {any} socket one that Node.js has, which is counted
   * @protected
   */
  keepSocket(socket) {
    this._countedBy = countingServer(socket);
    if (socket.timeout) socket.setTimeout(0);
    replaceHandle(socket, () => this.border.endWire(this.token), ANSWER_LENGTH);
    this.giveSocket(socket);
  }

  /**
   * Gives a program that asks for it the socket: the one that there is, or a new one.
   *
   * @param {import("./door").Addresses} addresses
   * @returns {any}
   */
  socketFor(addresses) {
    if (this._socket !== undefined) return this._socket;
    const { border, token, _countedBy: server } = this;
    const isOpen = /** @type {unknown} */ (border.doors.get(token)) === this;
    if (!isOpen) return standInSocket(addresses, server);
    const socket = standInSocket(addresses, server, ANSWER_LENGTH, () => border.endWire(token));
    this.giveSocket(socket);
    return socket;
  }

  /**
   * @param {any} socket
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
   * @param {number} _kind
   * @param {any} _first
   * @param {any} _second
   * @param {Buffer} [_buffer]
   */
  onrecord(_kind, _first, _second, _buffer) {
    this.end();
  }

  /** The connection has ended, or the worker has not got it. */
  end() {
    const { probeOf } = this;
    this.probeOf = undefined;
    this.leave();
    if (this._socket !== undefined) endStandIn(this._socket);
    else if (this._countedBy !== undefined) uncountConnection(this._countedBy);
    this.engine.letGo();
    probeOf?.onProbeEnd(this.token);
  }

  /**
   * Another socket of Node.js has the connection from now on, and is counted for it.
   *
   * @protected
   */
  endForAnother() {
    this.leave();
    if (this._socket !== undefined) {
      // to who has it, one connection has ended and another one has come
      countConnection(this._countedBy);
      endStandIn(this._socket);
    }
    this.engine.letGo();
  }

  /** @protected */
  leave() {
    this.border.doors.delete(this.token);
    this.border.unref();
  }
}

function noop() {}

module.exports = { TakenConnection };
