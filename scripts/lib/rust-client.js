"use strict";

// The Rust client of the tests, a program of its own with a lock file of its own.

const fs = require("node:fs");
const { aptInstall, hasApt } = require("./apt");
const { fromRoot } = require("./paths");
const { capture, run } = require("./run");
const { checkToolchain } = require("./toolchain");
const { SetupError, heading } = require("./ui");

const MANIFEST = fromRoot("__test__/clients/rust/Cargo.toml");
const TARGET = fromRoot("target/clients/rust");
const SUFFIX = process.platform === "win32" ? ".exe" : "";
const PROGRAM = fromRoot(`target/clients/rust/debug/rust-client${SUFFIX}`);

/** The environment variable that names the program when it is set up; read by the tests. */
const VARIABLE = "FERROSOCKET_RUST_CLIENT";

/** Whether the client's TLS library can be linked. Windows and macOS bring their own. */
function hasTls() {
  if (process.platform === "win32" || process.platform === "darwin") return true;
  return (
    Boolean(process.env.OPENSSL_DIR) || capture("pkg-config", ["--exists", "openssl"]) !== null
  );
}

/** Installs what the TLS library needs, unless it is there: the client can't be built without, though no test uses it. */
async function ensureTls() {
  if (hasTls()) return;
  const byHand =
    "Install OpenSSL's headers and pkg-config (Debian: apt-get install libssl-dev pkg-config; Fedora: openssl-devel).";
  if (!hasApt()) throw new SetupError("The Rust client of the tests needs OpenSSL.", byHand);
  heading("Installing OpenSSL for the Rust client of the tests (apt-get)");
  if (!(await aptInstall("libssl-dev", "pkg-config")) || !hasTls()) {
    throw new SetupError("apt-get could not install OpenSSL.", byHand);
  }
}

/**
 * Builds the Rust client; cargo sees to it that nothing is built twice.
 * @returns {Promise<string>} the path of the program
 */
async function ensureRustClient() {
  if (process.env[VARIABLE]) return process.env[VARIABLE];
  checkToolchain();
  await ensureTls();
  const first = !fs.existsSync(PROGRAM);
  if (first) heading("Building the Rust client of the tests (cargo)");
  const flags = ["--locked", "--manifest-path", MANIFEST, "--target-dir", TARGET];
  if ((await run("cargo", ["build", ...flags, ...(first ? [] : ["--quiet"])])) !== 0) {
    throw new SetupError(
      "The Rust client of the tests did not build.",
      "The compiler's message is above.",
    );
  }
  return PROGRAM;
}

/**
 * Sets up the Rust client.
 * @returns {Promise<Record<string, string>>} environment variables for the tests
 */
const ensureRustClients = async () => ({ [VARIABLE]: await ensureRustClient() });

module.exports = { ensureRustClient, ensureRustClients };
