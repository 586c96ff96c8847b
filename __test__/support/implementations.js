"use strict";

/**
 * The two servers every behaviour test can run on: npm `socket.io` (the oracle) and this library (ours).
 *
 * `PARITY_ONLY=oracle` or `PARITY_ONLY=ours` restricts a run to one of them.
 */

const path = require("node:path");

const oracle = { name: "oracle", path: require.resolve("socket.io") };
const ours = { name: "ours", path: path.join(__dirname, "..", "..", "index.js") };

for (const implementation of [oracle, ours]) {
  // Loaded on first use: with PARITY_ONLY=oracle the addon does not have to exist.
  implementation.load = () => require(implementation.path);
}

/**
 * The implementations a test file has to run on.
 *
 * @param {{ name: string }[]} wanted what the file is about when nothing is asked for
 */
function selected(wanted = [oracle, ours]) {
  const only = process.env.PARITY_ONLY;
  if (!only) return wanted;
  const found = [oracle, ours].filter(({ name }) => name === only);
  if (found.length === 0) throw new Error(`PARITY_ONLY is "oracle" or "ours", not "${only}"`);
  return found;
}

module.exports = { oracle, ours, selected };
