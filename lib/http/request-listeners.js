"use strict";

/** @typedef {import("node:http").Server} HttpServer */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

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
  server.on("request", (/** @type {Request} */ req, /** @type {Response} */ res) => {
    if (!take(req, res)) passOn(server, listeners, req, res);
  });
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

module.exports = { interceptRequests, passOn };
