"use strict";

/**
 * Upstream's own tests of `engine.io`, by mocha in processes of their own: on npm's, then on ours, with the current client and with
 * that of protocol 3. What passes on npm's must pass on ours, but for what is listed here. `npm run test:upstream` brings them.
 */

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { existsSync, mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { pathToFileURL } = require("node:url");

const FOLDER = path.join(__dirname, "engine.io");
const FILES = ["engine.io.js", "middlewares.js", "server.js", "webtransport.mjs"].map(
  (name) => `test/${name}`,
);

/** Has the tests find what they name otherwise than we. */
const NAMES = `--require ${JSON.stringify(path.join(FOLDER, "names.js"))} --import ${pathToFileURL(path.join(FOLDER, "names.mjs"))}`;

/** Those that look at what is private to upstream's transports and has no counterpart here; each must fail. */
const PRIVATE = {
  "engine engine() should create a Server when require called with no arguments":
    "looks for `engine.ws`, the server of the package `ws`",
  "server close should abort the polling data request if it is in progress":
    "replaces `onDataRequest()` of the polling transport",
};

/** Many of them race with timers of a few milliseconds. */
const TRIES = 4;

const mocha = require.resolve("mocha/bin/mocha.js");

/**
 * @param {"npm" | "ours"} implementation
 * @param {string} client the protocol that it speaks
 * @returns {Promise<Map<string, { pending: boolean, error: string | undefined }>>} what became of each test
 */
async function run(implementation, client) {
  const folder = mkdtempSync(path.join(tmpdir(), "engine-upstream-"));
  const output = path.join(folder, "report.json");
  const options = [
    "--exit",
    "--timeout",
    10_000,
    "--retries",
    TRIES - 1,
    "--reporter",
    "json",
    "--reporter-option",
  ];
  try {
    const told = await new Promise((resolve) => {
      execFile(
        process.execPath,
        [mocha, ...options.map(String), `output=${output}`, ...FILES],
        {
          cwd: FOLDER,
          env: {
            ...process.env,
            ENGINE_IO: implementation,
            EIO_CLIENT: client,
            NODE_OPTIONS: NAMES,
          },
        },
        (_failures, _stdout, stderr) => resolve(stderr),
      );
    });
    assert.ok(existsSync(output), told);
    const { tests } = JSON.parse(readFileSync(output, "utf8"));
    return new Map(
      tests.map(({ fullTitle, err, duration }) => [
        fullTitle,
        { pending: duration === undefined && !err.message, error: err.stack ?? err.message },
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const client of ["4", "3"]) {
  test(`upstream's tests with a client of protocol ${client}`, async (t) => {
    const npm = await run("npm", client);
    const ours = await run("ours", client);
    assert.deepEqual([...ours.keys()], [...npm.keys()]);
    assert.ok(npm.size > 190, "upstream's tests were found");
    for (const [title, { pending, error }] of ours) {
      const oracle = npm.get(title);
      if (pending || oracle.pending || oracle.error) continue; // it says nothing about us
      await t.test(title, () => {
        if (title in PRIVATE) assert.ok(error, "it passes here: take it from the list");
        else assert.equal(error, undefined);
      });
    }
  });
}
