"use strict";

// What scripts (.js) say: the events that they emit, the names that they use.

const fs = require("node:fs");
const path = require("node:path");
const ts = require("typescript");

/** `require("debug")("name")`, or what compilers make of it. */
const SCOPE = /(?:debug_1\.default\)|require\("debug"\)\)?|createDebug)\("([\w.:-]+)"\)/g;
const EMITTERS = new Set(["emit", "emitReserved"]);

/**
 * @param {string} file
 * @param {(node: ts.Node) => void} see
 */
function walk(file, see) {
  const source = ts.createSourceFile(
    file,
    fs.readFileSync(file, "utf8"),
    ts.ScriptTarget.Latest,
    true,
  );
  const visit = (/** @type {ts.Node} */ node) => {
    see(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/**
 * @param {string[]} files
 * @returns {Set<string>} the names that are given to emit() or emitReserved() as they stand
 */
function emitted(files) {
  /** @type {Set<string>} */
  const names = new Set();
  for (const file of files) {
    walk(file, (node) => {
      if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
      const [first] = node.arguments;
      if (!EMITTERS.has(node.expression.name.text) || first === undefined) return;
      if (ts.isStringLiteral(first)) names.add(first.text);
    });
  }
  return names;
}

/**
 * @param {string} place a script, or a directory
 * @returns {string[]} that script; or all in the directory and in its folders
 */
function scriptsIn(place) {
  if (place.endsWith(".js")) return [place];
  const files = fs.readdirSync(place, { recursive: true }).map(String);
  return files.filter((file) => file.endsWith(".js")).map((file) => path.join(place, file));
}

/**
 * @param {string[]} files
 * @returns {Set<string>} the debug scopes that they name
 */
function scopes(files) {
  /** @type {Set<string>} */
  const names = new Set();
  for (const file of files) {
    const text = fs.readFileSync(file, "utf8");
    for (const [, name] of text.matchAll(SCOPE)) names.add(name);
  }
  return names;
}

/**
 * @param {string[]} files
 * @returns {Set<string>} all names of properties that are read, destructured or written down
 */
function mentioned(files) {
  /** @type {Set<string>} */
  const names = new Set();
  for (const file of files) {
    walk(file, (node) => {
      if (ts.isIdentifier(node)) names.add(node.text);
    });
  }
  return names;
}

module.exports = { emitted, mentioned, scopes, scriptsIn, walk };
