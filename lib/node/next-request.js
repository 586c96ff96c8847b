"use strict";

// What comes behind a request.

const { insideOf } = require("./inside");
const { declare } = require("./parts");

/** @typedef {import("./inside").Parser} Parser */
/** @typedef {import("./inside").ParserClass} ParserClass */
/** @typedef {import("./inside").Request} Request */
/** @typedef {import("./inside").Response} Response */
/** @typedef {import("./inside").SocketInside} SocketInside */
/** @typedef {import("./inside").Stream} Stream */

declare(
  "parser",
  "`parser` of a socket, its `incoming`, and its call when a message begins (`kOnMessageBegin`)",
  "polling connections that Node.js reads stay with it",
);

declare(
  "answer of a connection",
  "`_httpMessage`, `_server` of a socket, `writeQueueSize` of its handle; `shouldKeepAlive` of a response",
  "polling connections that Node.js reads stay with it",
);

/**
 * The parser calls this when a message begins, and it takes itself off: while it is still in place, none has begun since
 * `expectNext()`. Node.js does not use the place itself, and clears it before the parser serves another connection.
 *
 * @this {Parser}
 */
function onMessageBegin() {
  this[this.constructor.kOnMessageBegin] = null;
}

/** @type {WeakMap<ParserClass, boolean>} by the class of a parser, whether it calls as we need it */
const tellers = new WeakMap();

/**
 * @param {ParserClass} Parser the class of a parser
 * @returns {boolean} whether it calls at the first byte of each message, and at no other
 */
function tellsOfBeginnings(Parser) {
  let tells = tellers.get(Parser);
  if (tells === undefined) {
    tells = tryParser(Parser);
    tellers.set(Parser, tells);
  }
  return tells;
}

/** @param {ParserClass} Parser @returns {boolean} */
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
 * Has it noticed when the next request begins. To be called while Node.js hands out a request: the parser has not looked at any
 * byte of the next one then.
 *
 * @param {Stream | null | undefined} socket
 */
function expectNext(socket) {
  const parser = /** @type {SocketInside | null | undefined} */ (socket)?.parser;
  if (parser && tellsOfBeginnings(parser.constructor))
    parser[parser.constructor.kOnMessageBegin] = onMessageBegin;
}

/**
 * Says whether a connection is idle behind a request: the request has been read to its end, its answer is written, and nothing
 * of another one has come. Then the connection can be handed to somebody else.
 *
 * @param {Request} req one for which `expectNext()` was called
 * @returns {boolean}
 */
function isQuiet(req) {
  const socket = insideOf(req.socket);
  const { parser } = socket;
  return (
    req.complete &&
    !socket.destroyed &&
    socket.readable &&
    !socket.isPaused() &&
    socket._httpMessage === null && // no answer is under way or waits for its turn
    socket.readableLength === 0 &&
    socket._handle?.writeQueueSize === 0 &&
    !!parser &&
    (parser.incoming === req || parser.incoming === null) &&
    parser[parser.constructor.kOnMessageBegin] === onMessageBegin
  );
}

/**
 * Says whether a connection has brought requests to their end, has got their answers, and waits for the next one, as far as
 * Node.js has read.
 *
 * @param {Stream} socket
 * @returns {boolean}
 */
function isBetweenRequests(socket) {
  const { parser, _httpMessage: response } = insideOf(socket);
  if (!parser || response) return false;
  return !parser.incoming || parser.incoming.complete;
}

/** @param {Stream} socket @returns {Response | null | undefined} the one that is being written on the connection, if there is one */
function responseOn(socket) {
  return insideOf(socket)._httpMessage;
}

/** @param {Response} res @returns {boolean} whether its connection stays open after it */
function keepsConnection(res) {
  return !!res.shouldKeepAlive;
}

module.exports = { expectNext, isBetweenRequests, isQuiet, keepsConnection, responseOn };
