"use strict";

/**
 * Samples: apps in folders of their own below `samples/`, each with a package.json as its author would write it. One is installed
 * twice, with npm's socket.io and with this package in its place. Both must do the same.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { execute, installApp } = require("./app");

const SAMPLES = path.join(__dirname, "..", "samples");

/** What the package is called that a program gets as socket.io. */
const IMPLEMENTATIONS = { "socket.io": "oracle", ferrosocket: "ours" };

/**
 * @typedef {object} Installed
 * @property {string} implementation "oracle" or "ours"
 * @property {string} app its folder
 */

/**
 * @param {import("node:test").TestContext} t
 * @param {string} name of the sample
 * @param {string[]} users packages of it that bring a socket.io, or require it, by themselves
 * @returns {Promise<Installed[]>} the sample, installed twice
 */
async function installTwice(t, name, users = []) {
  const folder = path.join(SAMPLES, name);
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  const installed = [];
  for (const [package_, implementation] of Object.entries(IMPLEMENTATIONS)) {
    const isOurs = implementation === "ours";
    const { "socket.io": original, ...others } = manifest.dependencies;
    const app = await installApp(t, "npm", {
      dependencies: isOurs ? others : { ...others, "socket.io": original },
      overrides: isOurs,
      manifest: { overrides: manifest.overrides },
    });
    for (const file of fs.readdirSync(folder))
      if (file !== "package.json")
        fs.cpSync(path.join(folder, file), path.join(app, file), { recursive: true });
    for (const user of ["", ...users]) assert.equal(whatIsGiven(app, user), package_, user);
    installed.push({ implementation, app });
  }
  return installed;
}

/** The name of the package that a package of an app gets as socket.io. @param {string} app @param {string} user "": the app */
function whatIsGiven(app, user) {
  const manifest = path.join(app, user && path.join("node_modules", user), "package.json");
  return createRequire(manifest)("socket.io/package.json").name;
}

/**
 * Runs the same in both, and compares what is printed.
 *
 * @param {Installed[]} installed
 * @param {string[]} command arguments of Node.js
 * @param {(output: string) => string} [normalise] takes out what differs each time
 * @returns {Promise<string>} what both printed
 */
async function sameOutput(installed, command, normalise = (output) => output) {
  const outputs = {};
  for (const { implementation, app } of installed) {
    const { code, output } = await execute(process.execPath, command, app);
    assert.equal(code, 0, `${implementation}: node ${command.join(" ")}\n${output}`);
    outputs[implementation] = normalise(output);
  }
  assert.equal(outputs.ours, outputs.oracle);
  return outputs.ours;
}

module.exports = { installTwice, SAMPLES, sameOutput };
