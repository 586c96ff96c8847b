"use strict";

const debug = require("debug")("engine:ws");
const { BridgeDoor, kindOf } = require("./bridge-door");
const { endUnread } = require("../http");
const {
  closeSilently,
  countingServer,
  descriptorOf,
  endStandIn,
  httpServerOf,
  uncountConnection,
} = require("../base/node-internals");
const { DROP_SOCKET, reasonAgainst, reasonOf, TAKE_OVER, TAKES_WEBSOCKET } = require("./reasons");
const { keepSocket } = require("./worker-socket");

/** @typedef {import("../engine/engine").Engine} Engine */

/** @typedef {import("../http/upgrade-answer").UpgradeAnswer} UpgradeAnswer */

/** How long a peer may take to close a connection whose WebSocket is closed, in ms; as `ws` and the workers. */
const CLOSE_TIMEOUT = 30_000;

/**
 * @param {import("node:stream").Duplex} socket
 * @param {Buffer | undefined} head
 * @returns {Buffer | undefined} what the peer has sent since its request, as far as it has been read
 */
function collect(socket, head) {
  if (socket.readableLength === 0) return head; // the usual case; to ask for more would start reading
  const chunks = head === undefined ? [] : [head];
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/**
 * The wire of a WebSocket: a worker reads and writes it, either on its own descriptor (take-over) or, for everything
 * that is not plain TCP on POSIX, through this thread (byte border).
 */
class WebSocketDoor extends BridgeDoor {
  /**
   * @param {Engine} engine
   * @param {any} req
   * @param {import("node:stream").Duplex | undefined} socket
   */
  constructor(engine, req, socket) {
    super(engine);
    /** @type {any} dropped when the session is open */
    this.req = req;
    /** @type {any} */
    this.socket = socket;
    /** @type {any} the net.Server that goes on counting the connection */
    this.server = undefined;
    /** @type {any} the socket that programs may have; it takes itself off the server's count */
    this.kept = undefined;
  }

  /**
   * Hands the connection to a worker, which answers the handshake.
   *
   * @param {string} sid
   * @param {boolean} isNew a new session, or an upgrade of an existing one
   * @param {Buffer | undefined} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect how the client speaks
   */
  open(sid, isNew, head, answer, dialect) {
    const { socket } = this;
    if (socket.timeout) socket.setTimeout(0);
    const { engine } = this;
    const server = httpServerOf(socket);
    const mustPump = reasonAgainst(engine, server, TAKE_OVER, socket) !== undefined;
    const ways = mustPump ? TAKE_OVER : TAKES_WEBSOCKET;
    this.reason = reasonOf(engine, "WebSocket", server, ways, socket);
    if (mustPump) this.pump(sid, isNew, head, answer, dialect);
    else this.takeOver(descriptorOf(socket), sid, isNew, head, answer, dialect);
  }

  /**
   * @param {number} descriptor
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer | undefined} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect
   * @private
   */
  takeOver(descriptor, sid, isNew, head, answer, dialect) {
    const { socket } = this;
    this.kind = "takeover";
    let taken = false;
    try {
      taken = this.border.native.adopt(
        this.engine.nativeId(),
        this.token,
        sid,
        kindOf(isNew, dialect, answer),
        descriptor,
        answer.text,
        collect(socket, head),
      );
    } catch (error) {
      debug("the connection can't be taken over: %s", error); // no descriptor is free
    }
    this.socket = undefined;
    const server = countingServer(socket);
    this.server = server;
    if (!taken) socket.destroy();
    else if (reasonAgainst(this.engine, server, DROP_SOCKET, socket) !== undefined)
      keepSocket(socket, this);
    else closeSilently(socket); // most of what destroy() costs is told to listeners, and there are none
    if (taken) this.border.wakeSoon();
    else this.close();
  }

  /**
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer | undefined} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect
   * @private
   */
  pump(sid, isNew, head, answer, dialect) {
    const { socket } = this;
    if (typeof socket.setNoDelay === "function") socket.setNoDelay();
    if (!this.openBridge(sid, isNew, dialect, collect(socket, head), answer)) return;
    const onend = () => this.end();
    socket.on("data", (/** @type {Buffer} */ chunk) => this.give(chunk));
    socket.on("end", onend);
    socket.on("error", () => this.end(true));
    socket.on("close", onend);
    socket.resume();
  }

  /** @override @protected */
  pause() {
    this.socket?.pause();
  }

  /** @override @protected */
  resume() {
    this.socket?.resume();
  }

  /**
   * @param {Buffer} buffer
   * @override
   * @protected
   */
  write(buffer) {
    this.socket.write(buffer, (/** @type {any} */ error) => {
      if (!error) this.written(buffer.length); // an error ends the wire through its own event
    });
  }

  /**
   * @param {boolean} cut
   * @override
   * @protected
   */
  shut(cut) {
    const { kept, server, socket } = this;
    this.socket = undefined;
    if (cut) socket?.destroy();
    else if (socket) endUnread(socket, CLOSE_TIMEOUT); // it may be paused
    if (kept !== undefined) {
      endStandIn(kept);
    } else if (server !== undefined) {
      uncountConnection(server);
    }
  }
}

/** Index of the transport's name. */
WebSocketDoor.prototype.transport = 1;

module.exports = { CLOSE_TIMEOUT, WebSocketDoor };
