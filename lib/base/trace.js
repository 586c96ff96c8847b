"use strict";

const createDebug = /** @type {any} */ (require("debug"));
const { bare } = require("./bare");

// Which debug scopes are on is asked for each packet and each connection, and to ask `debug` costs: it has so many properties that
// V8 has to search for each. It notes what it was told in one of them, `namespaces`; that becomes a pair of functions here, so
// that a scope that is switched on or off while the program runs counts at once.

const socket = createDebug("socket.io:socket");
const parser = createDebug("socket.io-parser");

const told = { namespaces: createDebug.namespaces };

/** What another copy of this file has made of it. */
const before = Object.getOwnPropertyDescriptor(createDebug, "namespaces");

const isTold = Reflect.defineProperty(
  createDebug,
  "namespaces",
  bare({
    configurable: true,
    enumerable: true,
    get: () => told.namespaces,
    set(/** @type {unknown} */ value) {
      told.namespaces = value;
      any = !!value;
      before?.set?.call(createDebug, value);
    },
  }),
);

/** Says which scopes are on. Where that can't be told here (`debug` is frozen), it is asked each time. */
const scopes = isTold ? told : createDebug;

/** Whether a scope may be on. */
let any = !isTold || !!told.namespaces;

/** Whether the debug scopes are on that each packet or each connection passes. */
class Trace {
  /** any scope at all: while none is, nobody asks `debug` for each */
  get any() {
    return any;
  }

  /** `socket.io:socket` */
  get socket() {
    return any && socket.enabled;
  }

  /** `socket.io-parser` */
  get parser() {
    return any && parser.enabled;
  }
}

module.exports = { scopes, trace: new Trace() };
