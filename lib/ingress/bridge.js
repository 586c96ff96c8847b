"use strict";

const debug = require("debug")("engine:door");
const { RecordKind, WireKind } = require("../border");
const { Door } = require("./door");

/** How long a peer may take to end a connection that has been closed, in ms; as `ws` and the workers. */
const CLOSE_TIMEOUT = 30_000;

/** @typedef {import("./door").Host} Host */
/** @typedef {import("../http/query").Request} Request */
/** @typedef {import("../http/upgrade-answer").UpgradeAnswer} UpgradeAnswer */

/**
 * A WebSocket that is let in: what it is for, and what a worker needs to know to answer it.
 *
 * @typedef {object} Arrival
 * @property {string} sid
 * @property {boolean} isNew whether it opens that session, or asks to become its transport
 * @property {number} dialect bits of Dialect
 * @property {UpgradeAnswer | undefined} answer none when there was no upgrade request
 */

/**
 * @param {Arrival} arrival
 * @returns {number} bits of WireKind, and those of the dialect
 */
function kindOf({ isNew, dialect, answer }) {
  const kind = isNew ? dialect | WireKind.NEW_SESSION : dialect;
  if (answer === undefined) return kind;
  const agreement = answer.deflate << WireKind.AGREEMENT_SHIFT;
  return kind | (answer.keyOnly ? WireKind.KEY_ONLY : 0) | agreement;
}

/**
 * A connection that Node.js has, and whose bytes go through this thread: what comes in is given to a worker, what the worker
 * writes goes out.
 *
 *     peer ──give()──► worker
 *      ▲                 │
 *      └─── write() ◄────┘ ── pause() and resume() while it has enough, close() when the wire is closed
 *
 * `written()` confirms each chunk, so the worker knows how much has not left yet.
 */
class ByteBridge extends Door {
  /**
   * @param {Host} engine
   * @param {"websocket" | "webtransport"} transport
   * @param {Request | undefined} request
   * @param {string} reason
   */
  constructor(engine, transport, request, reason) {
    super(engine, "bridge", transport, request);
    this.reason = reason;
    this.ended = false;
    this.border.ref();
  }

  /**
   * @param {Arrival} arrival
   * @param {Buffer} [bytes] what has come already
   * @returns {boolean} whether a worker has taken it; if not, it is closed
   * @protected
   */
  openBridge(arrival, bytes) {
    const server = this.engine.nativeId();
    const { sid, answer } = arrival;
    const text = answer === undefined ? "" : answer.text;
    const kind = kindOf(arrival);
    const client = arrival.isNew ? this.clientAddress() : undefined;
    const { native } = this.border;
    const taken = native.bridgeOpen(server, this.token, sid, kind, text, bytes, client);
    if (taken) this.border.wakeSoon();
    else this.close();
    return taken;
  }

  /**
   * @param {import("./door").DoorRecord} kind
   * @param {number | undefined} first
   * @param {number | undefined} _second
   * @param {Buffer | undefined} buffer
   * @override
   */
  onrecord(kind, first, _second, buffer) {
    switch (kind) {
      case RecordKind.BRIDGE_WRITE:
        this.write(/** @type {Buffer} */ (buffer));
        break;
      case RecordKind.BRIDGE_PAUSE:
        this.pause();
        break;
      case RecordKind.BRIDGE_RESUME:
        this.resume();
        break;
      case RecordKind.WIRE_CLOSED:
        this.close(first === 1);
        break;
      default:
        debug("unknown record %d", kind);
    }
  }

  /**
   * @param {Buffer} _buffer frames of the worker; `written()` is to be told when they are on their way
   * @protected
   */
  write(_buffer) {}

  /**
   * Stops reading.
   *
   * @protected
   */
  pause() {}

  /**
   * Goes on reading.
   *
   * @protected
   */
  resume() {}

  /**
   * Ends what is left of the wire; what is written must leave first, unless the peer has been cut off.
   *
   * @param {boolean} _cut whether something was left to write, which now is lost
   * @protected
   */
  shut(_cut) {}

  /**
   * Hands bytes to the worker. When there is no room for more, it stops reading until the worker says that there is.
   *
   * @param {Buffer} bytes of the peer
   * @protected
   */
  give(bytes) {
    if (!this.ended && !this.border.native.bridgeData(this.token, bytes)) this.pause();
  }

  /**
   * @param {number} length of a buffer that has been written
   * @protected
   */
  written(length) {
    if (!this.ended) this.border.native.bridgeWritten(this.token, length);
  }

  /**
   * The worker is to hear no more of it, and answers that the wire is closed.
   *
   * @param {boolean} [broken] whether what has not left yet is lost
   * @protected
   */
  end(broken = false) {
    if (this.ended) return;
    this.ended = true;
    this.border.native.bridgeEnd(this.token, broken);
  }

  /**
   * @param {boolean} [cut] whether something was left to write
   * @protected
   */
  close(cut = false) {
    this.ended = true;
    this.border.unref();
    this.shut(cut);
    this.leave();
  }
}

module.exports = { ByteBridge, CLOSE_TIMEOUT, kindOf };
