"use strict";

/** @typedef {import("./messages").Missing} Missing */

/**
 * A request to the other servers, of which each is to answer once.
 *
 * @typedef {object} Pending
 * @property {Missing["what"]} what
 * @property {unknown[]} values what they have answered
 * @property {number} got how many have
 * @property {number} expected how many are to
 * @property {NodeJS.Timeout} timer
 * @property {(values: unknown[]) => void} done
 * @property {(missing: Missing, values: unknown[]) => void} late not all have answered in time
 */

/**
 * The requests that wait for answers. Each ends: with the last answer, by its timer, or with `end()`.
 */
class Requests {
  constructor() {
    /** @private @type {Map<string, Pending>} by id */
    this._pending = new Map();
  }

  /**
   * @param {string} id
   * @param {Omit<Pending, "timer" | "got" | "values">} request
   * @param {number} timeout ms
   */
  add(id, request, timeout) {
    const timer = setTimeout(() => this.expire(id), timeout);
    this._pending.set(id, { ...request, values: [], got: 0, timer });
  }

  /**
   * @param {string} id
   * @param {Missing["what"]} what
   * @param {unknown[]} values what one server answers
   */
  answer(id, what, values) {
    const pending = this._pending.get(id);
    if (pending === undefined || pending.what !== what) return; // it has ended, or is another server's
    for (const value of values) pending.values.push(value);
    pending.got++;
    if (pending.got < pending.expected) return;
    this.remove(id, pending);
    pending.done(pending.values);
  }

  /** Ends all of them with what has come. */
  end() {
    for (const id of this._pending.keys()) this.expire(id);
  }

  /**
   * @param {string} id
   * @private
   */
  expire(id) {
    const pending = this._pending.get(id);
    if (pending === undefined) return;
    this.remove(id, pending);
    const { what, got, expected, values } = pending;
    pending.late({ what, got, expected }, values);
  }

  /**
   * @param {string} id
   * @param {Pending} pending
   * @private
   */
  remove(id, pending) {
    clearTimeout(pending.timer);
    this._pending.delete(id);
  }
}

module.exports = { Requests };
