"use strict";

// Loads the addon. Every entry of the package does so when it is required: an error has to reach the program while it starts,
// and not its first client. No thread is started by that; the first server does it.

const { CONTRACT } = require("../../native/border");
const { addonError, contractError } = require("./addon-error");
const { version } = require("../../package.json");

/** @typedef {typeof import("../../native")} Addon */

/** @type {Addon | undefined} */
let addon;

/**
 * @param {string} [meanwhile] what can be done until it can be loaded, for the error
 * @returns {Addon}
 * @throws {Error} with code `SIO_ERR_ADDON`, which says why it can't be loaded and what mends that
 */
function loadAddon(meanwhile) {
  addon ??= load(meanwhile);
  return addon;
}

/**
 * @param {string} [meanwhile]
 * @returns {Addon}
 */
function load(meanwhile) {
  let loaded;
  try {
    loaded = require("../../native");
  } catch (error) {
    throw addonError(error, meanwhile);
  }
  // a bundler may have put something else in its place, such as the name of the file
  if (typeof loaded?.DataPlane !== "function") throw addonError(undefined, meanwhile);
  const contract = loaded.DataPlane.contract?.();
  if (contract !== CONTRACT) throw contractError(contract, meanwhile);
  // Not before: in a checkout that has not been set up there is no such package, and it is the error above that says so.
  const debug = require("debug")("socket.io:border");
  if (debug.enabled) debug("ferrosocket %s serves, with the addon %s", version, fileOf(loaded));
  return loaded;
}

/**
 * @param {Addon} loaded
 * @returns {string | undefined} the file that it comes from; undefined: a bundler has it
 */
function fileOf(loaded) {
  const files = Object.keys(require.cache ?? {});
  return files.find((file) => file.endsWith(".node") && require.cache[file]?.exports === loaded);
}

module.exports = { fileOf, loadAddon };
