"use strict";

// Child processes: one way to run a program, and how to name the programs that npm installed.

const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const { ROOT, fromRoot } = require("./paths");
const { SetupError } = require("./ui");

/** npm is a batch file on Windows, and Node starts those through a shell only. */
const NEEDS_SHELL = process.platform === "win32" ? new Set(["npm", "npx"]) : new Set();

/**
 * Runs a program in the root of the package with our terminal as its own.
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, cwd?: string }} [options] `env` is added to ours
 * @returns {Promise<number>} its exit code; 1 when a signal ended it
 */
function run(program, args, { env, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      shell: NEEDS_SHELL.has(program),
      stdio: "inherit",
    });
    // Ctrl-C reaches the whole process group; a plain SIGTERM reaches only us, so it is passed on.
    const pass = (signal) => child.kill(signal);
    process.once("SIGTERM", pass);
    child.once("error", reject);
    child.once("close", (code) => {
      process.removeListener("SIGTERM", pass);
      resolve(code ?? 1);
    });
  });
}

/**
 * Runs a program and returns what it printed.
 * @param {string} program
 * @param {string[]} args
 * @returns {string | null} its output, trimmed; null when it is missing or failed
 */
function capture(program, args) {
  const { error, status, stdout } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: "utf8",
    shell: NEEDS_SHELL.has(program),
    stdio: ["ignore", "pipe", "ignore"],
  });
  return error || status !== 0 ? null : stdout.trim();
}

/**
 * The command line of a program that a devDependency brings, without going through a shell.
 * @param {string} packageName
 * @param {string} [bin] which one, when the package brings several
 * @returns {string[]} arguments for `process.execPath`
 */
function tool(packageName, bin) {
  const manifest = fromRoot("node_modules", packageName, "package.json");
  if (!fs.existsSync(manifest)) {
    throw new SetupError(`The package ${packageName} is not installed.`, "Run: npm ci");
  }
  const { bin: bins } = JSON.parse(fs.readFileSync(manifest, "utf8"));
  const file = typeof bins === "string" ? bins : bins[bin ?? Object.keys(bins)[0]];
  return [fromRoot("node_modules", packageName, file)];
}

/**
 * Runs a program that a devDependency brings.
 * @param {string[]} command what `tool` returned
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
const runTool = (command, args, options) => run(process.execPath, [...command, ...args], options);

module.exports = { capture, run, runTool, tool };
