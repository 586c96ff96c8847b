"use strict";

// `npm test`: sets up what is missing, then runs all tests. Stops at the first stage that fails.
// `npm test -- behaviour` runs only the stages whose name contains the word.
// `npm test -- --node 24` runs the behaviour tests on that Node.js (`--node 22,24,26`, `--node own,26`: on each of them).
// `npm test -- --file doors` runs only the behaviour tests of the files whose name contains that; may be repeated.

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");
const { ensureAddon } = require("./lib/addon");
const { ensureChromium } = require("./lib/chromium");
const { ensureDependencies } = require("./lib/deps");
const { ensureNodes, withNode } = require("./lib/node");
const { ROOT, fromRoot } = require("./lib/paths");
const { ensurePostgres } = require("./lib/postgres");
const { ensureProxies } = require("./lib/proxies");
const { ensurePythonClients } = require("./lib/python");
const { ensureRedis } = require("./lib/redis");
const { FAILURES, USUAL } = require("./lib/report-progress");
const { run } = require("./lib/run");
const { ensureRustClients } = require("./lib/rust-client");
const { runStages } = require("./lib/stages");
const { knownTimes, timeOfFiles } = require("./lib/times");
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

/**
 * The test files that are asked for.
 * @param {string[]} words paths or parts of them; none: all
 */
function chooseFiles(words) {
  const files = testFiles();
  // Without files the runner would look for some itself, find what is not ours, and pass.
  if (files.length === 0) {
    throw new SetupError("There are no test files in __test__.", "Is the checkout complete?");
  }
  const chosen = new Set();
  for (const word of words.flatMap((list) => list.split(","))) {
    const wanted = path.relative(ROOT, path.resolve(ROOT, word));
    const found = files.includes(wanted)
      ? [wanted]
      : files.filter((file) => file.includes(path.normalize(word)));
    if (word === "" || found.length === 0) {
      throw new SetupError(
        `--file ${word} names no test file.`,
        "Give the path of one in __test__, or a part of it: --file doors",
      );
    }
    for (const file of found) chosen.add(file);
  }
  return words.length > 0 ? files.filter((file) => chosen.has(file)) : files;
}

/**
 * Node's own runner: one process per file, and at the end a count of what passed, and all that failed once more.
 * @param {import("./lib/node").Node} node
 * @param {string[]} files
 * @param {Record<string, string>} env
 * @param {string} failures a file for the names of what failed
 */
function nodeTests(node, files, env, failures) {
  note(`on Node.js ${node.version}, ${node.path}`);
  note(`${files.length} files below __test__${path.sep}`);
  fs.mkdirSync(path.dirname(failures), { recursive: true });
  fs.rmSync(failures, { force: true });
  const reporters = ["spec", "./scripts/lib/report-progress.js"].flatMap((name) => [
    `--test-reporter=${name}`,
    "--test-reporter-destination=stdout",
  ]);
  return run(node.path, ["--test", ...reporters, ...files], {
    env: { ...env, ...withNode(node), [FAILURES]: failures },
  });
}

/** The lines of a file; none when it is not there. */
function linesOf(file) {
  if (!fs.existsSync(file)) return [];
  return fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
}

/** The stage of the behaviour tests on one Node.js. `known`: how long files took the last time. */
function behaviour(node, files, env, known) {
  const failures = fromRoot("target", `failures-${process.pid}-node-${node.version}.txt`);
  return {
    name: `Behaviour and browser tests, Node.js ${node.version}`,
    usual: timeOfFiles(files, known, USUAL),
    run: () => nodeTests(node, files, env(), failures),
    failures() {
      const lines = linesOf(failures);
      fs.rmSync(failures, { force: true });
      return lines;
    },
  };
}

/**
 * What the behaviour tests need besides the addon.
 * @returns {Promise<Record<string, string>>} environment variables for them
 */
async function setUp() {
  return {
    CHROMIUM_PATH: await ensureChromium(),
    REDIS_SERVER: await ensureRedis(),
    POSTGRES_BIN: await ensurePostgres(),
    ...(await ensureProxies()),
    ...(await ensurePythonClients()),
    ...(await ensureRustClients()),
  };
}

/** The command line. */
function readArguments() {
  const list = { type: /** @type {const} */ ("string"), multiple: /** @type {const} */ (true) };
  try {
    const { values, positionals } = parseArgs({
      options: { node: list, file: list },
      allowPositionals: true,
    });
    const { node = [], file = [] } = values;
    // one file is one of the behaviour tests: the other stages have none
    return { node, file, only: positionals[0] ?? (file.length > 0 ? "behaviour" : "") };
  } catch (error) {
    throw new SetupError(
      error.message,
      "npm test -- [a word of the stages] [--node 24] [--file doors]",
    );
  }
}

/** Seconds that stages take on two cores when all is built, for who has run none yet. */
const USUAL_STAGES = { floors: 30, net: 100, operations: 10, types: 20 };

const cargoTest = (...args) => run("cargo", ["test", "--no-default-features", ...args]);

runMain(async () => {
  const { node, file, only } = readArguments();
  const files = chooseFiles(file);
  checkToolchain();
  await ensureDependencies();
  await ensureAddon();
  const nodes = await ensureNodes(node);
  let env = {};

  const known = knownTimes();
  const stage = (name, usual, run) => ({ name, usual: known[name] ?? usual, run });
  const stages = [
    stage("Rust tests: the protocol floors", USUAL_STAGES.floors, () => cargoTest()),
    stage("Rust tests: the network floor, over loopback", USUAL_STAGES.net, () =>
      cargoTest("--features", "net,redis,faults"),
    ),
    stage("Rust tests: operations of the addon", USUAL_STAGES.operations, () =>
      cargoTest("--features", "standalone", "--test", "operations", "--test", "returning"),
    ),
    ...nodes.map((one) => behaviour(one, files, () => env, known)),
    stage("Type tests", USUAL_STAGES.types, () => run("npm", ["run", "--silent", "test:types"])),
  ];
  const chosen = stages.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  if (chosen.length === 0) {
    throw new SetupError(
      `No stage is called "${only}".`,
      stages.map(({ name }) => `- ${name}`).join("\n"),
    );
  }
  if (chosen.some(({ failures }) => failures)) env = await setUp();
  // what fails on one Node.js is no reason not to try the next
  return runStages("Tests", chosen, { keepGoing: nodes.length > 1 });
});
