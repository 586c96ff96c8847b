"use strict";

const { LazyEmitter } = require("./lazy-emitter");

/**
 * An EventEmitter that looks at what is listened to whenever that may have changed: what nobody listens to need not be
 * brought up by the workers.
 */
class WatchedEmitter extends LazyEmitter {
  /** Called when listeners have come or gone. */
  watch() {}

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  prependListener(name, listener) {
    super.prependListener(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  removeListener(name, listener) {
    super.removeListener(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  off(name, listener) {
    return this.removeListener(name, listener);
  }

  /** @param {string | symbol} [name] */
  removeAllListeners(name) {
    if (name === undefined) super.removeAllListeners();
    else super.removeAllListeners(name);
    this.watch();
    return this;
  }
}

module.exports = { WatchedEmitter };
