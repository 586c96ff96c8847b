"use strict";

// `npm run test:ecosystem`: installs the packages as they would be published, by several package managers, beside frameworks and through
// bundlers, and runs what comes of it. Needs the network, and some minutes. `npm run test:ecosystem -- nest`: only the files whose
// name contains that.

const fs = require("node:fs");
const path = require("node:path");
const { addonPath, ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { run } = require("./lib/run");
const { SetupError, heading, note, runMain } = require("./lib/ui");
const { BINARIES } = require("./release/build");
const { packAll } = require("./release/pack");
const { serveRegistry } = require("./release/registry");

const FOLDER = "__test__/ecosystem";

/** @param {string} word @returns {string[]} */
function choose(word) {
  const all = fs.readdirSync(fromRoot(FOLDER)).filter((file) => file.endsWith(".js"));
  const chosen = all.filter((file) => file.includes(word));
  if (chosen.length > 0) return chosen.map((file) => path.join(FOLDER, file));
  throw new SetupError(`No file is called "${word}".`, all.map((file) => `- ${file}`).join("\n"));
}

runMain(async () => {
  const files = choose(process.argv[2] ?? "");
  await ensureDependencies();
  await ensureAddon();
  // What is tried is this checkout, not what was released last.
  fs.mkdirSync(BINARIES, { recursive: true });
  fs.copyFileSync(addonPath(), path.join(BINARIES, path.basename(addonPath())));
  const { packed } = packAll();
  const registry = await serveRegistry(packed);
  try {
    heading("Frameworks, package managers and bundlers");
    note(`the packages come from ${registry.url}`);
    const flags = ["--test", "--test-reporter=spec", "--test-concurrency=1"];
    const env = { FERROSOCKET_REGISTRY: registry.url };
    return await run(process.execPath, [...flags, ...files], { env });
  } finally {
    registry.close();
  }
});
