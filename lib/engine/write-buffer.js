"use strict";

const debug = require("debug")("engine:socket");
const { nextTick } = require("../base/loop");

/** @typedef {import("./conn").Conn} Conn */

/**
 * What of a connection's packets has left, as far as this thread knows. It is kept only for connections of which
 * somebody wants to know: the packets themselves go to the worker at once, in any case.
 *
 *     add() ──► packets ──flush()──► unmarked ──next tick──► marked ──the worker says so──► callbacks
 *
 * A worker is told by a mark, put behind the packets of a tick, that we want to hear when all before it has left.
 */
class Outbox {
  /** @param {Conn} conn */
  constructor(conn) {
    this.conn = conn;
    /** @type {any[]} packets that the transport could not take yet (`conn.writeBuffer`) */
    this.packets = [];
    /** @type {Function[]} callbacks of the packets above */
    this.callbacks = [];
    /** @type {Function[]} callbacks of packets that have no mark behind them yet */
    this.unmarked = [];
    /** @type {Function[][]} by mark, oldest first */
    this.marked = [];
    this.busy = false;
    this.scheduled = false;
    this.mark = this.mark.bind(this);
  }

  /**
   * @param {any} packet
   * @param {Function} [callback]
   */
  add(packet, callback) {
    this.packets.push(packet);
    if (typeof callback === "function") this.callbacks.push(callback);
    this.flush();
  }

  /** Shows to the listeners of "flush" and "drain" what the transport can take now. */
  flush() {
    const { conn, packets } = this;
    if (packets.length === 0 || conn.readyState === "closed" || !conn.transport.writable) return;
    debug("flushing buffer to transport");
    conn.emit("flush", packets);
    conn.server.emit("flush", conn, packets);
    this.packets = [];
    this.unmarked.push(...this.callbacks);
    this.callbacks = [];
    this.busy = true;
    if (!this.scheduled) {
      this.scheduled = true;
      nextTick(this.mark); // the packets are written to the batch after this call
    }
    conn.emit("drain");
    conn.server.emit("drain", conn);
  }

  /** @private */
  mark() {
    this.scheduled = false;
    if (this.conn.readyState === "closed") return;
    this.marked.push(this.unmarked);
    this.unmarked = [];
    this.conn._border.operations.mark(this.conn);
  }

  /**
   * What was sent before the oldest marks has left.
   *
   * @param {number} marks how many of them
   */
  ondrain(marks) {
    const { transport } = this.conn;
    const lists = this.marked.splice(0, marks);
    this.busy = this.marked.length > 0 || this.scheduled;
    try {
      if (lists.length > 0) debug("executing batch send callback");
      for (const callbacks of lists) for (const callback of callbacks) callback(transport);
    } finally {
      this.flush();
    }
  }

  /** What has been handed to the worker passes for sent. */
  ondrainAll() {
    this.ondrain(this.marked.length);
  }

  /** The connection is closed: what has not left is dropped, but "close" listeners can still look at it. */
  clear() {
    this.callbacks = [];
    this.unmarked = [];
    this.marked = [];
    nextTick(() => {
      this.packets = [];
    });
  }
}

module.exports = { Outbox };
