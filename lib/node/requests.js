"use strict";

// Requests that Node.js has not read.

const http = require("node:http");
const stream = require("node:stream");
const { bare } = require("../base/bare");
const { declare } = require("./parts");

/** @typedef {import("node:http").IncomingHttpHeaders} Headers */
/** @typedef {import("./inside").Request} Request */
/** @typedef {import("./inside").RequestInside} RequestInside */
/** @typedef {import("./inside").Socket} Socket */
/** @typedef {import("./inside").Stream} Stream */

const { defineProperty } = Reflect;
/** Node's class, whatever a program puts in its place later. */
const { IncomingMessage } = http;

/** Who has the socket of a request that was built. @typedef {{ findSocket: () => Stream }} Lender */

/** Who lends a request its socket; undefined: it is being built. */
const LENDER = Symbol("lender");
/** The socket, once somebody has looked at it: most programs only look at headers. */
const SOCKET = Symbol("socket");

/** @typedef {{ [LENDER]: Lender | undefined, [SOCKET]: Stream | undefined }} Lent */

const LENT = bare({
  /** @this {Lent} */
  get() {
    return (this[SOCKET] ??= this[LENDER]?.findSocket());
  },
  /** @this {Lent} @param {Stream | undefined} socket */
  set(socket) {
    this[SOCKET] = socket;
  },
  enumerable: true,
  configurable: true,
});

/**
 * A request of Node's class, with accessors in place of two properties. They are there before Node.js assigns these: to redefine them
 * then would make each request an object in which V8 searches, of a size that is half of what such a client takes.
 *
 * @this {Lent}
 */
function LendingRequest() {
  this[LENDER] = undefined;
  this[SOCKET] = undefined;
  defineProperty(this, "socket", LENT);
  defineProperty(this, "client", LENT);
  /** @type {Function} */ (IncomingMessage).call(this, undefined);
}
LendingRequest.prototype = IncomingMessage.prototype;

/**
 * Makes a request as Node's parser does: `headers`, unless they are given, are made at the first look.
 *
 * @param {{ method: string, url: string, httpVersion: string, rawHeaders: string[], upgrade: boolean,
 *   headers?: Headers }} parts
 * @param {Lender} lender asked for its socket when somebody looks at that, and once
 * @returns {Request} one that has been read to its end
 */
function buildRequest({ method, url, httpVersion, rawHeaders, upgrade, headers }, lender) {
  /** @type {unknown} */
  const made = new LendingRequest();
  const req = /** @type {RequestInside} */ (made);
  const [major, minor] = httpVersion.split(".");
  req.httpVersionMajor = Number(major);
  req.httpVersionMinor = Number(minor);
  req.httpVersion = httpVersion;
  req.method = method;
  req.url = url;
  req._addHeaderLines(rawHeaders, rawHeaders.length);
  if (headers !== undefined) req.headers = headers;
  req.complete = true;
  req.upgrade = upgrade;
  if (!upgrade) {
    // it has been answered and is over
    req.destroy();
    req.aborted = false;
  }
  /** @type {Lent} */ (/** @type {unknown} */ (req))[LENDER] = lender; // not earlier: the connection goes on
  return req;
}

/** What `_addHeaderLine()` asks of a request: nothing that one of a server without options of its own has. */
const NO_REQUEST = Object.freeze({ joinDuplicateHeaders: undefined });

/**
 * Makes the `headers` of a request, as itself would; without it, since that takes as long as all else.
 *
 * @param {string[]} rawHeaders
 * @returns {Headers}
 */
function readHeaders(rawHeaders) {
  const { _addHeaderLine: add } = /** @type {RequestInside} */ (IncomingMessage.prototype);
  /** @type {Headers} */
  const headers = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    add.call(NO_REQUEST, rawHeaders[at], rawHeaders[at + 1], headers);
  return headers;
}

const REBUILDS_REQUESTS = declare(
  "headers of a request",
  "`_addHeaderLines()` and `_addHeaderLine()` of a request",
  "Node.js reads the first request of each connection, and requests that open a session are kept",
  () => {
    const parts = { method: "GET", url: "/", httpVersion: "1.1", upgrade: true };
    const rawHeaders = ["A", "1", "b", "2", "a", "3"];
    const socket = new stream.Duplex();
    const req = buildRequest({ ...parts, rawHeaders }, { findSocket: () => socket });
    const all = [req.headers, readHeaders(rawHeaders)];
    return (
      all.every((headers) => headers.a === "1, 3" && headers.b === "2") &&
      req.rawHeaders.length === 6 &&
      req instanceof IncomingMessage &&
      /** @type {unknown} */ (req.socket) === socket
    );
  },
);

/**
 * @param {Request} req
 * @param {Socket} socket the one that it has come by
 */
function setSocket(req, socket) {
  req.socket = socket;
  /** @type {RequestInside} */ (req).client = socket;
}

module.exports = { buildRequest, readHeaders, REBUILDS_REQUESTS, setSocket };
