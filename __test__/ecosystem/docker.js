"use strict";

/** The steps of the Dockerfile in `examples/production/`, done here, in a folder with nothing else; there need not be a Docker. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { makeApp, REGISTRY, succeed } = require("./support/app");

const EXAMPLE = path.join(__dirname, "..", "..", "examples", "production");

/** @returns {[string, string][]} the instructions, and what stands behind them */
const instructions = () =>
  fs
    .readFileSync(path.join(EXAMPLE, "Dockerfile"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]);

test("the Dockerfile", { timeout: 300_000 }, async (t) => {
  // what somebody has who builds an image: the example, and the lock of its packages
  const context = makeApp(t);
  fs.cpSync(EXAMPLE, context, { recursive: true });
  process.env.npm_config_registry = REGISTRY;
  process.env.npm_config_cache = path.join(makeApp(t), "cache");
  await succeed("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], context);

  const image = makeApp(t);
  let start;
  for (const [instruction, rest] of instructions()) {
    const words = rest.split(" ");
    if (instruction === "COPY") {
      assert.equal(words.pop(), "./");
      for (const file of words) fs.copyFileSync(path.join(context, file), path.join(image, file));
    } else if (instruction === "RUN") {
      await succeed("sh", ["-ec", rest], image);
    } else if (instruction === "CMD") {
      start = JSON.parse(rest);
    } else {
      assert.ok(["FROM", "WORKDIR", "USER", "EXPOSE"].includes(instruction), instruction);
    }
  }
  const child = spawn(start[0], start.slice(1), {
    cwd: image,
    env: { ...process.env, PORT: "0", NODE_TEST_CONTEXT: undefined },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const [, port] = /port: (\d+)/.exec(line);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text(), "ready\n");
  const client = connect(`http://127.0.0.1:${port}`);
  t.after(() => client.disconnect());
  assert.equal(await client.timeout(30_000).emitWithAck("echo", "hello"), "hello");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
