"use strict";

const net = require("node:net");
const { bare } = require("../base/bare");
const { setTimeout } = require("../base/loop");

/** @typedef {import("../node/inside").HttpServer} HttpServer */

/**
 * Who is told what the program does meanwhile.
 *
 * @typedef {object} Watcher
 * @property {() => void} called it has called `listen()`
 * @property {() => void} closed it has called `close()` then: it wants to listen no more
 */

/**
 * An HTTP server that is not to listen before it is told with what: `listen()` only notes what the program wants.
 *
 *     held ──release(), or retry()──► as any server
 *        └──cancel()──► as any server that has not been asked to listen
 */
class HeldListen {
  /**
   * @param {HttpServer} server
   * @param {Watcher} watcher
   */
  constructor(server, { called, closed }) {
    /** @private */
    this._server = server;
    /** @type {unknown[] | undefined} @private what it was called with last */
    this._given = undefined;
    /** @private */
    this._called = called;
    /** @private */
    this._closed = closed;
    /** @private whether it is over */
    this._isFree = false;
    /** @private */
    this._ownListen = new Replaced(server, "listen", (given) => this.listen(given));
    /** @private */
    this._ownClose = new Replaced(server, "close", (given) => this.close(given));
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
    const { _given: given } = this;
    this.free();
    if (given === undefined) return;
    if (descriptor === undefined) {
      this._ownListen.call(given);
      return;
    }
    const callback = given.findLast((each) => typeof each === "function");
    const options = { fd: descriptor, exclusive: true };
    this._ownListen.call([options, callback]);
  }

  /** What the program has said counts no more: it has closed the server. */
  cancel() {
    if (this._isFree) return;
    this._isFree = true;
    this._ownListen.putBack();
    if (this._given === undefined) this._ownClose.putBack(); // else it is for the program one that listens, until it is closed
  }

  /** @private */
  free() {
    this._isFree = true;
    this._given = undefined;
    this._ownListen.putBack();
    this._ownClose.putBack();
  }

  /**
   * @param {unknown[]} given
   * @returns {unknown}
   * @private
   */
  listen(given) {
    if (this._isFree) return this._ownListen.call(given);
    this._given = given;
    this._called();
    return this._server;
  }

  /**
   * The program closes the server. One that it has told to listen does so as far as it knows: that its end comes is no error.
   *
   * @param {unknown[]} given
   * @returns {unknown}
   * @private
   */
  close(given) {
    const { _server: server } = this;
    if (this._given === undefined || server.listening) return this._ownClose.call(given);
    this._given = undefined;
    this._ownClose.putBack();
    if (!this._isFree) this._closed();
    const [callback] = given;
    if (typeof callback === "function") server.once("close", () => callback());
    return this._ownClose.call([]);
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
        if (error.code === "EADDRINUSE" && performance.now() < end) setTimeout(probe, interval);
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

/** A method of a server in whose place another one stands. */
class Replaced {
  /**
   * @param {HttpServer} server
   * @param {"listen" | "close"} name
   * @param {(given: unknown[]) => unknown} method
   */
  constructor(server, name, method) {
    /** @private */
    this._server = server;
    /** @private */
    this._name = name;
    /** @private what a program has put there */
    this._own = Object.getOwnPropertyDescriptor(server, name);
    /** @type {Function} @private */
    this._before = server[name];
    /** @private */
    this._method = (/** @type {unknown[]} */ ...given) => method(given);
    const value = this._method;
    Reflect.defineProperty(server, name, bare({ value, writable: true, configurable: true }));
  }

  /**
   * @param {unknown[]} given
   * @returns {unknown} what the method gives that was there before
   */
  call(given) {
    return Reflect.apply(this._before, this._server, given);
  }

  /** It is there again. Where a program has wrapped ours meanwhile, that stays, and ours goes on to the one before. */
  putBack() {
    const { _server: server, _name: name, _own: own } = this;
    if (/** @type {unknown} */ (server[name]) !== this._method) return;
    if (own === undefined) Reflect.deleteProperty(server, name);
    else Reflect.defineProperty(server, name, bare(own));
  }
}

module.exports = { HeldListen };
