"use strict";

// `npm run test:upstream -- CHECKOUT`: upstream's own tests of engine.io, from a checkout of its repository, on npm's engine.io and on
// ferrosocket/engine.io. The checkout has to be of the version that is installed here, so that npm's passes them.

const fs = require("node:fs");
const path = require("node:path");
const { ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { run } = require("./lib/run");
const { SetupError, heading, runMain } = require("./lib/ui");

const TESTS = path.join("packages", "engine.io", "test");

runMain(async () => {
  const checkout = process.argv[2];
  const version = require("../package.json").devDependencies["engine.io"].replace("~", "");
  const fix = `npm run test:upstream -- ../socket.io, with a clone of socketio/socket.io at the tag engine.io@${version}`;
  if (checkout === undefined) throw new SetupError("Where are upstream's tests?", fix);
  const tests = path.resolve(checkout, TESTS);
  if (!fs.existsSync(tests)) throw new SetupError(`There is no ${tests}.`, fix);
  await ensureDependencies();
  await ensureAddon();
  const folder = fromRoot("__test__", "upstream", "engine.io", "test");
  fs.rmSync(folder, { recursive: true, force: true });
  fs.cpSync(tests, folder, { recursive: true });
  heading("Upstream's tests of engine.io");
  return run(process.execPath, ["--test", "__test__/upstream/engine.js"]);
});
