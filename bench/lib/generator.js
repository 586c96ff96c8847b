"use strict";

// The load generator in bench/load: builds it, runs it.

const { spawn, spawnSync } = require("node:child_process");
const path = require("node:path");

const source = path.join(__dirname, "..", "load");
const target = path.join(__dirname, "..", ".work", "target");
const program = path.join(target, "release", "load");

/** Builds the generator, or finds that it is up to date. Throws with what cargo says. */
function build() {
  const { error, status } = spawnSync("cargo", ["build", "--release", "--locked", "--quiet"], {
    cwd: source,
    env: { ...process.env, CARGO_TARGET_DIR: target },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error?.code === "ENOENT") {
    throw new Error("cargo is missing: install Rust (https://rustup.rs)");
  }
  if (error) throw error;
  if (status !== 0) throw new Error("the load generator did not build");
}

/**
 * Runs a load on a server.
 *
 * @param {string} mode what the generator calls it
 * @param {{ port: number, pid: number }} server
 * @param {Record<string, number>} args its keys and values
 * @param {AbortSignal} signal ends the generator
 * @returns {Promise<object>} the figures it prints
 */
function run(mode, { port, pid }, args, signal) {
  const pairs = Object.entries(args).map(([key, value]) => `${key}=${value}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, [mode, `${port}`, `${pid}`, ...pairs], { signal });
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
