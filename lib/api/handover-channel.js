"use strict";

const { HandoverEvent } = require("../border");
const { handoverFailed } = require("../base/errors");

/** @typedef {import("../border/border").Border} Border */
/** @typedef {{ values: unknown[], buffers: Buffer[] }} News what comes with an event, as `HandoverEvent` of the border says */

/**
 * One hand-over as the addon tells of it, on either side of it.
 *
 *     open ──end(), or what has failed──► over
 */
class HandoverChannel {
  /**
   * @param {Border} border
   * @param {number} number of the addon's
   * @param {(event: number, news: News) => boolean} [onnews] takes what may come at any time; false: somebody waits for it
   */
  constructor(border, number, onnews = nobody) {
    /** @private */
    this._border = border;
    this.number = number;
    /** @private */
    this._onnews = onnews;
    /** @type {{ event: number, news: News }[]} @private what has come and nobody has waited for */
    this._come = [];
    /** @type {{ event: number, resolve: (news: News) => void, reject: (error: Error) => void } | undefined} @private */
    this._waiting = undefined;
    /** @type {((error: Error) => void) | undefined} @private called when it fails */
    this._failing = undefined;
    /** @type {Error | undefined} why nothing more comes */
    this.failure = undefined;
    /** @private */
    this._isDecided = false;
    border.handovers.set(number, this);
  }

  /**
   * @param {number} event
   * @returns {Promise<News>} when it has come; rejected when the channel fails
   */
  until(event) {
    const at = this._come.findIndex((each) => each.event === event);
    if (at !== -1) return Promise.resolve(this._come.splice(at, 1)[0].news);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => (this._waiting = { event, resolve, reject }));
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>} the same; rejected when the channel fails before
   */
  unlessFailed(promise) {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this._failing = reject;
      promise.then(resolve, reject);
    });
  }

  /**
   * @param {number} event
   * @param {unknown[]} values
   * @param {Buffer[]} buffers
   */
  onhandover(event, values, buffers) {
    const news = { values, buffers };
    if (event === HandoverEvent.FAILED) {
      this.reject(handoverFailed(String(values[0])));
      this._onnews(event, news);
      return;
    }
    if (this._onnews(event, news)) return;
    const waiting = this._waiting;
    if (waiting?.event === event) {
      this._waiting = undefined;
      waiting.resolve(news);
    } else this._come.push({ event, news });
  }

  /**
   * This side wants no more of it: whoever waits need not. Once there is no way back, this is not heard.
   *
   * @param {Error} error why
   */
  fail(error) {
    if (!this._isDecided) this.reject(error);
  }

  /** From now on only the addon knows what has become of it. */
  decide() {
    this._isDecided = true;
  }

  /**
   * @param {Error} error
   * @private
   */
  reject(error) {
    this.failure ??= error;
    const waiting = this._waiting;
    this._waiting = undefined;
    waiting?.reject(error);
    this._failing?.(error);
  }

  /**
   * Ends it, whatever it has come to. Where it is not decided yet who serves, that is the old process.
   *
   * @param {string} why what the other process is told then
   */
  end(why) {
    if (!this._border.handovers.delete(this.number)) return;
    this._border.native.endHandover(this.number, why);
  }
}

/** @returns {boolean} */
function nobody() {
  return false;
}

module.exports = { HandoverChannel };
