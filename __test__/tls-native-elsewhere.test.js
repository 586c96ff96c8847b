"use strict";

/** `tls: "native"` where no worker accepts: in a worker thread, and in a worker of a cluster. Node.js speaks TLS there. */

const assert = require("node:assert/strict");
const https = require("node:https");
const { text } = require("node:stream/consumers");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { spawn } = require("./support/child");
const { oracle, ours, selected } = require("./support/implementations");
const { eventually, until, within } = require("./support/waiting");

for (const implementation of [oracle, ours].filter((one) => selected().includes(one)))
  for (const where of ["thread", "cluster"])
    test(`${implementation.name}: clients come, and other requests [${where}]`, async (t) => {
      const options = implementation === ours ? { tls: "native" } : {};
      const server = spawn("tls-elsewhere", implementation, {
        args: [where, JSON.stringify(options)],
        env: { DEBUG: "engine:door" },
      });
      t.after(server.kill);
      const port = await server.message();
      for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
        const client = connect(`https://127.0.0.1:${port}`, {
          transports,
          forceNew: true,
          rejectUnauthorized: false,
        });
        t.after(() => client.disconnect());
        await until(client, "connect");
        const last = transports[transports.length - 1];
        await eventually(() => client.io.engine.transport.name === last, "the upgrade");
        const value = { text: "é".repeat(50_000), bytes: Buffer.alloc(50_000, 7) };
        const answer = new Promise((resolve) =>
          client.emit("echo", value, (...args) => resolve(args)),
        );
        const [echo, secure, reason] = await within(answer, "the answer");
        assert.deepEqual(echo, value);
        assert.equal(secure, true);
        if (implementation === ours) assert.equal(reason, "TLS");
      }
      const request = https.get({ port, host: "127.0.0.1", rejectUnauthorized: false });
      const [response] = await until(request, "response");
      assert.equal(await text(response), "true");
      if (implementation !== ours) return;
      const reason = { thread: "a worker thread", cluster: "a worker of node:cluster" }[where];
      assert.match(
        server.output.stderr,
        RegExp(`tls is "native", and Node\\.js speaks it: ${reason}`),
      );
    });
