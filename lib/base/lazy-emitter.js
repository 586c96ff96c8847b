"use strict";

const { EventEmitter } = require("node:events");

/**
 * An EventEmitter that allocates nothing until the first listener comes.
 *
 * Node's constructor makes a dictionary for the listeners at once; its methods cope with a missing one, and a
 * connection to which nobody listens is the common case.
 *
 * @type {typeof EventEmitter}
 */
const LazyEmitter = /** @type {any} */ (function LazyEmitter() {});
LazyEmitter.prototype = Object.create(EventEmitter.prototype, {
  constructor: { value: LazyEmitter, writable: true, configurable: true },
});

module.exports = { LazyEmitter };
