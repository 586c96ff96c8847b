"use strict";

// Packages that upstream's repository has installed under other names than ours. Loaded before all else.

const Module = require("node:module");

const NAMES = { "engine.io-client-v3": "engine.io-client-3" };

const { _resolveFilename: resolve } = Module;
Module._resolveFilename = function resolveRenamed(name, ...rest) {
  return resolve.call(this, NAMES[name] ?? name, ...rest);
};
