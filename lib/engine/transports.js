"use strict";

const { bare } = require("../base/bare");
const { Transport } = require("./transport");

/** @typedef {import("./transport").Connection} Connection */

/** Who has this makes transports; no program has it. */
const MAKER = Symbol("maker");

/**
 * @param {string} name as `transport.name` tells it
 * @param {string} className upstream's
 * @param {string[]} upgradesTo the transports that a session may go on with
 */
function kind(name, className, upgradesTo) {
  return class extends Transport {
    static upgradesTo = upgradesTo;

    static {
      Object.defineProperty(this, "name", bare({ value: className }));
    }

    /**
     * @param {symbol} maker
     * @param {Connection} conn
     * @param {boolean} supportsBinary
     */
    constructor(maker, conn, supportsBinary) {
      if (maker !== MAKER)
        throw new TypeError(
          'A transport can\'t be made: the workers make them. Listen to "connection" of the server, and look at `transport` there',
        );
      super(conn, name, supportsBinary);
    }
  };
}

/** The kinds of transports by name: `conn.transport instanceof transports.websocket`. */
const transports = {
  polling: kind("polling", "Polling", ["websocket", "webtransport"]),
  websocket: kind("websocket", "WebSocket", []),
  webtransport: kind("webtransport", "WebTransport", []),
};

/**
 * @param {Connection} conn
 * @param {string} name
 * @param {boolean} supportsBinary whether it carries bytes as they are, and not as base64
 * @returns {Transport} the transport of a connection
 */
function transportOf(conn, name, supportsBinary) {
  const Kind = transports[/** @type {keyof typeof transports} */ (name)];
  return new Kind(MAKER, conn, supportsBinary);
}

module.exports = { transportOf, transports };
