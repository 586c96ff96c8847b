"use strict";

/** `npm run example:restart`: clients that talk while their server is another process again and again. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { until } = require("./support/waiting");

const RUN = path.join(__dirname, "..", "examples", "restart", "run.js");

test(
  "no client of the example notices a restart",
  { skip: process.platform !== "linux" && "Linux hands descriptors over" },
  async (t) => {
    const env = { ...process.env, PORT: "0", CLIENTS: "20", EVERY: "300", RESTARTS: "2" };
    const child = fork(RUN, { env, stdio: ["ignore", "pipe", "inherit", "ipc"] });
    t.after(() => child.exitCode === null && child.kill("SIGKILL"));
    let told = "";
    child.stdout.on("data", (chunk) => (told += chunk));
    const [code] = await until(child, "close", 60_000);
    assert.equal(code, 0, told);
    assert.match(told, /version 3 \(pid \d+\): port \d+, 20 clients taken over/);
    assert.match(told, / 0 missed or doubled, 0 disconnects/);
  },
);
