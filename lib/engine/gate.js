"use strict";

const { Returned } = require("../border");
const { channels } = require("../base/channels");
const { engineMessage } = require("../base/errors");
const { countsPending } = require("../base/limits");
const { setTimeout } = require("../base/loop");

/** @typedef {import("events").EventEmitter} EventEmitter */

/** What the addon knows the last handshake by: engines of one thread share these numbers. */
let lastKey = 0;

/** Milliseconds between two tellings, as in the addon. */
const TELLING_INTERVAL = 1000;

/** Why a handshake is refused. @typedef {{ name: string, code: number, message: string, retryAfter: number }} Refusal */

/**
 * What is asked of an engine.
 *
 * @typedef {object} Engine
 * @property {() => import("../border/border").Border} border
 * @property {() => number} nativeId
 * @property {(request: any, peer: string | undefined) => string | undefined} clientAddress where the client of a request is
 */

/**
 * The limits of an engine (option `limits`), for handshakes that this thread has read: workers ask the same of those that they have
 * accepted, and those never come here. What counts is in the addon (`src/limits/`).
 */
class Gate {
  /**
   * @param {Engine} engine
   * @param {{ limits?: any, admission?: any }} options its options
   * @returns {Gate | undefined} undefined: there are no limits
   */
  static of(engine, { limits, admission }) {
    return limits || admission ? new Gate(engine, countsPending(limits)) : undefined;
  }

  /**
   * @param {Engine} engine
   * @param {boolean} countsPending whether handshakes that nothing is decided about are limited
   */
  constructor(engine, countsPending) {
    /** @private */
    this._countsPending = countsPending;
    /** @private */
    this._engine = engine;
    /** @private @type {Record<string, number>} what was told last */
    this._told = {};
    /** @private @type {NodeJS.Timeout | undefined} until it may be told again */
    this._pause = undefined;
    /** @private @type {Map<any, () => void>} by their requests, handshakes that nothing is decided about, and what ends that */
    this._pending = new Map();
  }

  /**
   * A handshake has come. It counts for the rates, and for the pending ones until {@link end}.
   *
   * @param {any} req undefined: there is none, and its address is not known
   * @param {EventEmitter} [door] its answer or connection, with which it ends at last; none: it is decided about at once
   * @returns {Refusal | undefined} undefined: it may go on
   */
  pass(req, door) {
    const { _engine: engine } = this;
    const { native } = engine.border();
    const key = (lastKey = (lastKey + 1) >>> 0);
    const refusal = refusalOf(native.passGate(engine.nativeId(), this.addressOf(req), key));
    if (refusal !== undefined) return this.note(refusal);
    if (!this._countsPending) return undefined;
    if (door === undefined) {
      native.endHandshake(key);
      return undefined;
    }
    const end = () => {
      door.off("close", end);
      this._pending.delete(req);
      native.endHandshake(key);
    };
    this._pending.set(req, end);
    // a program may have passed it on when its peer had gone
    if (/** @type {any} */ (door).destroyed) end();
    else door.once("close", end);
    return undefined;
  }

  /** @param {any} req the request of a handshake that is decided about */
  end(req) {
    this._pending.get(req)?.();
  }

  /**
   * Opens the session of a handshake that has passed, if there is a place for it.
   *
   * @param {any} req
   * @param {() => void} open
   * @returns {Refusal | undefined} undefined: `open` has been called
   */
  open(req, open) {
    const { _engine: engine } = this;
    this.end(req);
    const { native } = engine.border();
    const refusal = refusalOf(native.reservePlace(engine.nativeId(), this.addressOf(req)));
    if (refusal !== undefined) return this.note(refusal);
    try {
      open();
    } finally {
      native.dropPlace(); // should it not have been opened
    }
    return undefined;
  }

  /** @returns {string | null} what there is too much of to let anybody in; null: nothing */
  overloadedBy() {
    const { _engine: engine } = this;
    return engine.border().native.overloadedBy(engine.nativeId());
  }

  /**
   * @param {Refusal | undefined} refusal by this thread, of which no worker tells
   * @returns {Refusal | undefined} the same
   * @private
   */
  note(refusal) {
    if (refusal !== undefined && channels.limited.hasSubscribers) this.tell();
    return refusal;
  }

  /** Tells how many handshakes have been refused, once a second at most; those that come meanwhile, when that is over. */
  tell() {
    if (this._pause !== undefined) return;
    const { _engine: engine, _told: told } = this;
    /** @type {Record<string, number>} */
    const now = JSON.parse(engine.border().native.hearLimits(engine.nativeId()));
    this._told = now;
    if (!channels.limited.hasSubscribers) return;
    const refused = Object.fromEntries(
      Object.entries(now)
        .map(([limit, count]) => /** @type {const} */ ([limit, count - (told[limit] ?? 0)]))
        .filter(([, count]) => count > 0),
    );
    if (Object.keys(refused).length === 0) return;
    this._pause = setTimeout(() => {
      this._pause = undefined;
      this.tell();
    }, TELLING_INTERVAL).unref();
    channels.limited.publish({ engine, refused });
  }

  /**
   * @param {any} req
   * @returns {string | undefined} where its client has come from
   * @private
   */
  addressOf(req) {
    return req && this._engine.clientAddress(req, req.socket?.remoteAddress);
  }
}

/**
 * @param {number} answer what the addon says
 * @returns {Refusal | undefined}
 */
function refusalOf(answer) {
  if (answer === 0) return undefined;
  const code = answer & ((1 << Returned.CODE_BITS) - 1);
  const retryAfter = answer >>> Returned.CODE_BITS;
  return { name: "LIMITED", code, message: engineMessage(code), retryAfter };
}

module.exports = { Gate };
