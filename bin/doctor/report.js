"use strict";

// What the doctor says of a folder with a program.

const { once } = require("node:events");
const http = require("node:http");
const path = require("node:path");
const { installed, resolved } = require("./installed");
const { fileOf, loadAddon } = require("../../lib/base/addon");
const { describePlace } = require("../../lib/base/addon-error");

const OURS = "ferrosocket";
const ROOT = path.join(__dirname, "..", "..");
const OVERRIDES =
  'say so for all packages and install again. npm, in package.json: "overrides": { "socket.io": "$socket.io" }; yarn: "resolutions"; pnpm: overrides in pnpm-workspace.yaml (docs/installing.md of this package)';

/**
 * Looks at all, and prints it.
 *
 * @param {string} folder of the program
 * @returns {Promise<number>} the exit code: 1 if something is to be mended
 */
async function examine(folder) {
  const faults = [...packages(folder), ...(await addon())];
  heading(faults.length > 0 ? "To be mended" : "All is well");
  for (const fault of faults) say(`- ${fault}`);
  return faults.length > 0 ? 1 : 0;
}

/** @param {string} folder @returns {string[]} what is to be mended */
function packages(folder) {
  const all = installed(folder);
  const here = resolved(folder, "socket.io");
  const alone = resolved(folder, OURS);
  heading(`What is installed for ${folder}`);
  for (const one of all)
    if (["socket.io", OURS].includes(one.name) || one.name.startsWith("@ferrosocket/"))
      row(`${one.name} ${one.version}`, one.folder);
  if (all.length === 0 && process.versions.pnp) say("Yarn has no folders here (Plug'n'Play).");

  heading("Who gets what");
  row('require("socket.io") here', title(here));
  row(`require("${OURS}") here`, title(alone));
  const faults = [];
  if (here === undefined && alone === undefined)
    faults.push("neither is installed here: npm i socket.io@npm:ferrosocket");
  else if (here !== undefined && here.name !== OURS && alone === undefined)
    faults.push(`"socket.io" is npm's here: npm i socket.io@npm:ferrosocket`);
  for (const one of all) {
    if (!one.needsSocketIo) continue;
    const its = resolved(one.folder, "socket.io");
    row(`in ${one.name} ${one.version}`, title(its));
    if (its !== undefined && its.name !== OURS)
      faults.push(`${one.name} gets npm's socket.io ${its.version}: ${OVERRIDES}`);
  }
  return faults;
}

/** @returns {Promise<string[]>} what is to be mended */
async function addon() {
  heading("The addon");
  row("on", describePlace());
  row("of", ROOT);
  const { FERROSOCKET_FALLBACK: name } = process.env;
  if (name) row("FERROSOCKET_FALLBACK", name);
  try {
    row("loaded", fileOf(loadAddon()) ?? "yes");
  } catch (error) {
    const { message, problem, fix } =
      /** @type {import("../../lib/base/addon-error").AddonError} */ (error);
    say(message);
    return [`the addon can't be loaded, as ${problem}: ${fix}`];
  }
  heading("The fast ways");
  const reasons = await machine();
  for (const reason of reasons) say(`- ${reason}`);
  if (reasons.length === 0) say("Nothing here is against them: workers accept connections.");
  say("What a program sets up may be, too: ferrosocket doctor server.js runs it and tells.");
  return [];
}

/** @returns {Promise<string[]>} what this machine and this environment have against the fast ways */
async function machine() {
  const { Server } = require("../../lib/api");
  const { reasonsAgainst } = require("./ways");
  const server = http.createServer();
  const io = new Server(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const lines = reasonsAgainst(io.engine, server);
  await io.close();
  return lines;
}

/** @param {{ folder: string, name: string, version: string } | undefined} found */
function title(found) {
  if (found === undefined) return "is not there";
  const { folder, name, version } = found;
  return `${name === OURS ? "ferrosocket" : `npm's ${name}`} ${version}, ${folder}`;
}

/** @param {string} text */
function heading(text) {
  say(`\n${text}`);
}

/** @param {string} name @param {string} value */
function row(name, value) {
  say(`  ${name.padEnd(28)} ${value}`);
}

/** @param {string} text */
function say(text) {
  console.log(text);
}

module.exports = { examine };
