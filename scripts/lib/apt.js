"use strict";

// Debian's packages, for what the tests need and npm and cargo can't bring.

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

module.exports = { aptInstall, hasApt };
