"use strict";

// The packages of npm: installed when missing or not the ones that package-lock.json names.

const fs = require("node:fs");
const { fromRoot } = require("./paths");
const { run } = require("./run");
const { SetupError, heading } = require("./ui");

/** The packages of a lock file; none when it is missing or unreadable. */
function lockedPackages(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")).packages ?? {};
  } catch {
    return {};
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for.
 * npm leaves its own account of what it installed beside the packages; that is what we compare with.
 */
function dependenciesAreCurrent() {
  const wanted = lockedPackages(fromRoot("package-lock.json"));
  const installed = lockedPackages(fromRoot("node_modules/.package-lock.json"));
  return Object.entries(wanted).every(
    // Optional packages are those of other platforms: npm leaves them out.
    ([name, entry]) => name === "" || entry.optional || installed[name]?.version === entry.version,
  );
}

/** Installs the packages of package-lock.json unless they are there. */
async function ensureDependencies() {
  if (dependenciesAreCurrent()) return;
  heading("Installing the npm packages (npm ci)");
  if ((await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"])) !== 0) {
    throw new SetupError(
      "npm ci failed; its message is above.",
      "Is the network there? Then try again: npm ci",
    );
  }
}

module.exports = { ensureDependencies };
