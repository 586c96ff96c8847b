"use strict";

// `npm run build` (release) and `npm run build:dev` (`--dev`: the profile `quick`): builds the native addon and
// generates native/index.js, native/index.d.ts and native/border.js.

const { addonPath, buildAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { ROOT } = require("./lib/paths");
const { note, runMain } = require("./lib/ui");
const path = require("node:path");

runMain(async () => {
  await ensureDependencies();
  await buildAddon(process.argv.includes("--dev") ? "quick" : "release");
  note(`Built ${path.relative(ROOT, addonPath())}`);
});
