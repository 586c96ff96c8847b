"use strict";

/** Test runners: the same tests pass on this package and on npm's, each process ends by itself, and many files need no more memory. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { execute } = require("./support/app");
const { installTwice, sameOutput } = require("./support/samples");

const JEST = "node_modules/jest/bin/jest.js";
const VITEST = "node_modules/vitest/vitest.mjs";
const MOCHA = "node_modules/mocha/bin/mocha.js";

/** How many test files are run one after the other. */
const FILES = 24;
/** By how many bytes more the process may grow in these than with npm's: what the allocators keep. */
const SLACK = 32 << 20;

/** What has passed and failed, sorted, of a report in JSON that is somewhere in the output. */
function outcome(output) {
  const report = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1));
  const tests = report.tests // mocha's; the others have jest's
    ? report.tests.map(({ fullTitle, err }) => [fullTitle, err.message ?? "passed"])
    : report.testResults.flatMap(({ assertionResults }) =>
        assertionResults.map(({ fullName, status }) => [fullName, status]),
      );
  return tests
    .map((row) => row.join(": "))
    .sort()
    .join("\n");
}

/** Checks that there are so many tests, and that all have passed. */
function allPassed(text, count) {
  const lines = text.split("\n");
  assert.equal(lines.length, count, text);
  for (const line of lines) assert.match(line, /: passed$/);
}

test("test runners", async (t) => {
  const installed = await installTwice(t, "runners");

  for (const flags of [[], ["--runInBand"]])
    await t.test(`jest ${flags.join(" ")}`, async () => {
      const command = [JEST, "--json", ...flags];
      allPassed(await sameOutput(installed, command, outcome), 9);
    });

  for (const pool of ["threads", "forks", "vmThreads"])
    await t.test(`vitest, ${pool}`, async () => {
      const command = [VITEST, "run", "--reporter=json", `--pool=${pool}`];
      allPassed(await sameOutput(installed, command, outcome), 9);
    });

  await t.test("mocha, CommonJS and modules", async () => {
    const command = [MOCHA, "--reporter=json", "mocha"];
    allPassed(await sameOutput(installed, command, outcome), 16);
  });

  await t.test("jest --detectOpenHandles names none but the one of the addon", async () => {
    for (const { app } of installed) {
      const command = [JEST, "--detectOpenHandles", "--runInBand"];
      const { code, output } = await execute(process.execPath, command, app);
      assert.equal(code, 0, output);
      const handles = output.split("\n").filter((line) => line.includes("●"));
      assert.ok(
        handles.every((line) => line.endsWith("CustomGC")),
        output,
      );
    }
  });

  await t.test(`jest, ${FILES} files in one process, keeps memory flat`, async () => {
    const growth = {};
    for (const { implementation, app } of installed) {
      const file = path.join(app, "jest", "server.spec.js");
      for (let copy = 1; copy < FILES; copy++)
        fs.copyFileSync(file, file.replace("server", `server-${copy}`));
      const flags = [
        "--expose-gc",
        JEST,
        "--runInBand",
        "--setupFiles=./jest/memory.js",
        "--testPathPatterns=server",
      ];
      const { code, output } = await execute(process.execPath, flags, app);
      assert.equal(code, 0, output);
      const sizes = fs.readFileSync(path.join(app, "memory.txt"), "utf8").trim().split("\n");
      assert.equal(sizes.length, FILES);
      growth[implementation] = sizes.at(-1) - sizes[FILES / 4];
    }
    const [ours, oracle] = [growth.ours, growth.oracle].map((bytes) => bytes / (1 << 20));
    assert.ok(ours < oracle + SLACK / (1 << 20), `${ours} MiB, and npm's ${oracle} MiB`);
  });
});
