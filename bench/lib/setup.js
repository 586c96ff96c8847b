"use strict";

// Makes what is measured and what measures: Rust programs and packages that only the benchmark needs.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const work = path.join(__dirname, "..", ".work");
const target = path.join(work, "target");
const pinned = path.join(__dirname, "..", "peers");
/** Where the packages of `peers/package.json` are installed. */
const installed = path.join(work, "peers");

/** Runs a program, whose progress goes to stderr. Throws when it fails. */
function run(program, args, options) {
  const { error, status } = spawnSync(program, args, {
    ...options,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (error?.code === "ENOENT") throw new Error(`${program} is missing`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
}

/** Builds a Rust program, or finds that it is up to date; says what goes wrong. */
function cargo(directory, name) {
  console.error(`building ${name}`);
  run("cargo", ["build", "--release", "--locked"], {
    cwd: directory,
    env: { ...process.env, CARGO_TARGET_DIR: target, CARGO_TERM_QUIET: "false" },
  });
}

/** The path of a program that {@link cargo} builds. */
function program(name) {
  return path.join(target, "release", name);
}

/** Installs the packages of `peers/`, unless they are there. */
function packages() {
  const lock = fs.readFileSync(path.join(pinned, "package-lock.json"), "utf8");
  const done = path.join(installed, "installed.lock");
  if (fs.existsSync(done) && fs.readFileSync(done, "utf8") === lock) return;
  console.error(`installing ${Object.keys(manifest().dependencies).join(", ")}`);
  fs.mkdirSync(installed, { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) {
    fs.copyFileSync(path.join(pinned, file), path.join(installed, file));
  }
  run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: installed });
  fs.writeFileSync(done, lock);
}

/** What `peers/` asks for. */
function manifest() {
  return JSON.parse(fs.readFileSync(path.join(pinned, "package.json"), "utf8"));
}

module.exports = { cargo, installed, packages, program };
