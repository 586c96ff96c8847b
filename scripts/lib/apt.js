"use strict";

// Debian's packages, for what the tests need and npm and cargo can't bring.

const fs = require("node:fs");
const { capture, run } = require("./run");

/** Whether this machine has apt-get. */
const hasApt = () => capture("apt-get", ["--version"]) !== null;

/**
 * Installs packages, as root or through sudo.
 * @param {...string} packages
 * @returns {Promise<boolean>} whether apt-get says that it worked
 */
async function aptInstall(...packages) {
  const root = process.getuid?.() === 0;
  const apt = (...args) =>
    root ? run("apt-get", args) : run("sudo", ["apt-get", ...args]).catch(() => 1); // no sudo here
  // A stale list of packages is no reason to stop: the install says whether it is too stale.
  await apt("update", "-q");
  return (await apt("install", "-q", "-y", "--no-install-recommends", ...packages)) === 0;
}

/**
 * Unpacks a package in a folder, and installs nothing.
 * @param {string} name
 * @param {string} folder
 * @returns {Promise<boolean>} whether that worked
 */
async function aptDownload(name, folder) {
  const load = () => run("apt-get", ["download", "-q", name], { cwd: folder });
  if ((await load()) !== 0) {
    // Its list of packages may be missing, or stale.
    const root = process.getuid?.() === 0;
    await (
      root ? run("apt-get", ["update", "-q"]) : run("sudo", ["apt-get", "update", "-q"])
    ).catch(() => 1);
    if ((await load()) !== 0) return false;
  }
  const file = fs.readdirSync(folder).find((file) => file.startsWith(`${name}_`));
  return file !== undefined && (await run("dpkg-deb", ["-x", file, "."], { cwd: folder })) === 0;
}

module.exports = { aptDownload, aptInstall, hasApt };
