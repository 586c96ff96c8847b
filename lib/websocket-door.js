"use strict";

const debug = require("debug")("engine:ws");
const { Record } = require("./bridge");

/** @typedef {import("./engine").Engine} Engine */

const NEW_SESSION = 4;

/** @typedef {import("./bridge").UpgradeAnswer} UpgradeAnswer */

const POSIX = process.platform !== "win32" && process.versions.bun === undefined;

/**
 * @param {any} socket
 * @returns {number} the descriptor of a plain TCP connection that a worker can take over, or -1
 */
function descriptorOf(socket) {
  const handle = socket._handle;
  if (!POSIX || !handle || socket.encrypted || handle.constructor.name !== "TCP") return -1;
  if (socket.writableLength > 0) return -1; // what Node still has to write would be lost
  return typeof handle.fd === "number" ? handle.fd : -1;
}

/**
 * @param {import("node:stream").Duplex} socket
 * @param {Buffer} head
 * @returns {Buffer} what the peer has sent since its request, as far as it has been read
 */
function collect(socket, head) {
  const chunks = head.length > 0 ? [head] : [];
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/**
 * @param {boolean} isNew
 * @param {number} dialect
 * @returns {number} both in one, as the addon has it
 */
function kindOf(isNew, dialect) {
  return dialect | (isNew ? NEW_SESSION : 0);
}

/**
 * The wire of a WebSocket: a worker reads and writes it, either on its own descriptor (take-over) or, for everything
 * that is not plain TCP on POSIX, through this thread (byte bridge).
 */
class WebSocketDoor {
  /**
   * @param {Engine} engine
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   */
  constructor(engine, req, socket) {
    this.engine = engine;
    /** @type {any} dropped when the session is open */
    this.req = req;
    /** @type {any} */
    this.socket = socket;
    /** @type {any} the net.Server that must go on counting the connection */
    this.counter = undefined;
    this.ended = false;
    /** @type {import("./conn").Conn | undefined} the session whose transport it asks to become */
    this.probeOf = undefined;
    this.kind = /** @type {"takeover" | "bridge"} */ ("bridge");
    this.bridge = engine.bridge();
    this.token = this.bridge.addDoor(this);
    this.bridge.retain();
    engine.hold();
  }

  /**
   * Hands the connection to a worker, which answers the handshake.
   *
   * @param {string} sid
   * @param {boolean} isNew a new session, or an upgrade of an existing one
   * @param {Buffer} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect how the client speaks
   */
  open(sid, isNew, head, answer, dialect) {
    const { socket } = this;
    if (typeof socket.setTimeout === "function") socket.setTimeout(0);
    const descriptor = descriptorOf(socket);
    if (descriptor >= 0) this.takeOver(descriptor, sid, isNew, head, answer, dialect);
    else this.pump(sid, isNew, head, answer, dialect);
  }

  /**
   * @param {number} descriptor
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect
   * @private
   */
  takeOver(descriptor, sid, isNew, head, answer, dialect) {
    const { socket } = this;
    this.kind = "takeover";
    // asked for now, it is remembered when the handle is gone; the peer's address comes from the worker
    if (this.engine.isSeen()) void socket.localAddress;
    socket._handle.readStop();
    const { native } = this.bridge;
    const bytes = collect(socket, head);
    let taken = false;
    try {
      taken = native.adopt(
        this.engine.nativeId(),
        this.token,
        sid,
        kindOf(isNew, dialect),
        descriptor,
        bytes,
        answer,
      );
    } catch (error) {
      debug("the connection can't be taken over: %s", error); // no descriptor is free
    }
    const server = socket._server;
    if (taken && server && typeof server._connections === "number") {
      this.counter = server;
      server._connections++; // destroy() takes one off
    }
    this.socket = undefined;
    socket.destroy();
    if (!taken) this.close();
  }

  /**
   * @param {string} sid
   * @param {boolean} isNew
   * @param {Buffer} head
   * @param {UpgradeAnswer} answer
   * @param {number} dialect
   * @private
   */
  pump(sid, isNew, head, answer, dialect) {
    const { socket, token } = this;
    if (typeof socket.setNoDelay === "function") socket.setNoDelay();
    const { native } = this.bridge;
    const taken = native.bridgeOpen(
      this.engine.nativeId(),
      token,
      sid,
      kindOf(isNew, dialect),
      collect(socket, head),
      answer,
    );
    if (!taken) {
      this.close();
      return;
    }
    const onend = () => {
      if (this.ended) return;
      this.ended = true;
      native.bridgeEnd(token);
    };
    socket.on("data", (/** @type {Buffer} */ chunk) => {
      if (!this.ended) native.bridgeData(token, chunk);
    });
    socket.on("end", onend);
    socket.on("error", onend);
    socket.on("close", onend);
    socket.resume();
  }

  /**
   * @param {number} kind
   * @param {any} _first
   * @param {any} _second
   * @param {Buffer} [buffer]
   */
  onrecord(kind, _first, _second, buffer) {
    switch (kind) {
      case Record.WRITE:
        this.write(/** @type {Buffer} */ (buffer));
        break;
      case Record.PAUSE:
        this.socket?.pause();
        break;
      case Record.RESUME:
        this.socket?.resume();
        break;
      case Record.WIRE_CLOSED:
        this.close();
        break;
      default:
        debug("unknown record %d", kind);
    }
  }

  /**
   * @param {Buffer} buffer
   * @private
   */
  write(buffer) {
    this.socket.write(buffer, (/** @type {any} */ error) => {
      // an error ends the wire through its own event
      if (!error && !this.ended) this.bridge.native.bridgeWritten(this.token, buffer.length);
    });
  }

  /** @private */
  close() {
    this.bridge.doors.delete(this.token);
    this.bridge.release();
    this.ended = true;
    this.socket?.end();
    this.socket = undefined;
    if (this.probeOf !== undefined) this.probeOf.upgrading = false;
    this.probeOf = undefined;
    const { counter } = this;
    if (counter !== undefined) {
      counter._connections--;
      counter._emitCloseIfDrained();
    }
    this.engine.letGo();
  }
}

/** Index of the transport's name. */
WebSocketDoor.prototype.transport = 1;

module.exports = { WebSocketDoor, kindOf };
