"use strict";

const { Returned } = require("../border");
const { channels } = require("../base/channels");
const { engineMessage } = require("../base/errors");

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
  /** @param {Engine} engine */
  constructor(engine) {
    /** @private */
    this._engine = engine;
    /** @private @type {Record<string, number>} what was told last */
    this._told = {};
  }

  /**
   * A handshake has come. It counts for the rates.
   *
   * @param {any} req undefined: there is none, and its address is not known
   * @returns {Refusal | undefined} undefined: it may go on
   */
  pass(req) {
    const { _engine: engine } = this;
    return refusalOf(engine.border().native.passGate(engine.nativeId(), this.addressOf(req)));
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
    const { native } = engine.border();
    const refusal = refusalOf(native.reservePlace(engine.nativeId(), this.addressOf(req)));
    if (refusal !== undefined) return refusal;
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

  /** Tells how many handshakes have been refused. */
  tell() {
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
