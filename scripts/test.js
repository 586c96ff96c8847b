"use strict";

// `npm test`: sets up what is missing, then runs all tests. Stops at the first stage that fails.
// `npm test -- behaviour` runs only the stages whose name contains the word.

const fs = require("node:fs");
const path = require("node:path");
const { ensureAddon } = require("./lib/addon");
const { ensureChromium } = require("./lib/chromium");
const { ensureDependencies } = require("./lib/deps");
const { ROOT, fromRoot } = require("./lib/paths");
const { ensurePythonClients } = require("./lib/python");
const { ensureRedis } = require("./lib/redis");
const { run } = require("./lib/run");
const { ensureRustClients } = require("./lib/rust-client");
const { runStages } = require("./lib/stages");
const { checkToolchain } = require("./lib/toolchain");
const { SetupError, note, runMain } = require("./lib/ui");

/** All test files, found by us: `node --test` knows no patterns before Node.js 21. */
function testFiles() {
  return fs
    .readdirSync(fromRoot("__test__"), { recursive: true })
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => path.join("__test__", file))
    .sort();
}

/** Node's own runner: one process per file, and at the end a count of what passed, and all that failed once more. */
async function nodeTests(env) {
  const files = testFiles();
  // Without files the runner would look for some itself, find what is not ours, and pass.
  if (files.length === 0) {
    throw new SetupError("There are no test files in __test__.", "Is the checkout complete?");
  }
  note(`${files.length} files below ${path.relative(ROOT, fromRoot("__test__"))}/`);
  return run(process.execPath, ["--test", "--test-reporter=spec", ...files], { env });
}

const cargoTest = (...args) => run("cargo", ["test", "--no-default-features", ...args]);

runMain(async () => {
  const only = process.argv[2] ?? "";
  checkToolchain();
  await ensureDependencies();
  await ensureAddon();
  const env = {
    CHROMIUM_PATH: await ensureChromium(),
    REDIS_SERVER: await ensureRedis(),
    ...(await ensurePythonClients()),
    ...(await ensureRustClients()),
  };

  const stages = [
    { name: "Rust tests: the protocol floors", run: () => cargoTest() },
    {
      name: "Rust tests: the network floor, over loopback",
      run: () => cargoTest("--features", "net"),
    },
    { name: "Behaviour and browser tests", run: () => nodeTests(env) },
    { name: "Type tests", run: () => run("npm", ["run", "--silent", "test:types"]) },
  ];
  const chosen = stages.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  if (chosen.length === 0) {
    throw new SetupError(
      `No stage is called "${only}".`,
      stages.map(({ name }) => `- ${name}`).join("\n"),
    );
  }
  return runStages("Tests", chosen);
});
