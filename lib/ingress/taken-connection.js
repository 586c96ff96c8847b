"use strict";

const debug = require("debug")("engine:polling");
const {
  countConnection,
  endStandIn,
  socketOf,
  uncountConnection,
} = require("../base/node-internals");
const { Record } = require("../border");
const { keepSocket } = require("./worker-socket");

/** @typedef {import("./polling-takeover").PollingTakeover} PollingTakeover */

/**
 * A connection whose polling requests a worker answers. It still counts as a connection of its HTTP server.
 *
 *     taken ──closed by the worker──► gone
 *       └──given back, with bytes──► a new socket of the HTTP server
 *
 * To the session that it opens, if it does, it is the door.
 */
class TakenConnection {
  /**
   * @param {PollingTakeover} takeover who has taken it
   * @param {any} server the HTTP server
   * @param {(server: any, socket: any) => void} awaitHead sees to it that a socket which comes back is not kept for ever
   */
  constructor(takeover, server, awaitHead) {
    this.takeover = takeover;
    /** @private */
    this._awaitHead = awaitHead;
    this.server = server;
    this.kind = /** @type {"polling"} */ ("polling");
    /** @type {string | undefined} */
    this.reason = undefined;
    /** @type {import("./accepted-request").AcceptedRequest | undefined} until the session is open that it opens */
    this.req = undefined;
    const border = takeover.engine.border();
    this.border = border;
    this.token = border.addDoor(this);
    /** @type {any} the socket that programs may have; it takes itself off the server's count */
    this.kept = undefined;
    border.retain();
    takeover.engine.hold();
    takeover.size++;
    countConnection(server); // a socket that Node.js has made takes one off when it is destroyed
  }

  /**
   * A program has the socket of the connection, or may have it.
   *
   * @param {any} socket
   */
  keep(socket) {
    uncountConnection(this.server);
    keepSocket(socket, this);
  }

  /**
   * @param {number} kind
   * @param {any} _first
   * @param {any} _second
   * @param {Buffer} [bytes]
   */
  onrecord(kind, _first, _second, bytes) {
    if (kind === Record.GIVEN_BACK) this.comeBack(/** @type {Buffer} */ (bytes));
    else this.end();
  }

  /** The connection is closed. */
  end() {
    this.forget();
    if (this.kept !== undefined) {
      endStandIn(this.kept);
    } else {
      uncountConnection(this.server);
    }
  }

  /** @private */
  forget() {
    this.border.doors.delete(this.token);
    this.border.release();
    this.takeover.size--;
    this.takeover.engine.letGo();
  }

  /**
   * The worker does not answer what stands in `bytes`: from here on all is as if the connection had come now.
   *
   * @param {Buffer} bytes
   * @private
   */
  comeBack(bytes) {
    const { server } = this;
    debug("a connection is given back");
    let socket;
    try {
      socket = socketOf(server, this.border.native.takeDescriptor(this.token));
    } catch (error) {
      debug("the connection is lost: %s", error); // nothing can be read from it
      this.end();
      return;
    }
    this.forget();
    if (this.kept !== undefined) {
      // to who has it, one connection has ended and another one has come
      countConnection(server);
      endStandIn(this.kept);
    }
    server.emit("connection", socket);
    this._awaitHead(server, socket);
    socket.emit("data", bytes);
  }
}

module.exports = { TakenConnection };
