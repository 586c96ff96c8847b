"use strict";

// Engine.IO by itself: what npm engine.io exports, on the workers.

const { fallbackPackage } = require("./lib/base/fallback");
const { missingPackage } = require("./lib/base/errors");

const lib = fallbackPackage("engine.io") ?? ours();

/** The package as it is where the addon can be loaded. */
function ours() {
  const parser = require("engine.io-parser");
  const { attach, Conn, Engine, listen, Transport, transports } = require("./lib/engine");
  const { protocol } = parser;
  const classes = { Server: Engine, Socket: Conn, Transport, transports, uServer };
  const entry = { ...classes, attach, listen, parser, protocol };
  return Object.defineProperty(entry, "implementation", { value: "ferrosocket" });
}

/**
 * Makes a server for an application of uWebSockets.js: that of npm engine.io, which is loaded only here. The workers don't serve
 * such connections.
 *
 * @param {any} [opts] options of Engine.IO
 * @throws {Error} when engine.io is not installed
 */
function uServer(opts) {
  return new (appServer())(opts);
}

Object.defineProperty(uServer, Symbol.hasInstance, {
  value: (/** @type {unknown} */ value) => value instanceof appServer(),
});

function appServer() {
  try {
    return require("engine.io").uServer;
  } catch (error) {
    throw missingPackage("engine.io", "uServer", error);
  }
}

module.exports = lib;
