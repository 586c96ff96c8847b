"use strict";

// Builds the binaries of a release. Those for Linux are linked by zig, which brings each glibc and musl, so they can be built on any
// machine; the others on a machine of their own kind.

const fs = require("node:fs");
const path = require("node:path");
const { fromRoot } = require("../lib/paths");
const { capture, run } = require("../lib/run");
const { checkToolchain } = require("../lib/toolchain");
const { SetupError, heading } = require("../lib/ui");
const { ensureVenv } = require("../lib/venv");
const { GLIBC } = require("./targets");

/** @typedef {import("./targets").Target} Target */

const WORK = fromRoot("target", "release-npm");
/** Where the binaries lie, by the names that they are published under. */
const BINARIES = path.join(WORK, "binaries");

/**
 * @param {Target} target
 * @returns {Promise<void>}
 */
async function build(target) {
  const { triple, os, libc, file, built } = target;
  checkToolchain();
  heading(`Building the binary for ${triple}`);
  await ensureStandardLibrary(triple);
  const flags = ["--release", "--lib", "--locked", "--target-dir", path.join(WORK, "cargo")];
  const env = { CARGO_PROFILE_RELEASE_STRIP: "symbols" };
  let code;
  if (os === "linux") {
    const python = await ensureVenv({
      what: "the linker for releases",
      folder: fromRoot("target", "zig"),
      requirements: path.join(__dirname, "requirements.txt"),
      module: "ziglang",
    });
    // A library that Node.js loads can't bring a musl of its own.
    const libraries = libc === "musl" ? { RUSTFLAGS: "-Ctarget-feature=-crt-static" } : {};
    const goal = libc === "glibc" ? `${triple}.${GLIBC}` : triple;
    const tools = path.dirname(python);
    code = await run(path.join(tools, "cargo-zigbuild"), ["zigbuild", ...flags, "--target", goal], {
      env: { ...env, ...libraries, PATH: `${tools}${path.delimiter}${process.env.PATH}` },
    });
  } else {
    code = await run("cargo", ["build", ...flags, "--target", triple], { env });
  }
  if (code !== 0)
    throw new SetupError(
      `The binary for ${triple} did not build.`,
      "The compiler's message is above.",
    );
  fs.mkdirSync(BINARIES, { recursive: true });
  fs.copyFileSync(path.join(WORK, "cargo", triple, "release", built), path.join(BINARIES, file));
}

/** Has rustup fetch the standard library of a target, where there is a rustup. */
async function ensureStandardLibrary(triple) {
  const installed = capture("rustup", ["target", "list", "--installed"]);
  if (installed === null || installed.split(/\s+/).includes(triple)) return;
  if ((await run("rustup", ["target", "add", triple])) !== 0)
    throw new SetupError(
      `Rust's standard library for ${triple} can't be had.`,
      "Is the network there? Then try again; or leave that target out.",
    );
}

module.exports = { BINARIES, build, WORK };
