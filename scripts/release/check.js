"use strict";

// Looks at the packages of a release: what they may not have, and what the binaries ask of a system.

const fs = require("node:fs");
const path = require("node:path");
const { capture } = require("../lib/run");
const { SetupError } = require("../lib/ui");
const { GLIBC, TARGETS } = require("./targets");

/** @typedef {import("./pack").Packed} Packed */

/** Scripts that run where a package is installed: many package managers refuse them. */
const LIFECYCLE = ["preinstall", "install", "postinstall", "prepare"];

/**
 * @param {Packed[]} packed
 * @returns {string[]} a line for each
 * @throws {SetupError} for what may not be
 */
function checkAll(packed) {
  return packed.map((one) => {
    const size = `${(fs.statSync(one.tarball).size / 1024).toFixed(0)} KiB`;
    const bad = LIFECYCLE.filter((name) => one.manifest.scripts?.[name] !== undefined);
    if (bad.length > 0)
      throw new SetupError(`${one.name} has scripts: ${bad.join(", ")}.`, "Remove them.");
    return `${one.name} ${one.manifest.version}, ${size}${checkBinary(one)}`;
  });
}

/** @param {Packed} one @returns {string} what its binary needs */
function checkBinary({ name, folder }) {
  const target = TARGETS.find((known) => known.package === name);
  if (target?.os !== "linux") return "";
  const file = path.join(folder, target.file);
  const dynamic = capture("readelf", ["--dyn-syms", "--wide", file]);
  const sections = capture("readelf", ["--sections", "--wide", file]);
  if (dynamic === null || sections === null)
    throw new SetupError("readelf is missing.", "Install binutils.");
  if (sections.includes(".symtab"))
    throw new SetupError(`${target.file} is not stripped.`, "Build it by npm run release.");
  const wanted = new Set(
    Array.from(dynamic.matchAll(/@GLIBC_([\d.]+)/g), ([, version]) => version),
  );
  if (target.libc === "musl") {
    if (wanted.size > 0)
      throw new SetupError(`${target.file} asks for glibc.`, "It is to be musl's.");
    return ", stripped, musl";
  }
  const newest = [...wanted].sort(compareVersions).at(-1) ?? "";
  if (compareVersions(newest, GLIBC) > 0)
    throw new SetupError(
      `${target.file} needs GLIBC_${newest}, and ${GLIBC} is what we promise.`,
      "Build it by npm run release.",
    );
  return `, stripped, needs GLIBC_${newest} or newer`;
}

/** @param {string} a @param {string} b such as "2.28" */
function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const at = left.findIndex((part, index) => part !== right[index]);
  return at === -1 ? left.length - right.length : left[at] - (right[at] ?? -1);
}

module.exports = { checkAll };
