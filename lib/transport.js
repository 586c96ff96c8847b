"use strict";

const { LazyEmitter } = require("./lazy-emitter");

/**
 * The transport of a connection, as far as it can be seen: the real one lives in a worker.
 */
class Transport extends LazyEmitter {
  /**
   * @param {import("./conn").Conn} conn
   * @param {string} name
   */
  constructor(conn, name) {
    super();
    /** @private */
    this._conn = conn;
    this.name = name;
    this.sid = conn.id;
    this.protocol = conn.protocol;
    this.supportsBinary = true;
    this.discarded = false;
  }

  /** Whether a packet would leave at once, as far as this thread knows; volatile packets are dropped by the workers. */
  get writable() {
    const conn = this._conn;
    if (conn.readyState === "closed") return false;
    if (conn._outbox?.busy) return false;
    return this.name !== "polling" || conn.server.polls.has(conn.id);
  }

  get readyState() {
    return this._conn.readyState;
  }

  discard() {
    this.discarded = true;
  }

  /**
   * Closes the connection.
   *
   * @param {() => void} [done]
   */
  close(done) {
    this._conn.close(this.discarded);
    if (typeof done === "function") done();
  }
}

module.exports = { Transport };
