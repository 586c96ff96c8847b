"use strict";

const { bare } = require("../base/bare");
const { inspect } = require("node:util");

// The Maps of Sets that an adapter has: the sockets by room, and the rooms by socket. Each socket is in a room of its own, named by
// its id, and most are in no other one: in both Maps it has a Set of nothing but that id. These Sets are half of what all rooms
// take, and hardly anybody looks at them. So they are made when somebody does.
//
// What this must not change: to who reads it, each is a Map of Sets, which stay the same ones and are live.
// __test__/lone-sets.test.js compares it with one.

/** In place of a Set of nothing but the name under which it stands. Programs never see it. */
const ALONE = Object.freeze(new Set());

/** @typedef {Map<string, Set<string>>} Sets */

const { get, set } = Map.prototype;

/**
 * @param {Sets} sets one that loneSets() has made
 * @param {string} name
 * @returns {boolean} whether the Set of that name has not been made yet
 */
function isAlone(sets, name) {
  return get.call(sets, name) === ALONE;
}

/**
 * @param {Sets} sets one that loneSets() has made
 * @param {string} name gets a Set of nothing but itself
 */
function addAlone(sets, name) {
  set.call(sets, name, ALONE);
}

/** @param {Sets} sets */
function* entries(sets) {
  for (const name of sets.keys()) yield [name, sets.get(name)];
}

/** @param {Sets} sets */
function* values(sets) {
  for (const name of sets.keys()) yield sets.get(name);
}

/** What stands in front of the methods of a Map that give its values. */
const METHODS = {
  /**
   * @this {Sets}
   * @param {string} name
   */
  get(name) {
    const found = get.call(this, name);
    if (found !== ALONE) return found;
    const made = new Set([name]);
    set.call(this, name, made);
    return made;
  },

  /** @this {Sets} */
  entries() {
    return entries(this);
  },

  /** @this {Sets} */
  values() {
    return values(this);
  },

  /**
   * @this {Sets}
   * @param {(value: Set<string>, name: string, sets: Sets) => void} visit
   * @param {unknown} [receiver]
   */
  forEach(visit, receiver) {
    for (const name of this.keys())
      visit.call(receiver, /** @type {Set<string>} */ (this.get(name)), name, this);
  },

  /** @this {Sets} */
  [Symbol.iterator]() {
    return entries(this);
  },

  /** @this {Sets} */
  [inspect.custom]() {
    return new Map(this);
  },
};

/** @returns {Sets} a Map, whose own methods nobody sees who looks at what it has */
function loneSets() {
  /** @type {Sets} */
  const sets = new Map();
  for (const key of Reflect.ownKeys(METHODS)) {
    const value = Reflect.get(METHODS, key);
    Object.defineProperty(sets, key, bare({ value, writable: true, configurable: true }));
  }
  return sets;
}

module.exports = { addAlone, isAlone, loneSets };
