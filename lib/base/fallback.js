"use strict";

// npm's socket.io in our place, where the addon can't be loaded and `FERROSOCKET_FALLBACK` names it. Each entry that upstream has,
// too (index.js, engine.io.js and dist/), asks here first.

const path = require("node:path");
const { loadAddon } = require("./addon");
const { CODES } = require("./errors");

/**
 * @typedef {object} Original
 * @property {string} folder its files
 * @property {string} version
 */

/** @type {Original | null | undefined} null: it is not needed; undefined: nobody has asked yet */
let original;

/**
 * Loads the addon; where that fails, gives what the original has instead.
 *
 * @param {string} part a file of upstream's `dist/`, such as "socket"
 * @returns {any} its exports; undefined: ours serves
 * @throws {Error} the addon can't be loaded, and no original is asked for, or can be found
 */
function fallback(part) {
  if (original === undefined) original = choose();
  return original === null ? undefined : require(path.join(original.folder, `${part}.js`));
}

/**
 * The same for a package on which the original stands.
 *
 * @param {string} name
 * @returns {any} its exports; undefined: ours serves
 */
function fallbackPackage(name) {
  if (original === undefined) original = choose();
  if (original === null) return undefined;
  return require(require.resolve(name, { paths: [original.folder] }));
}

/** @returns {Original | null} */
function choose() {
  const { FERROSOCKET_FALLBACK: name } = process.env;
  try {
    loadAddon(meanwhile(name));
    return null;
  } catch (error) {
    const found = name ? find(name) : undefined;
    if (found === undefined) throw error;
    const { problem, fix } = /** @type {import("./addon-error").AddonError} */ (error);
    process.emitWarning(
      `${name} ${found.version} serves instead of ferrosocket (FERROSOCKET_FALLBACK): ${problem}. To mend it: ${fix}.`,
      { code: CODES.ADDON },
    );
    return found;
  }
}

/** @param {string | undefined} name the one that was not found */
function meanwhile(name) {
  const free = !name || name === "socket.io" ? "socket.io-original" : name;
  const how = `npm i ${free}@npm:socket.io@4 and FERROSOCKET_FALLBACK=${free}`;
  return name
    ? `FERROSOCKET_FALLBACK=${name} names no npm socket.io that is installed: ${how}`
    : how;
}

/**
 * @param {string} name
 * @returns {Original | undefined} what is installed under that name, beside us or for the program; not ourselves
 */
function find(name) {
  for (const base of [
    __dirname,
    path.dirname(require.main?.filename ?? __dirname),
    process.cwd(),
  ]) {
    try {
      const manifest = require.resolve(`${name}/package.json`, { paths: [base] });
      const { name: real, main, version } = require(manifest);
      if (real === "socket.io")
        return { folder: path.join(path.dirname(manifest), path.dirname(main)), version };
    } catch {
      // not there
    }
  }
  return undefined;
}

module.exports = { fallback, fallbackPackage };
