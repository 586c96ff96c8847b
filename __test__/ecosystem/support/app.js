"use strict";

/** Apps in folders of their own, into which package managers install this package as if it had been published. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const { version } = require("../../../package.json");

/** Where the packages are; set by `npm run test:ecosystem`. */
const REGISTRY = process.env.FERROSOCKET_REGISTRY;
/** What the alias is, for all package managers. */
const ALIAS = `npm:ferrosocket@${version}`;
/** npm's own cache, of everything but our packages: the registry forbids to keep those. */
const CACHE = path.join(__dirname, "..", "..", "..", "target", "ecosystem", "npm-cache");

/** The managers: what runs them, how they are told where packages come from, and how all are given one socket.io. */
const MANAGERS = {
  npm: {
    package: undefined,
    overrides: { overrides: { "socket.io": "$socket.io" } },
    files: () => ({ ".npmrc": `registry=${REGISTRY}\n` }),
    install: [
      "install",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--prefer-offline",
      `--cache=${CACHE}`,
    ],
  },
  pnpm: {
    package: "pnpm@12",
    bin: "pnpm/bin/pnpm.mjs",
    overrides: {},
    files: () => ({
      ".npmrc": `registry=${REGISTRY}\n`,
      "pnpm-workspace.yaml": `overrides:\n  socket.io: ${ALIAS}\nminimumReleaseAge: 0\nstoreDir: ./.store\n`,
    }),
    install: ["install", "--no-frozen-lockfile"],
  },
  yarn: {
    package: "@yarnpkg/cli-dist@4",
    bin: "@yarnpkg/cli-dist/bin/yarn.js",
    overrides: { resolutions: { "socket.io": ALIAS } },
    files: (linker) => ({
      "yarn.lock": "",
      ".yarnrc.yml": [
        `nodeLinker: ${linker}`,
        `npmRegistryServer: ${REGISTRY}`,
        "unsafeHttpWhitelist: [127.0.0.1]",
        "enableGlobalCache: false",
        "enableImmutableInstalls: false",
        "enableTelemetry: false",
        "enableScripts: false",
        "npmMinimalAgeGate: 0",
      ].join("\n"),
    }),
    install: ["install"],
  },
  "yarn 1": {
    package: "yarn@1",
    bin: "yarn/bin/yarn.js",
    overrides: { resolutions: { "socket.io": ALIAS } },
    files: () => ({ ".npmrc": `registry=${REGISTRY}\n`, ".yarnrc": `registry "${REGISTRY}"\n` }),
    install: ["install", "--ignore-scripts", "--ignore-engines", "--cache-folder", "./.cache"],
  },
};

/**
 * @param {import("node:test").TestContext} t
 * @returns {string} a folder for an app
 */
function makeApp(t) {
  assert.ok(REGISTRY, "run these by npm run test:ecosystem");
  const app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-ecosystem-")));
  t.after(() => fs.rmSync(app, { recursive: true, force: true }));
  return app;
}

/**
 * Installs an app.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} manager a key of MANAGERS
 * @param {object} options
 * @param {Record<string, string>} [options.dependencies] beside socket.io, or with another one
 * @param {boolean} [options.overrides] whether all packages are given the same socket.io
 * @param {string} [options.linker] of yarn
 * @param {object} [options.manifest] what else is in its package.json
 * @returns {Promise<string>} its folder
 */
async function installApp(
  t,
  manager,
  { dependencies = {}, overrides = true, linker = "", manifest: own = {} },
) {
  const app = makeApp(t);
  const { package: tool, bin, files, install, overrides: rule } = MANAGERS[manager];
  const manifest = {
    name: "app",
    private: true,
    ...own,
    dependencies: { "socket.io": ALIAS, "socket.io-client": "^4.8.0", ...dependencies },
  };
  if (overrides)
    for (const [key, values] of Object.entries(rule))
      manifest[key] = { ...manifest[key], ...values };
  fs.writeFileSync(path.join(app, "package.json"), JSON.stringify(manifest));
  for (const [name, content] of Object.entries(files(linker)))
    fs.writeFileSync(path.join(app, name), content);
  if (tool === undefined) {
    await succeed("npm", install, app);
    return app;
  }
  const tools = path.join(makeApp(t), "tools");
  fs.mkdirSync(tools);
  await succeed("npm", ["install", "--prefix", tools, "--no-audit", "--no-fund", tool], tools);
  await succeed(process.execPath, [path.join(tools, "node_modules", bin), ...install], app);
  return app;
}

/** Milliseconds after which a program that has not ended is ended: it would keep all others waiting. */
const PATIENCE = 600_000;

/**
 * Runs a program, which has to succeed.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<string>} what it printed
 */
async function succeed(program, args, cwd) {
  const { code, output } = await execute(program, args, cwd);
  assert.equal(code, 0, `${program} ${args.join(" ")}\n${output}`);
  return output;
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<{ code: number, output: string }>}
 */
function execute(program, args, cwd) {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const shell = process.platform === "win32" && program === "npm";
  const child = spawn(program, args, {
    cwd,
    env,
    shell,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * Writes a program into an app and runs it.
 *
 * @param {string} app
 * @param {string} name
 * @param {string} code
 * @param {string[]} [flags] of Node.js
 */
function runProgram(app, name, code, flags = []) {
  fs.writeFileSync(path.join(app, name), code);
  return succeed(process.execPath, [...flags, name], app);
}

module.exports = { ALIAS, execute, installApp, makeApp, REGISTRY, runProgram, succeed };
