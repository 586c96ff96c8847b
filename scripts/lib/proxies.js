"use strict";

// nginx and HAProxy for the tests behind proxies: those that are named, else those on the PATH, else Debian's. (nginx that passes on bytes is a
// module of its own there.)
// They are only installed here; the tests start and stop their own (__test__/support/proxies.js).

const { aptInstall, hasApt } = require("./apt");
const { capture } = require("./run");
const { SetupError, heading } = require("./ui");

/** What each is called: in the environment, as a program, and as packages of Debian's. */
const PROXIES = {
  nginx: {
    variable: "NGINX_PROGRAM",
    program: "nginx",
    packages: ["nginx-light", "libnginx-mod-stream"],
  },
  haproxy: { variable: "HAPROXY_PROGRAM", program: "haproxy", packages: ["haproxy"] },
};

/**
 * Looks for a proxy.
 * @param {keyof typeof PROXIES} name
 * @returns {string | null} the name or the path of its program
 */
function findProxy(name) {
  const { variable, program } = PROXIES[name];
  const names = [process.env[variable], program, `/usr/sbin/${program}`].filter(Boolean);
  return names.find((one) => capture(one, ["-v"]) !== null) ?? null;
}

/**
 * Finds a proxy, or installs Debian's.
 * @param {keyof typeof PROXIES} name
 * @returns {Promise<string>} the name or the path of its program
 */
async function ensureProxy(name) {
  const found = findProxy(name);
  if (found) return found;
  const { variable, packages } = PROXIES[name];
  const byHand = `Install it (Debian: apt-get install ${packages.join(" ")}), or set ${variable} to its program.`;
  if (!hasApt()) throw new SetupError(`The tests behind proxies need ${name}.`, byHand);
  heading(`Installing ${name} for the tests behind proxies (apt-get)`);
  const installed = (await aptInstall(...packages)) ? findProxy(name) : null;
  if (!installed) throw new SetupError(`apt-get could not install ${name}.`, byHand);
  return installed;
}

/**
 * Finds or installs all of them.
 * @returns {Promise<Record<string, string>>} environment variables for the tests
 */
async function ensureProxies() {
  const env = {};
  for (const [name, { variable }] of Object.entries(PROXIES))
    env[variable] = await ensureProxy(/** @type {keyof typeof PROXIES} */ (name));
  return env;
}

module.exports = { ensureProxies, ensureProxy };
