"use strict";

// Which copies of this package, and of npm's socket.io, are installed for a program, and who gets which.

const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");

/**
 * A package that is installed.
 *
 * @typedef {object} Installed
 * @property {string} folder
 * @property {string} name the one in its package.json, whatever its folder is called
 * @property {string} version
 * @property {boolean} needsSocketIo whether it depends on socket.io
 */

/** What names other packages. */
const LISTS = ["dependencies", "peerDependencies", "optionalDependencies"];

/**
 * @param {string} start the folder of the program
 * @returns {Installed[]} all packages that it can reach, each once
 */
function installed(start) {
  /** @type {Map<string, Installed>} by folder */
  const found = new Map();
  for (let folder = start; ; folder = path.dirname(folder)) {
    scan(path.join(folder, "node_modules"), found);
    if (folder === path.dirname(folder)) return [...found.values()];
  }
}

/**
 * @param {string} modules a folder of packages
 * @param {Map<string, Installed>} found
 */
function scan(modules, found) {
  for (const entry of list(modules)) {
    const folder = path.join(modules, entry.name);
    if (entry.name.startsWith("@")) scan(folder, found);
    // pnpm's store: a folder of packages for each package
    else if (entry.name === ".pnpm")
      for (const { name } of list(folder)) scan(path.join(folder, name, "node_modules"), found);
    else if (!entry.name.startsWith(".")) add(folder, entry.isSymbolicLink(), found);
  }
}

/**
 * @param {string} folder of a package
 * @param {boolean} isLink those of other places have packages of their own, which are not the program's
 * @param {Map<string, Installed>} found
 */
function add(folder, isLink, found) {
  const manifest = read(path.join(folder, "package.json"));
  if (manifest === undefined) return;
  const real = fs.realpathSync(folder);
  if (found.has(real)) return;
  const { name, version } = manifest;
  const needsSocketIo = LISTS.some((key) => manifest[key]?.["socket.io"] !== undefined);
  found.set(real, { folder: isLink ? real : folder, name, version, needsSocketIo });
  if (!isLink) scan(path.join(folder, "node_modules"), found);
}

/**
 * @param {string} folder of a program or a package
 * @param {string} name
 * @returns {{ folder: string, name: string, version: string } | undefined} what `require(name)` leads to from there
 */
function resolved(folder, name) {
  const require = createRequire(path.join(folder, "program.js"));
  try {
    const manifest = require.resolve(`${name}/package.json`);
    return { folder: path.dirname(manifest), ...read(manifest) };
  } catch {
    return undefined;
  }
}

/** @param {string} folder @returns {fs.Dirent[]} */
function list(folder) {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** @param {string} file @returns {any} */
function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

module.exports = { installed, resolved };
