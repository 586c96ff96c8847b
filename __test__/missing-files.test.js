"use strict";

/** What happens where files of the package, or of others, are missing. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { spawn } = require("./support/child");
const { ours } = require("./support/implementations");
const { fetch } = require("./support/raw-http");

test("a client that is not installed is not found, and nothing else suffers", async (t) => {
  const process = spawn("bundled", ours, { env: { DEBUG: "socket.io:server" } });
  t.after(process.kill);
  const port = await process.message();
  for (const encoding of ["", "br", "gzip", "gzip"]) {
    const headers = { "accept-encoding": encoding };
    const answer = await fetch(port, "GET", "/socket.io/socket.io.js", { headers });
    assert.deepEqual([answer.status, answer.body], [404, ""], encoding);
    assert.equal(answer.headers["cache-control"], undefined);
  }
  const client = connect(`http://127.0.0.1:${port}`);
  t.after(() => client.disconnect());
  assert.equal(await client.emitWithAck("ask"), "alive");
  client.disconnect();
  process.send("end");
  const { code, stderr } = await process.exit();
  assert.equal(code, 0);
  assert.equal(stderr.split("can't be served: Cannot find module").length, 2, "told once");
});
