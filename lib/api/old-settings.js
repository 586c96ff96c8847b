"use strict";

const { MESSAGES } = require("../base/errors");

/** What `io.set()` of Socket.IO 2.x calls the options of the engine. */
const ENGINE_OPTIONS = new Map([
  ["transports", "transports"],
  ["heartbeat timeout", "pingTimeout"],
  ["heartbeat interval", "pingInterval"],
  ["destroy buffer size", "maxHttpBufferSize"],
]);

/**
 * What is asked of a server.
 *
 * @typedef {object} Settable
 * @property {(middleware: Middleware) => unknown} use
 * @property {(origins: import("./origins").Origins) => unknown} origins
 * @property {(path: string) => unknown} path
 * @property {object} opts
 * @property {object | undefined} eio
 *
 * @typedef {(socket: { request: unknown }, next: (error?: unknown) => void) => void} Middleware
 */

/** @typedef {(request: unknown, callback: (error: string | undefined, authorized: boolean) => void) => void} Decide */

/**
 * Does what `io.set(key, value)` does in Socket.IO 2.x.
 *
 * @param {Settable} server
 * @param {string} key
 * @param {unknown} value
 */
function setOldOption(server, key, value) {
  const name = ENGINE_OPTIONS.get(key);
  if (key === "authorization" && value) server.use(authorization(/** @type {Decide} */ (value)));
  else if (key === "origins" && value)
    server.origins(/** @type {import("./origins").Origins} */ (value));
  else if (key === "resource") server.path(/** @type {string} */ (value));
  else if (name !== undefined)
    /** @type {Record<string, unknown>} */ (server.eio ?? server.opts)[name] = value;
  else console.error("Option %s is not valid. Please refer to the README.", key);
}

/**
 * @param {Decide} decide
 * @returns {Middleware} one that asks it
 */
function authorization(decide) {
  return (socket, next) =>
    decide(socket.request, (error, authorized) => {
      if (error) next(new Error(error));
      else next(authorized ? undefined : new Error(MESSAGES.NOT_AUTHORIZED));
    });
}

module.exports = { setOldOption };
