"use strict";

const net = require("node:net");
const { clearInterval, setInterval } = require("../base/loop");

/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {Parameters<HttpServer["listen"]>} Given what a program has said */

/**
 * An HTTP server that is not to listen before it is told with what: `listen()` only notes what the program wants.
 *
 *     held ──release(), or retry()──► as any server
 *        └──cancel()──► as any server that has not been asked to listen
 */
class HeldListen {
  /**
   * @param {HttpServer} server
   * @param {() => void} called when the program has called `listen()`
   */
  constructor(server, called) {
    /** @private */
    this._server = server;
    /** @type {unknown[] | undefined} @private what it was called with last */
    this._given = undefined;
    /** @private */
    this._called = called;
    /** @private whether it is over */
    this._isFree = false;
    /** @private as it was: a program may have replaced it */
    this._own = Object.hasOwn(server, "listen") ? server.listen : undefined;
    server.listen = /** @type {HttpServer["listen"]} */ (
      (/** @type {unknown[]} */ ...given) => {
        this._given = given;
        this._called();
        return server;
      }
    );
  }

  /** Whether the program has called `listen()`. */
  get isCalled() {
    return this._given !== undefined;
  }

  /**
   * Lets it listen.
   *
   * @param {number} [descriptor] with that; undefined: as the program has said
   */
  release(descriptor) {
    if (this._isFree) return;
    const { _server: server, _given: given } = this;
    this.free();
    if (given === undefined) return;
    if (descriptor === undefined) {
      Reflect.apply(server.listen, server, given);
      return;
    }
    const callback = given.findLast((each) => typeof each === "function");
    const options = { fd: descriptor, exclusive: true };
    server.listen(options, /** @type {(() => void) | undefined} */ (callback));
  }

  /** What the program has said counts no more: it has closed the server. */
  cancel() {
    if (!this._isFree) this.free();
  }

  /** @private */
  free() {
    const { _server: server } = this;
    this._isFree = true;
    if (this._own === undefined) Reflect.deleteProperty(server, "listen");
    else server.listen = this._own;
  }

  /**
   * Lets it listen as the program has said, as soon as nobody else does there.
   *
   * @param {number} interval ms between two tries
   * @param {number} longest ms, then it is for the program to hear that somebody does
   */
  retry(interval, longest) {
    const given = this._given?.filter((each) => typeof each !== "function");
    if (given === undefined) {
      this._called = () => this.retry(interval, longest);
      return;
    }
    if (given.some(isOpen)) {
      this.release(); // it is there already
      return;
    }
    const end = performance.now() + longest;
    const probe = () => {
      if (this._isFree) return;
      const server = net.createServer();
      server.once("error", (/** @type {NodeJS.ErrnoException} */ error) => {
        if (error.code === "EADDRINUSE" && performance.now() < end) later(probe, interval);
        else this.release();
      });
      server.once("listening", () => server.close(() => this.release()));
      Reflect.apply(server.listen, server, given);
    };
    probe();
  }
}

/** @param {unknown} given to `listen()` @returns {boolean} whether it is a socket that is open: a probe would close it */
function isOpen(given) {
  if (typeof given !== "object" || given === null) return false;
  return ["fd", "handle", "_handle"].some((name) => name in given);
}

/**
 * @param {() => void} probe
 * @param {number} milliseconds
 */
function later(probe, milliseconds) {
  const timer = setInterval(() => {
    clearInterval(timer);
    probe();
  }, milliseconds);
}

module.exports = { HeldListen };
