"use strict";

/** @typedef {import("node:http").Server} HttpServer */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** @type {WeakSet<object>} listeners of HTTP servers that are ours */
const ours = new WeakSet();

/**
 * Goes before the listeners that an HTTP server has for requests: they hear only of those that it leaves to them. Listeners
 * that are added later hear of all requests, as ever.
 *
 * @param {HttpServer} server
 * @param {(req: any, res: any) => boolean} take answers a request; or says, by `false`, that it is somebody else's
 */
function interceptRequests(server, take) {
  const listeners = server.listeners("request").slice(); // a server of the program may give out its own list
  server.removeAllListeners("request");
  addOurs(server, "request", (/** @type {Request} */ req, /** @type {Response} */ res) => {
    if (!take(req, res)) passOn(server, listeners, req, res);
  });
}

/**
 * Adds a listener of ours to an HTTP server.
 *
 * @param {HttpServer} server
 * @param {"request" | "upgrade"} event
 * @param {(...args: any[]) => void} listener
 */
function addOurs(server, event, listener) {
  ours.add(listener);
  server.on(event, listener);
}

/**
 * @param {HttpServer} server
 * @param {string} event
 * @returns {Function | number} its listener, if it has exactly one; else how many it has
 */
function soleListener(server, event) {
  const listeners = server.rawListeners(event);
  return listeners.length === 1 ? listeners[0] : listeners.length;
}

/** @param {object} listener @returns {boolean} whether it was added by us */
function isOurs(listener) {
  return ours.has(listener);
}

/**
 * @param {HttpServer} server
 * @param {Function[]} listeners of the server, all of which are told of a request
 * @param {Request} req
 * @param {Response} res
 */
function passOn(server, listeners, req, res) {
  for (const listener of listeners) listener.call(server, req, res);
}

module.exports = { addOurs, interceptRequests, isOurs, passOn, soleListener };
