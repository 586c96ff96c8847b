"use strict";

const { EventEmitter } = require("node:events");

/**
 * The part of http.ServerResponse that middlewares get at an upgrade request: headers they set go into the 101
 * response, and end() refuses the upgrade.
 *
 * Emits "finish" and "close".
 */
class UpgradeResponse extends EventEmitter {
  /**
   * @param {any} req
   * @param {import("node:stream").Duplex} socket
   */
  constructor(req, socket) {
    super();
    this.req = req;
    this.socket = socket;
    /** @type {Record<string, any>} */
    this.headers = {};
    socket.once("close", () => this.emit("close"));
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  setHeader(name, value) {
    this.headers[name] = value;
  }

  /** @param {string} name */
  getHeader(name) {
    return this.headers[name];
  }

  /** @param {string} name */
  removeHeader(name) {
    delete this.headers[name];
  }

  write() {}

  /** Called once the request is let through: some middlewares wrap it to set their headers at the last moment. */
  writeHead() {}

  end() {
    this.emit("finish");
    this.socket.destroy();
  }
}

/**
 * @param {Function} middleware (req, res, next), plain or async
 * @param {any} req
 * @param {any} res
 * @returns {Promise<void>}
 */
function run(middleware, req, res) {
  return new Promise((resolve, reject) => {
    const next = (/** @type {any} */ error) => (error ? reject(error) : resolve());
    try {
      Promise.resolve(middleware(req, res, next)).catch(next);
    } catch (error) {
      next(error);
    }
  });
}

/**
 * Runs middlewares one after the other.
 *
 * @param {Function[]} middlewares
 * @param {any} req
 * @param {any} res
 * @param {(error?: any) => void} done called at once when there are none
 */
function applyMiddlewares(middlewares, req, res, done) {
  if (middlewares.length === 0) return done();
  let chain = Promise.resolve();
  for (const middleware of middlewares) chain = chain.then(() => run(middleware, req, res));
  chain.then(() => done(), done);
}

module.exports = { UpgradeResponse, applyMiddlewares };
