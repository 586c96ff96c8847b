"use strict";

// Requests that Node.js has not read.

const http = require("node:http");
const { bare } = require("../base/bare");
const { declare } = require("./parts");

/** @typedef {import("./inside").Request} Request */
/** @typedef {import("./inside").RequestInside} RequestInside */
/** @typedef {import("./inside").Socket} Socket */
/** @typedef {import("./inside").Stream} Stream */

const REBUILDS_REQUESTS = declare(
  "headers of a request",
  "`_addHeaderLines()` of a request",
  "Node.js reads the first request of each connection, and requests that open a session are kept",
  () => {
    const parts = { method: "GET", url: "/", httpVersion: "1.1", upgrade: true };
    const req = buildRequest({ ...parts, rawHeaders: ["A", "1", "b", "2", "a", "3"] });
    return req.headers.a === "1, 3" && req.headers.b === "2" && req.rawHeaders.length === 6;
  },
);

/**
 * Makes a request as Node's parser does: `headers` is made at the first look.
 *
 * @param {{ method: string, url: string, httpVersion: string, rawHeaders: string[], upgrade: boolean }} parts
 * @returns {Request} one that has been read to its end; it has no socket
 */
function buildRequest({ method, url, httpVersion, rawHeaders, upgrade }) {
  const none = /** @type {Socket} */ (/** @type {unknown} */ (undefined));
  const req = /** @type {RequestInside} */ (new http.IncomingMessage(none));
  const [major, minor] = httpVersion.split(".");
  req.httpVersionMajor = Number(major);
  req.httpVersionMinor = Number(minor);
  req.httpVersion = httpVersion;
  req.method = method;
  req.url = url;
  req._addHeaderLines(rawHeaders, rawHeaders.length);
  req.complete = true;
  req.upgrade = upgrade;
  if (upgrade) return req;
  // it has been answered and is over
  req.destroy();
  req.aborted = false;
  return req;
}

/**
 * @param {Request} req
 * @param {Socket} socket the one that it has come by
 */
function setSocket(req, socket) {
  req.socket = socket;
  /** @type {RequestInside} */ (req).client = socket;
}

/**
 * Gives a request a socket that is made at the first look: most programs only look at headers.
 *
 * @param {Request} req
 * @param {() => Stream} find makes it; called once
 */
function lendSocket(req, find) {
  /** @type {Stream | undefined} */
  let socket;
  const property = bare({
    get: () => (socket ??= find()),
    set: (/** @type {Stream} */ other) => {
      socket = other;
    },
    enumerable: true,
    configurable: true,
  });
  Object.defineProperties(req, bare({ socket: property, client: property }));
}

module.exports = { buildRequest, lendSocket, REBUILDS_REQUESTS, setSocket };
