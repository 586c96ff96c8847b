"use strict";

// The packages of npm: installed when missing or not the ones that package-lock.json names.

const fs = require("node:fs");
const path = require("node:path");
const { ROOT } = require("./paths");
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
 * @param {string} folder where both are
 */
function dependenciesAreCurrent(folder) {
  const wanted = lockedPackages(path.join(folder, "package-lock.json"));
  const installed = lockedPackages(path.join(folder, "node_modules/.package-lock.json"));
  return Object.entries(wanted).every(
    // Optional packages are those of other platforms: npm leaves them out.
    ([name, entry]) => name === "" || entry.optional || installed[name]?.version === entry.version,
  );
}

/**
 * Installs the packages of package-lock.json unless they are there.
 * @param {string} [folder] of which package; without, this one
 */
async function ensureDependencies(folder = ROOT) {
  if (dependenciesAreCurrent(folder)) return;
  const name = path.relative(ROOT, folder);
  heading(`Installing the npm packages${name ? ` of ${name}` : ""} (npm ci)`);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if ((await run("npm", args, { cwd: folder })) !== 0) {
    throw new SetupError(
      "npm ci failed; its message is above.",
      `Is the network there? Then try again: npm ci${name ? ` (in ${name})` : ""}`,
    );
  }
}

module.exports = { ensureDependencies };
