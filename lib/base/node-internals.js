"use strict";

/**
 * The private parts of Node.js that the short ways stand on. No version promises them, so each is looked at before it is
 * used: where one is missing, or does something else, connections go the way that needs none of it.
 *
 * | part                                                       | without it                                          |
 * | ---------------------------------------------------------- | --------------------------------------------------- |
 * | `_connections`, `_emitCloseIfDrained()` of a server        | nothing is taken from Node.js (border, Node's HTTP)  |
 * | `onconnection` and `fd` of its handle; its classes         | the acceptor takes nothing                          |
 * | `_addHeaderLines()` of a request                           | the acceptor takes nothing                          |
 * | `parser` of a socket, and its "a message begins"           | polling connections that Node.js reads stay with it |
 * | `_httpMessage` and `_server` of a socket, `writeQueueSize` | the same                                            |
 * | `_handle`, `fd` of a socket                                | bridge                                              |
 */

const http = require("node:http");

const blank = /** @type {any} */ (http.createServer());

/** Whether an HTTP server goes on counting a connection that is Node's no more: `close(callback)` waits for it. */
const COUNTS_CONNECTIONS =
  typeof blank._connections === "number" && typeof blank._emitCloseIfDrained === "function";

/** Whether a request can be made of its header lines, as Node's parser does. */
const MAKES_REQUESTS =
  typeof (/** @type {any} */ (http.IncomingMessage.prototype)._addHeaderLines) === "function";

/**
 * Whether a write fails that was under way when its connection broke. Before, it passed for done, so an Engine.IO server told
 * that the packets have left, and that the transport has closed.
 */
const FAILS_BROKEN_WRITES = isAtLeast(22, 9);

/** Where an HTTP server keeps the classes of its requests and responses. */
const [REQUEST, RESPONSE] = ["IncomingMessage", "ServerResponse"].map((name) =>
  Object.getOwnPropertySymbols(blank).find(({ description }) => description === name),
);

/** @type {string} what Node.js (from version 22 on) does about upgrades when it is not told otherwise */
const UPGRADES_BY_DEFAULT = String(blank.shouldUpgradeCallback);

/** @param {any} server @returns {boolean} whether its requests and responses are of Node's own classes */
const hasOwnRequests = (server) =>
  REQUEST !== undefined && server[REQUEST] === http.IncomingMessage;

/** @param {any} server @returns {boolean} */
const hasOwnResponses = (server) =>
  RESPONSE !== undefined && server[RESPONSE] === http.ServerResponse;

/** @param {any} server @returns {boolean} whether an upgrade request is one as soon as somebody listens for them */
const upgradesByDefault = (server) => String(server.shouldUpgradeCallback) === UPGRADES_BY_DEFAULT;

/**
 * What stands in a parser where it looks for whom to tell that a message begins, from `watchForNext()` on until one does;
 * Node.js itself wants to know of none, and clears the place when it gives the parser to another connection.
 *
 * @this {any} the parser
 */
function onMessageBegin() {
  this[this.constructor.kOnMessageBegin] = null;
}

/** @type {WeakMap<Function, boolean>} classes of parsers, and whether they tell of the beginning of a message */
const tellers = new WeakMap();

/**
 * @param {any} Parser the class of a parser
 * @returns {boolean} whether it tells of the first byte of each message, and of nothing else
 */
function tellsOfBeginnings(Parser) {
  let tells = tellers.get(Parser);
  if (tells === undefined) {
    tells = tryParser(Parser);
    tellers.set(Parser, tells);
  }
  return tells;
}

/** @param {any} Parser @returns {boolean} */
function tryParser(Parser) {
  const { kOnMessageBegin, REQUEST } = Parser;
  if (!Number.isInteger(kOnMessageBegin)) return false;
  try {
    const parser = new Parser();
    parser.initialize(REQUEST, {});
    /** @param {string} text @returns {boolean} whether a message begins in it */
    const begins = (text) => {
      parser[kOnMessageBegin] = onMessageBegin;
      parser.execute(Buffer.from(text));
      return parser[kOnMessageBegin] !== onMessageBegin;
    };
    const first = begins("\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    const rest = begins("o") || begins("k") || begins("\r\n");
    const next = begins("G") && !begins("ET / HTTP/1.1\r\nHost: a\r\n\r\n") && begins("P");
    parser.close();
    return first && !rest && next;
  } catch {
    return false;
  }
}

/**
 * Has the beginning of the next request noticed. To be called while a request is handed out, so before any byte of the next
 * one can have been looked at.
 *
 * @param {any} socket
 */
function watchForNext(socket) {
  const parser = socket?.parser;
  if (parser && tellsOfBeginnings(parser.constructor))
    parser[parser.constructor.kOnMessageBegin] = onMessageBegin;
}

/**
 * Says whether nothing is going on behind a request that has been answered: it was the last one, it has been read to its
 * end, its answer is written, and nothing of a next one has come. Then the connection can go to somebody else.
 *
 * @param {any} req a request for which `watchForNext()` was called
 * @returns {boolean}
 */
function isQuiet(req) {
  const { socket } = req;
  const { parser } = socket;
  return (
    req.complete &&
    !socket.destroyed &&
    socket.readable &&
    !socket.isPaused() &&
    socket._httpMessage === null && // no answer is under way, nor waits for its turn
    socket.readableLength === 0 &&
    socket._handle?.writeQueueSize === 0 &&
    !!parser &&
    (parser.incoming === req || parser.incoming === null) &&
    parser[parser.constructor.kOnMessageBegin] === onMessageBegin
  );
}

/** @param {number} major @param {number} minor @returns {boolean} whether this is that version of Node.js, or newer */
function isAtLeast(major, minor) {
  const [a, b] = process.versions.node.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

module.exports = {
  COUNTS_CONNECTIONS,
  FAILS_BROKEN_WRITES,
  MAKES_REQUESTS,
  hasOwnRequests,
  hasOwnResponses,
  isQuiet,
  upgradesByDefault,
  watchForNext,
};
