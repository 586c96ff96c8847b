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
 * Does what `io.set(key, value)` does in Socket.IO 2.x.
 *
 * @param {any} server
 * @param {string} key
 * @param {any} value
 */
function setOldOption(server, key, value) {
  const name = ENGINE_OPTIONS.get(key);
  if (key === "authorization" && value) server.use(authorization(value));
  else if (key === "origins" && value) server.origins(value);
  else if (key === "resource") server.path(value);
  else if (name !== undefined) (server.eio ?? server.opts)[name] = value;
  else console.error("Option %s is not valid. Please refer to the README.", key);
}

/**
 * @param {(request: any, callback: (error: any, authorized: boolean) => void) => void} decide
 * @returns {(socket: any, next: (error?: any) => void) => void} a middleware that asks it
 */
function authorization(decide) {
  return (socket, next) =>
    decide(socket.request, (error, authorized) => {
      if (error) next(new Error(error));
      else next(authorized ? undefined : new Error(MESSAGES.NOT_AUTHORIZED));
    });
}

module.exports = { setOldOption };
