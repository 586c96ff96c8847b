"use strict";

// The platforms that a release has binaries for: those of package.json.

const { fromRoot } = require("../lib/paths");
const { napi } = require(fromRoot("package.json"));

/** The oldest glibc that the binaries for Linux run on: that of Debian 10, RHEL 8, and of Node.js itself. */
const GLIBC = "2.28";

/** By the words of Rust, those of npm. */
const SYSTEMS = { linux: "linux", darwin: "darwin", windows: "win32" };
const PROCESSORS = { x86_64: "x64", aarch64: "arm64" };
const LIBRARIES = { gnu: "glibc", musl: "musl" };

/**
 * @typedef {object} Target
 * @property {string} triple as Rust names it
 * @property {string} platform as the loader does, such as "linux-x64-gnu"
 * @property {string} package what holds its binary
 * @property {string} file what the binary is called
 * @property {string} built what cargo calls it
 * @property {string} os
 * @property {string} cpu
 * @property {string} [libc]
 */

/** @param {string} triple @returns {Target} */
function describe(triple) {
  const [processor, , system, abi] = triple.split("-");
  const os = SYSTEMS[system];
  const cpu = PROCESSORS[processor];
  const platform = [os, cpu, abi].filter(Boolean).join("-");
  return {
    triple,
    platform,
    package: `${napi.packageName}-${platform}`,
    file: `${napi.binaryName}.${platform}.node`,
    built: { linux: "libferrosocket.so", darwin: "libferrosocket.dylib", win32: "ferrosocket.dll" }[
      os
    ],
    os,
    cpu,
    libc: os === "linux" ? LIBRARIES[abi] : undefined,
  };
}

/** @type {Target[]} */
const TARGETS = napi.targets.map(describe);

module.exports = { GLIBC, TARGETS };
