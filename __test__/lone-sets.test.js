"use strict";

/** The Maps of Sets that an adapter has, whose Sets are made when they are looked at (lib/api/lone-sets.js): they are as others. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inspect } = require("node:util");

const { addAlone, isAlone, loneSets } = require("../lib/api/lone-sets");

/** Such a Map, none of whose Sets has been made, and one that has always had them. */
function both() {
  const lazy = loneSets();
  const eager = new Map();
  for (const name of ["a", "b", "c"]) {
    addAlone(lazy, name);
    eager.set(name, new Set([name]));
  }
  return { lazy, eager };
}

/** Ways to look at such a Map. */
const LOOKS = {
  get: (sets) => [sets.get("a"), sets.get("nobody")],
  size: (sets) => sets.size,
  has: (sets) => [sets.has("a"), sets.has("nobody")],
  keys: (sets) => [...sets.keys()],
  values: (sets) => [...sets.values()],
  entries: (sets) => [...sets.entries()],
  iterate: (sets) => [...sets],
  copy: (sets) => new Map(sets),
  forEach(sets) {
    const seen = [];
    const receiver = {};
    sets.forEach(function visit(value, name, all) {
      seen.push([value, name, all === sets, this === receiver]);
    }, receiver);
    return seen;
  },
  inspect: (sets) => inspect(sets),
  "own names": (sets) => Object.keys(sets),
  json: (sets) => JSON.stringify([...sets].map(([name, set]) => [name, [...set]])),
};

for (const [name, look] of Object.entries(LOOKS)) {
  test(`it is a Map of Sets: ${name}`, () => {
    const { lazy, eager } = both();
    assert.deepEqual(look(lazy), look(eager));
  });
}

test("it equals a Map of Sets", () => {
  const { lazy, eager } = both();
  assert.deepEqual(lazy, eager);
  assert.deepEqual(both().eager, both().lazy);
  assert.ok(lazy instanceof Map);
});

test("a Set that has been looked at stays the same, and can be changed", () => {
  const { lazy } = both();
  const set = lazy.get("b");
  assert.equal(isAlone(lazy, "b"), false);
  set.add("x");
  assert.equal(lazy.get("b"), set);
  assert.deepEqual([...lazy].at(1), ["b", new Set(["b", "x"])]);
  assert.equal(isAlone(lazy, "a"), false); // all have been looked at
});

test("each has a Set of its own", () => {
  const { lazy } = both();
  lazy.get("a").add("x");
  assert.deepEqual(lazy.get("c"), new Set(["c"]));
});

test("what changes while it is gone through is seen", () => {
  const { lazy, eager } = both();
  for (const sets of [lazy, eager]) {
    const seen = [];
    for (const [name, set] of sets) {
      seen.push([name, [...set]]);
      sets.delete("b");
      if (name === "c") sets.set("d", new Set(["e"]));
    }
    assert.deepEqual(seen, [
      ["a", ["a"]],
      ["c", ["c"]],
      ["d", ["e"]],
    ]);
  }
});

test("Sets can be set, deleted and cleared", () => {
  const { lazy } = both();
  lazy.set("a", new Set(["z"]));
  lazy.delete("b");
  assert.deepEqual([...lazy.keys()], ["a", "c"]);
  assert.deepEqual(lazy.get("a"), new Set(["z"]));
  lazy.clear();
  assert.equal(lazy.size, 0);
  assert.equal(lazy.get("c"), undefined);
});
