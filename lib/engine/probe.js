"use strict";

const trace = require("./conn-trace");
const { setImmediate } = require("../base/loop");
const { doorOf } = require("../ingress");
const { transportOf } = require("./transports");

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../ingress/door").Door} Door */
/** @typedef {import("./transport").Transport} Transport */
/** @typedef {Parameters<typeof trace.traceProbe>[0]} Traced */

/**
 * What is asked of a session.
 *
 * @typedef {import("node:events").EventEmitter & import("./transports").Connection & import("../ingress/door").Session & Traced & Probed} Session
 *
 * @typedef {object} Probed
 * @property {boolean} upgrading
 * @property {Border} _border
 * @property {Probe | undefined} _probe
 */

/** In place of a transport that has gone before anybody heard of it. */
const GONE = Object.freeze({ transport: "websocket", takesBytes: true });

/**
 * A WebSocket that asks to become the transport of a session.
 *
 *     noticed ──a turn of the event loop, or another record──► told ──it becomes that, or has ended──► over
 *
 * Told: programs have been.
 */
class Probe {
  /**
   * @param {Session} conn
   * @param {number} token that of its door
   */
  constructor(conn, token) {
    /** @private */
    this._conn = conn;
    /** @type {"noticed" | "told" | "over"} */
    this.state = "noticed";
    this.token = token;
    /** @type {Transport | undefined} as programs were shown it */
    this.transport = undefined;
    // Upstream reads a client's first packets and its probe from two connections, so in two turns of the event loop:
    // a "connection" listener is in time to listen for "upgrading". Here one batch may have both, and is handled in ticks.
    setImmediate(announce, conn);
  }

  /** Tells of it, if that has not been done yet. */
  announce() {
    if (this.state !== "noticed") return;
    const { _conn: conn, token } = this;
    if (conn.readyState === "closed") {
      conn._probe = undefined;
      return;
    }
    this.state = "told";
    const door = doorOf(conn._border, token);
    if (door !== undefined) door.probeOf = conn;
    conn.upgrading = door !== undefined;
    const { transport, takesBytes } = door ?? GONE;
    trace.traceProbe(conn, transport);
    if (conn.listenerCount("upgrading") === 0) return;
    this.transport = transportOf(conn, transport, takesBytes);
    conn.emit("upgrading", this.transport);
    if (!conn.upgrading) conn.onProbeEnd(token);
  }

  /** Its WebSocket has ended. It may have become the transport just before: then the next record says so, and it is over by that. */
  onend() {
    setImmediate(end, this);
  }

  /** Its WebSocket has ended, and has not become the transport. Another one may have come meanwhile. */
  end() {
    if (this.state !== "told") return;
    this.state = "over";
    const { _conn: conn } = this;
    if (conn._probe === this) conn._probe = undefined;
    if (conn._probe?.state !== "told") conn.upgrading = false;
    this.transport?.replace();
    this.transport?.end();
  }
}

/** @param {Session} conn */
function announce(conn) {
  conn._probe?.announce();
}

/** @param {Probe} probe */
function end(probe) {
  probe.end();
}

module.exports = { GONE, Probe };
