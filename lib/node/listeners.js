"use strict";

// Emitters, and the tables of their listeners.

const { EventEmitter } = require("node:events");
const { bare } = require("../base/bare");
const { declare } = require("./parts");

const STARTS_WITHOUT_LISTENERS = declare(
  "emitter without listeners",
  "methods of an EventEmitter whose constructor was not called",
  "each connection has a table of listeners from the beginning",
  () => {
    const emitter = Object.create(EventEmitter.prototype);
    let calls = 0;
    const listener = () => {
      calls++;
    };
    emitter.removeListener("a", listener).removeAllListeners("a");
    const isEmpty = !emitter.emit("a") && emitter.listenerCount("a") === 0;
    const names = emitter.eventNames().length + emitter.listeners("a").length;
    emitter.on("a", listener).once("a", listener).emit("a");
    return isEmpty && names === 0 && calls === 2 && emitter.listenerCount("a") === 1;
  },
);

/**
 * An EventEmitter that allocates nothing until the first listener comes.
 *
 * Node's constructor makes the table of listeners at once, but the methods cope without one, and most connections have no
 * listeners.
 *
 * @type {typeof EventEmitter}
 */
const LazyEmitter = STARTS_WITHOUT_LISTENERS
  ? /** @type {typeof EventEmitter} */ (/** @type {unknown} */ (function LazyEmitter() {}))
  : EventEmitter;
if (STARTS_WITHOUT_LISTENERS)
  LazyEmitter.prototype = Object.create(EventEmitter.prototype, {
    constructor: bare({ value: LazyEmitter, writable: true, configurable: true }),
  });

/**
 * What Node.js keeps the listeners of an emitter in, by the event. Its own is made without a prototype, which to V8 is a hash
 * table: a large one for some listeners, and one for each emitter. Those made here share their shape, as objects of a class do.
 *
 * @type {new () => Record<string, unknown>}
 */
const ListenerTable = /** @type {never} */ (/** @type {unknown} */ (function ListenerTable() {}));
ListenerTable.prototype = Object.create(null); // so that no event has a listener from the beginning

/** @typedef {Parameters<EventEmitter["on"]>[1]} Listener */

/** @typedef {{ _events: Record<string, unknown>, _eventsCount: number }} Listened what Node.js keeps with an emitter */

const SHARES_SHAPES = declare(
  "table of listeners",
  "`_events` and `_eventsCount` of an EventEmitter",
  "each socket has a larger table of listeners, and in each turn `rawListeners()` is asked",
  () => {
    const emitter = new EventEmitter();
    let calls = 0;
    const first = () => {
      calls++;
    };
    const second = () => {
      calls += 10;
    };
    emitter.on("a", first);
    const { _events: table, _eventsCount: count } = /** @type {Listened} */ (
      /** @type {unknown} */ (emitter)
    );
    if (table.a !== first || count !== 1 || Reflect.ownKeys(table).length !== 1) return false;
    startListening(emitter, "a", first);
    emitter.on("a", second).once("toString", second).on("__proto__", first).emit("a");
    emitter.emit("toString");
    emitter.emit("__proto__");
    const names = emitter.eventNames().join();
    emitter.removeListener("a", first).removeAllListeners("__proto__").emit("a");
    const left = emitter.eventNames().join();
    const isEmpty = emitter.removeAllListeners().eventNames().length === 0;
    return calls === 32 && names === "a,__proto__" && left === "a" && isEmpty && !emitter.emit("a");
  },
);

/**
 * Gives a new emitter, which has no listeners yet, its first one.
 *
 * @param {EventEmitter} emitter
 * @param {string} name
 * @param {Listener} listener
 */
function listenFirst(emitter, name, listener) {
  if (SHARES_SHAPES) startListening(emitter, name, listener);
  else emitter.on(name, listener);
}

/**
 * @param {EventEmitter} emitter
 * @param {string} name
 * @param {Listener} listener
 */
function startListening(emitter, name, listener) {
  const listened = /** @type {Listened} */ (/** @type {unknown} */ (emitter));
  const table = new ListenerTable();
  table[name] = listener;
  listened._events = table;
  listened._eventsCount = 1;
}

/**
 * Gives a new emitter, which has no listeners yet, a table in which V8 finds those of an event at once.
 *
 * @param {EventEmitter} emitter
 */
function useTable(emitter) {
  if (!SHARES_SHAPES) return;
  const listened = /** @type {Listened} */ (/** @type {unknown} */ (emitter));
  listened._events = new ListenerTable();
  listened._eventsCount = 0;
}

/**
 * @param {object} listened an emitter
 * @returns {Record<string, unknown>} its listeners, as they are now, by the names of their events: see `soleOf()`
 */
function listenersOf(listened) {
  if (SHARES_SHAPES) return /** @type {Listened} */ (listened)._events;
  const emitter = /** @type {EventEmitter} */ (listened);
  const names = /** @type {string[]} */ (emitter.eventNames());
  return Object.fromEntries(names.map((name) => [name, emitter.rawListeners(name)]));
}

/**
 * @param {unknown} listeners of one event, out of `listenersOf()`
 * @returns {Function | number} the listener, if it is exactly one; else how many there are
 */
function soleOf(listeners) {
  if (typeof listeners === "function") return listeners;
  if (listeners === undefined) return 0;
  const { length, 0: first } = /** @type {Function[]} */ (listeners);
  return length === 1 ? first : length;
}

module.exports = { LazyEmitter, listenersOf, listenFirst, soleOf, useTable };
