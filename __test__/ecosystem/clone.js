"use strict";

/** A checkout that nothing was done in: one line makes it the socket.io of an app. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { makeApp, succeed } = require("./support/app");

const ROOT = path.join(__dirname, "..", "..");

test("npm i socket.io@file:../ferrosocket", async (t) => {
  const folder = makeApp(t);
  const app = path.join(folder, "app");
  fs.mkdirSync(app);
  fs.writeFileSync(path.join(app, "package.json"), '{ "private": true }');
  await succeed("git", ["clone", "--quiet", ROOT, "ferrosocket"], folder);
  // what was compiled before need not be once more
  process.env.CARGO_TARGET_DIR ??= path.join(ROOT, "target");
  await succeed(
    "npm",
    ["install", "--no-audit", "--no-fund", "socket.io@file:../ferrosocket", "socket.io-client@4"],
    app,
  );
  fs.copyFileSync(path.join(ROOT, "scripts/release/smoke.js"), path.join(app, "smoke.js"));
  assert.match(
    await succeed(process.execPath, ["smoke.js"], app),
    /native.ferrosocket\..*\.node\n$/,
  );
  assert.ok(fs.existsSync(path.join(app, "node_modules/socket.io/client-dist/socket.io.min.js")));
});
