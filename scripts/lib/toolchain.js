"use strict";

// Is everything here that building the addon needs? Each answer of "no" comes with its fix.

const fs = require("node:fs");
const { fromRoot } = require("./paths");
const { capture } = require("./run");
const { SetupError } = require("./ui");

/**
 * Compares versions number by number.
 * @param {string} have such as "1.95.0"
 * @param {string} want such as "1.88"
 * @returns {boolean} whether `have` is `want` or newer
 */
function atLeast(have, want) {
  const [a, b] = [have, want].map((version) =>
    version.split(".").map((part) => parseInt(part, 10) || 0),
  );
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return true;
}

/** Throws unless this Node.js is one that package.json asks for. */
function checkNode() {
  const { engines } = JSON.parse(fs.readFileSync(fromRoot("package.json"), "utf8"));
  const want = engines.node.replace(/^>=\s*/, "");
  if (atLeast(process.versions.node, want)) return;
  throw new SetupError(
    `This is Node.js ${process.versions.node}; ferrosocket needs ${want} or newer.`,
    "Install a newer Node.js with your package manager, or with nvm: nvm install 20",
  );
}

/** Throws unless cargo is here and as new as Cargo.toml asks for. */
function checkRust() {
  const want = /^rust-version\s*=\s*"([^"]+)"/m.exec(
    fs.readFileSync(fromRoot("Cargo.toml"), "utf8"),
  )[1];
  const fix =
    "Install Rust with rustup (https://rustup.rs), or bring it up to date: rustup update stable";
  // rustc decides what compiles; cargo alone may be a rustup stub without a toolchain behind it.
  const version = capture("rustc", ["--version"]);
  const have = /^rustc (\S+)/.exec(version ?? "")?.[1];
  if (!have || !capture("cargo", ["--version"])) {
    throw new SetupError(`Rust is missing; building the addon needs Rust ${want} or newer.`, fix);
  }
  if (!atLeast(have, want)) {
    throw new SetupError(`This is Rust ${have}; building the addon needs ${want} or newer.`, fix);
  }
}

/** Throws when no C compiler is found: rustc links with it, and the allocator is compiled with it. */
function checkCompiler() {
  if (process.platform === "win32") return; // MSVC is not on the PATH; rustc finds it, and says so when it cannot.
  const names = [process.env.CC, "cc", "gcc", "clang"].filter(Boolean);
  if (names.some((name) => capture(name, ["--version"]) !== null)) return;
  const fix =
    process.platform === "darwin"
      ? "Install Apple's command line tools: xcode-select --install"
      : "Debian, Ubuntu: apt-get install build-essential\nFedora: dnf install gcc\nAlpine: apk add build-base";
  throw new SetupError("A C compiler is missing; rustc links with it.", fix);
}

/** Throws with a fix unless the addon can be built here. */
function checkToolchain() {
  checkNode();
  checkRust();
  checkCompiler();
}

module.exports = { checkNode, checkToolchain };
