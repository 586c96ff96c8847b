"use strict";

// A Redis server for the tests with adapters that need one: the one that is named, else one on the PATH, else Debian's.
// It is only installed here; the tests start and stop their own (__test__/support/redis.js).

const { aptInstall, hasApt } = require("./apt");
const { capture } = require("./run");
const { SetupError, heading } = require("./ui");

/** Looks for a Redis server; gives its name, or null. */
function findRedis() {
  const names = [process.env.REDIS_SERVER, "redis-server"].filter(Boolean);
  return names.find((name) => capture(name, ["--version"]) !== null) ?? null;
}

/**
 * Finds a Redis server, or installs Debian's.
 * @returns {Promise<string>} the name or the path of its program
 */
async function ensureRedis() {
  const found = findRedis();
  if (found) return found;
  const byHand =
    "Install Redis (Debian: apt-get install redis-server), or set REDIS_SERVER to its program.";
  if (!hasApt()) throw new SetupError("The tests with Redis need a Redis server.", byHand);
  heading("Installing Redis for the tests with adapters of it (apt-get)");
  const installed = (await aptInstall("redis-server")) ? findRedis() : null;
  if (!installed) throw new SetupError("apt-get could not install Redis.", byHand);
  return installed;
}

module.exports = { ensureRedis };
