"use strict";

const createDebug = /** @type {any} */ (require("debug"));

const socket = createDebug("socket.io:socket");
const parser = createDebug("socket.io-parser");

/**
 * Whether the debug scopes are on that each packet or each connection passes. To ask `debug` itself several times for each would
 * cost too much, so it is asked once a batch: a scope that is switched on while the program runs takes effect with the next one.
 */
const trace = {
  /** any scope at all: while none is, nobody asks `debug` for each */
  any: !!createDebug.namespaces,
  /** `socket.io:socket` */
  socket: socket.enabled,
  /** `socket.io-parser` */
  parser: parser.enabled,
  /** Looks again. */
  refresh() {
    const { namespaces } = createDebug;
    if (namespaces === looked) return; // `debug` itself looks no further
    looked = namespaces;
    trace.any = !!namespaces;
    trace.socket = socket.enabled;
    trace.parser = parser.enabled;
  },
};

/** The scopes that were on at the last look. */
let looked = createDebug.namespaces;

module.exports = { trace };
