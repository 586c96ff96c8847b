"use strict";

const createDebug = require("debug");

const socket = createDebug("socket.io:socket");
const parser = createDebug("socket.io-parser");

/**
 * Whether the debug scopes are on that each packet passes. Asking `debug` itself costs about 25 ns, five times a packet; so it
 * is asked once per batch, and switching one on while the program runs takes effect with the next batch.
 */
const trace = {
  /** `socket.io:socket` */
  socket: socket.enabled,
  /** `socket.io-parser` */
  parser: parser.enabled,
  /** Looks again. */
  refresh() {
    trace.socket = socket.enabled;
    trace.parser = parser.enabled;
  },
};

module.exports = { trace };
