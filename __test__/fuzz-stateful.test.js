"use strict";

// A minute of the stateful fuzzer (fuzz/stateful): always the same amount of work, each time with other clients. What it says
// when it fails has the command that plays the same scenes again.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { until } = require("./support/waiting");

const RUN = path.join(__dirname, "..", "fuzz", "stateful", "run.js");
const SCENES = 500;
/** Far more than the work takes; the run has deadlines of its own for all that it waits for. */
const DEADLINE = 600_000; // ms

test("guests that behave, or do not, harm nobody and leave nothing behind", async (t) => {
  const child = spawn(process.execPath, [RUN, "--scenes", String(SCENES)]);
  t.after(() => child.kill());
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const [code] = await until(child, "close", DEADLINE);
  assert.equal(code, 0, said);
  t.diagnostic(said);
});
