"use strict";

// PostgreSQL for the tests with its adapter: the programs in the folder that is named, else on the PATH, else Debian's.
// It is only installed here; the tests start and stop their own (__test__/support/postgres.js).

const fs = require("node:fs");
const path = require("node:path");
const { aptInstall, hasApt } = require("./apt");
const { capture } = require("./run");
const { SetupError, heading } = require("./ui");

/** Where Debian has them, a folder for each version; it puts few of them on the PATH. */
const DEBIAN = "/usr/lib/postgresql";

const hasPrograms = (folder) =>
  ["initdb", "postgres"].every((name) => capture(path.join(folder, name), ["--version"]));

/** Looks for the folder of `initdb` and `postgres`; gives its path, "" for that of the PATH, or null. */
function findPostgres() {
  const versions = fs.existsSync(DEBIAN) ? fs.readdirSync(DEBIAN).sort((a, b) => +b - +a) : [];
  const folders = [
    process.env.POSTGRES_BIN,
    "",
    ...versions.map((version) => path.join(DEBIAN, version, "bin")),
  ];
  return folders.find((folder) => folder !== undefined && hasPrograms(folder)) ?? null;
}

/**
 * Finds PostgreSQL, or installs Debian's.
 * @returns {Promise<string>} the folder of its programs, "" when they are on the PATH
 */
async function ensurePostgres() {
  const found = findPostgres();
  if (found !== null) return found;
  const byHand =
    "Install it (Debian: apt-get install postgresql), or set POSTGRES_BIN to the folder of initdb and postgres.";
  if (!hasApt()) throw new SetupError("The tests with PostgreSQL need a server of it.", byHand);
  heading("Installing PostgreSQL for the tests with its adapter (apt-get)");
  const installed = (await aptInstall("postgresql")) ? findPostgres() : null;
  if (installed === null) throw new SetupError("apt-get could not install PostgreSQL.", byHand);
  return installed;
}

module.exports = { ensurePostgres };
