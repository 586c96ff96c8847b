"use strict";

/**
 * Copies of an implementation in realms of their own, as test runners load them: each test file gets the package anew, with
 * global objects and a `process` that may be faked.
 */

const fs = require("node:fs");
const { createRequire, isBuiltin } = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

/** What Node.js adds to the globals of the language, as far as servers use it. */
const GLOBALS = [
  "AbortController AbortSignal Blob Buffer Event EventTarget FinalizationRegistry TextDecoder TextEncoder URL URLSearchParams",
  "clearImmediate clearInterval clearTimeout console performance queueMicrotask setImmediate setInterval setTimeout",
  "structuredClone WeakRef ArrayBuffer Uint8Array",
].flatMap((names) => names.split(" "));

/** An object with the properties of another one, to be changed at will. */
function copyOf(original) {
  return Object.create(Object.getPrototypeOf(original), Object.getOwnPropertyDescriptors(original));
}

/**
 * Loads a copy.
 *
 * @param {{ path: string }} implementation
 * @returns {{ exports: any, global: any }} what it exports, and its global object, whose `process` is its own
 */
function loadCopy(implementation) {
  const global = vm.createContext({});
  for (const name of GLOBALS) global[name] = globalThis[name];
  global.process = copyOf(process);
  global.global = global;
  const cache = new Map();
  const load = (file) => {
    if (file.endsWith(".node")) return require(file); // a real one: an addon is loaded once
    const known = cache.get(file);
    if (known !== undefined) return known.exports;
    const module = { exports: {}, id: file, filename: file };
    cache.set(file, module);
    const source = fs.readFileSync(file, "utf8");
    if (file.endsWith(".json")) {
      module.exports = JSON.parse(source);
      return module.exports;
    }
    const resolver = createRequire(file);
    const requireHere = (name) => (isBuiltin(name) ? require(name) : load(resolver.resolve(name)));
    requireHere.resolve = resolver.resolve;
    requireHere.cache = {};
    const parameters = ["exports", "require", "module", "__filename", "__dirname"];
    const body = vm.compileFunction(source, parameters, { filename: file, parsingContext: global });
    body.call(module.exports, module.exports, requireHere, module, file, path.dirname(file));
    return module.exports;
  };
  return { exports: load(implementation.path), global };
}

module.exports = { loadCopy };
