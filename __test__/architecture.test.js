"use strict";

// The facade has floors, and its files require downwards only.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const LIB = path.join(__dirname, "..", "lib");

// from the top; a file that is not named is a leaf
const FLOORS = [
  ["server.js"],
  ["server-attaching.js"],
  ["server-settings.js"],
  ["server-namespaces.js"],
  ["namespace.js", "parent-namespace.js"],
  ["socket.js", "client.js"],
  ["socket-receiving.js"],
  ["socket-sending.js"],
  ["socket-watch.js"],
  ["socket-state.js"],
  ["operator.js", "chain.js"],
  ["engine.js"],
  ["engine-sessions.js"],
  ["engine-requests.js"],
  ["engine-settings.js"],
];

/** @returns {Map<string, string[]>} what each file requires from its siblings */
function readImports() {
  const files = fs.readdirSync(LIB).filter((file) => file.endsWith(".js"));
  return new Map(
    files.map((file) => {
      const source = fs.readFileSync(path.join(LIB, file), "utf8");
      const imports = [...source.matchAll(/require\("\.\/([\w-]+)"\)/g)].map(
        (match) => `${match[1]}.js`,
      );
      return [file, imports];
    }),
  );
}

/** @param {string} file */
function floorOf(file) {
  const index = FLOORS.findIndex((floor) => floor.includes(file));
  return index === -1 ? FLOORS.length : index;
}

test("no file of lib requires a file of a higher floor", () => {
  for (const [file, imports] of readImports()) {
    for (const imported of imports) {
      assert.ok(floorOf(imported) >= floorOf(file), `${file} requires ${imported}`);
    }
  }
});

test("lib has no require circles", () => {
  const imports = readImports();
  const done = new Set();
  const visit = (/** @type {string} */ file, /** @type {string[]} */ trail) => {
    assert.ok(!trail.includes(file), `circle: ${[...trail, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const imported of imports.get(file) ?? []) visit(imported, [...trail, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
});

test("lib leaves through its files only: nothing requires the top", () => {
  for (const file of readImports().keys()) {
    const source = fs.readFileSync(path.join(LIB, file), "utf8");
    assert.doesNotMatch(source, /require\("\.\.\/index"\)|require\("\.\."\)/, file);
  }
});
