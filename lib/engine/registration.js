"use strict";

const { addUp, getBorder } = require("../border");

/** @typedef {import("../border/border").Border} Border */

/** @typedef {import("../border/border").ServerConfig} ServerConfig */
/** @typedef {import("../border/border").SessionOwner} SessionOwner */

/**
 * What is asked of the engine: `workerConfig()` tells what the workers need to know.
 *
 * @typedef {SessionOwner & { opts: { workers?: unknown }, workerConfig(): ServerConfig }} Registrant
 */

/**
 * The place of an engine among the workers.
 *
 *     not registered ──the first request──► registered
 *           ▲                                   │
 *           └──close(), and nothing is counted──┘
 */
class Registration {
  /** @param {Registrant} engine */
  constructor(engine) {
    /** @private */
    this._engine = engine;
    /** @type {Border | undefined} @private */
    this._border = undefined;
    /** our number at the border; -1: we are not registered */
    this.id = -1;
    /** @private what the workers have of ours */
    this._refs = 0;
    /** @type {import("../border/measured").OfServer | null} what was counted of us under the numbers that we had before */
    this._past = null;
    /** whether it leaves as soon as nothing is counted */
    this.closed = false;
  }

  /** @returns {Border} */
  border() {
    return (this._border ??= getBorder(this._engine.opts.workers));
  }

  /** @returns {number} our number at the border; the options count as they are at the first call */
  open() {
    if (this.id === -1) {
      this.id = this.border().openServer(this._engine, this._engine.workerConfig());
      this.closed = false;
    }
    return this.id;
  }

  /** Tells the workers of options that have changed: the new values count for the sessions to come. */
  configure() {
    if (this.id !== -1) this.border().configureServer(this.id, this._engine.workerConfig());
  }

  /** Counts what the workers still have of ours: a session, a request or the wire of a WebSocket. */
  ref() {
    this._refs++;
  }

  /** The workers have no longer what was counted. */
  unref() {
    if (--this._refs === 0) this.leave();
  }

  /** Leaves the border as soon as the workers have nothing of ours. */
  close() {
    this.closed = true;
    this.leave();
  }

  /**
   * With the last server of the process, the workers end.
   *
   * @private
   */
  leave() {
    if (!this.closed || this._refs > 0 || this.id === -1) return;
    this._past = this.measure().server;
    const { id } = this;
    this.id = -1;
    this.border().closeServer(id);
  }

  /** @returns {import("../border/measured").Measured} what the addon has counted, of us since the beginning */
  measure() {
    const measured = this.border().measure(this.id);
    return { ...measured, server: addUp(this._past, measured.server) };
  }
}

module.exports = { Registration };
