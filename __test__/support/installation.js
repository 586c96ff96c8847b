"use strict";

/** Installations of this package in folders of their own, whole or not, and programs that are run in them. */

const { execFile } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const ROOT = path.join(__dirname, "..", "..");
const { dependencies } = require(path.join(ROOT, "package.json"));

/** What loading needs. */
const PARTS = [
  "index.js",
  "engine.io.js",
  "package.json",
  "wrapper.mjs",
  "bin",
  "dist",
  "lib",
  "v2",
];
const LOADER = ["index.js", "border.js"];

/** The file of the addon on this platform. */
const BINARY = fs.readdirSync(path.join(ROOT, "native")).find((file) => file.endsWith(".node"));

/** Which platform that is, such as "linux-x64-gnu". */
const PLATFORM = BINARY.split(".")[1];

/**
 * Installs the package without its binary.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} [name] under which
 * @returns {{ app: string, ours: string, modules: string }} folders: of the program, of the package, of all packages
 */
function install(t, name = "ferrosocket") {
  const app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-app-")));
  t.after(() => fs.rmSync(app, { recursive: true, force: true }));
  const modules = path.join(app, "node_modules");
  const ours = path.join(modules, name);
  fs.mkdirSync(path.join(ours, "native"), { recursive: true });
  for (const part of PARTS)
    fs.cpSync(path.join(ROOT, part), path.join(ours, part), { recursive: true });
  for (const file of LOADER)
    fs.copyFileSync(path.join(ROOT, "native", file), path.join(ours, "native", file));
  for (const package_ of Object.keys(dependencies)) link(modules, package_);
  return { app, ours, modules };
}

/** Installs a package of ours that is there under another name. */
function link(modules, name, as = name) {
  const target = path.join(modules, as);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.symlinkSync(path.join(ROOT, "node_modules", name), target, "junction");
}

/** Gives an installation its binary. */
function addBinary(ours) {
  fs.copyFileSync(path.join(ROOT, "native", BINARY), path.join(ours, "native", BINARY));
}

/**
 * Runs a program in an installation.
 *
 * @param {string} app
 * @param {string} code
 * @param {{ args?: string[], env?: object }} [options] `args`: for Node.js
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
function run(app, code, { args = [], env = {} } = {}) {
  const file = path.join(app, "program.js");
  fs.writeFileSync(file, code);
  return runFile(app, [...args, file], env);
}

/**
 * Runs Node.js in an installation.
 *
 * @param {string} app
 * @param {string[]} args
 * @param {object} [env]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
function runFile(app, args, env) {
  const options = { cwd: app, env: { ...process.env, NODE_OPTIONS: "", ...env } };
  return new Promise((resolve) =>
    execFile(process.execPath, args, options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    ),
  );
}

module.exports = { addBinary, BINARY, PLATFORM, install, link, run, runFile };
