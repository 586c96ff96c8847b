"use strict";

/** The cookie option: what is written must be what the npm package `cookie` writes, errors included. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { serialize } = require("cookie");
const { serializeCookie } = require("../lib/http/cookie");

const DATE = new Date(0);

const INPUTS = [
  ["io", "abc", {}],
  ["io", "a b;c\u00e9", {}],
  ["io", "", {}],
  ["i o", "a", {}],
  ["io;", "a", {}],
  ["", "a", {}],
  ["i\u00e9", "a", {}],
  ["io", "abc", { encode: (value) => value.toUpperCase() }],
  ["io", "a b", { encode: (value) => value }],
  ["io", "a", { encode: () => '"quoted"' }],
  ["io", "a", { encode: () => '"half' }],
  ["io", "a", { encode: 5 }],
  ...[0, 60, -1, 1.5, NaN, Infinity, "60", "x", null, undefined].map((maxAge) => [
    "io",
    "a",
    { maxAge },
  ]),
  ...["example.com", ".example.com", "a..b", "a b", "-a.com", "localhost", "a;b", ""].map(
    (domain) => ["io", "a", { domain }],
  ),
  ...["/", "/a;b", "/a b", "/\u00e9", "", "/\n"].map((path) => ["io", "a", { path }]),
  ...[DATE, new Date(NaN), "soon", 0, null].map((expires) => ["io", "a", { expires }]),
  ...["lax", "Lax", "STRICT", "none", "other", true, false, 1, null].map((sameSite) => [
    "io",
    "a",
    { sameSite },
  ]),
  ...["low", "Medium", "HIGH", "other", 1, ""].map((priority) => ["io", "a", { priority }]),
  ["io", "a", { httpOnly: true, secure: true, partitioned: true }],
  ["io", "a", { httpOnly: 0, secure: "", partitioned: null }],
  [
    "io",
    "a",
    {
      maxAge: 1,
      domain: "a.b",
      path: "/",
      expires: DATE,
      httpOnly: true,
      secure: true,
      partitioned: true,
      priority: "low",
      sameSite: "none",
    },
  ],
];

/** What a call gives: its value, or that it throws a TypeError. */
function outcome(fn) {
  try {
    return fn();
  } catch (error) {
    return error instanceof TypeError ? "TypeError" : error;
  }
}

test("a cookie is written as by the npm package cookie", () => {
  for (const [name, value, options] of INPUTS) {
    const expected = outcome(() => serialize(name, value, options));
    assert.deepEqual(
      outcome(() => serializeCookie(name, value, options)),
      expected,
      JSON.stringify([name, value, options]),
    );
  }
});
