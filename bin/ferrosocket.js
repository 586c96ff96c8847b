#!/usr/bin/env node
"use strict";

// The command `ferrosocket`: `npx ferrosocket doctor` tells whether a program gets this package by the name "socket.io", whether its
// addon can be loaded, and what keeps connections from going the fastest way.

const { spawn } = require("node:child_process");
const path = require("node:path");

const USAGE = `ferrosocket doctor              looks at what is installed in this folder
ferrosocket doctor server.js …  runs the program, and tells of each server that it attaches what is against the fast ways`;

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
async function main([command, ...program]) {
  if (command !== "doctor") {
    console.error(USAGE);
    return 2;
  }
  if (program.length > 0) return run(program);
  const { examine } = require("./doctor/report");
  return examine(process.cwd());
}

/**
 * Runs a program that is looked at while it runs.
 *
 * @param {string[]} program its file and its arguments
 * @returns {Promise<number>}
 */
function run(program) {
  const watch = path.join(__dirname, "doctor", "watch.js");
  const child = spawn(process.execPath, ["--require", watch, ...program], { stdio: "inherit" });
  // Ctrl-C reaches it, too; who ends is the program
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
