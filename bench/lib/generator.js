"use strict";

// The load generator in bench/load: builds it, runs it.

const { spawn } = require("node:child_process");
const path = require("node:path");

const setup = require("./setup.js");

/** Builds the generator, or finds that it is up to date. */
function build() {
  setup.cargo(path.join(__dirname, "..", "load"), "the load generator");
}

/**
 * Runs a load on a server.
 *
 * @param {string} mode what the generator calls it
 * @param {{ port: number, pid: number }} server
 * @param {Record<string, number | string>} args its keys and values
 * @param {AbortSignal} signal ends the generator
 * @returns {Promise<object>} the figures it prints
 */
function run(mode, { port, pid }, args, signal) {
  const pairs = Object.entries(args).map(([key, value]) => `${key}=${value}`);
  return new Promise((resolve, reject) => {
    const child = spawn(setup.program("load"), [mode, `${port}`, `${pid}`, ...pairs], { signal });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(err.trim() || `the load generator ended with ${code}`));
    });
  });
}

module.exports = { build, run };
