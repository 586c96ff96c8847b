"use strict";

const createDebug = /** @type {any} */ (require("debug"));

/**
 * Says which scopes are on. `debug` has so many properties that V8 has to search for each; those that another object inherits
 * from it are found at once.
 */
const scopes = Object.create(createDebug);

const socket = createDebug("socket.io:socket");
const parser = createDebug("socket.io-parser");

/**
 * Whether the debug scopes are on that each packet or each connection passes. To ask `debug` itself several times for each would
 * cost too much, so it is asked once a batch, and at the end of a turn of the event loop while a worker accepts connections: a scope
 * that is switched on while the program runs takes effect with the next one.
 */
const trace = {
  /** any scope at all: while none is, nobody asks `debug` for each */
  any: !!scopes.namespaces,
  /** `socket.io:socket` */
  socket: socket.enabled,
  /** `socket.io-parser` */
  parser: parser.enabled,
  /** Looks again. */
  refresh() {
    const { namespaces } = scopes;
    if (namespaces === looked) return; // `debug` itself looks no further
    looked = namespaces;
    trace.any = !!namespaces;
    trace.socket = socket.enabled;
    trace.parser = parser.enabled;
  },
};

/** The scopes that were on at the last look. */
let looked = scopes.namespaces;

module.exports = { scopes, trace };
