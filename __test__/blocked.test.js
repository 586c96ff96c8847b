"use strict";

/**
 * A blocked event loop: one script, on upstream and on us. Upstream loses every client, we lose none, nor any event.
 *
 * Clients are the real library's: they leave when the server is silent for `pingInterval + pingTimeout`.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ours, selected } = require("./support/implementations");
const { spawn } = require("./support/child");
const { until, within } = require("./support/waiting");

const CLIENTS = 20;
/** Pings that a client gets during the block: 8 × 300 ms, longer than any silence that is allowed (300 + 1,500 ms). */
const PINGS = 8;
/** Events that each client sends at the beginning of the block, besides one with each ping. */
const BURST = 200;
/** Events that the server emits to each client right before it blocks. */
const QUEUED = 100;
/** Transports that are served without JavaScript. */
const TRANSPORTS = ["websocket", "polling"];

/** What becomes of a client while the server's JavaScript stands still: it is pinged on and on, or it leaves. */
async function sitOut(client) {
  let sent = 0;
  for (; sent < BURST; sent++) client.emit("n", sent);
  let pings = 0;
  return within(
    new Promise((resolve) => {
      client.once("disconnect", (reason) => resolve({ reason, sent }));
      client.io.on("ping", () => {
        if (pings++ < PINGS) client.emit("n", sent++);
        if (pings === PINGS) resolve({ reason: null, sent });
      });
    }),
    "pings, or the end",
  );
}

/** What of a client has come to the server, and how many clients that has lost. */
function ask(client) {
  const answer = new Promise((resolve) => client.emit("got", (...args) => resolve(args)));
  return within(answer, "what came");
}

/** What comes of one event, from now on. */
function collect(client, event) {
  const all = [];
  client.on(event, (n) => all.push(n));
  return all;
}

for (const transport of TRANSPORTS) {
  for (const implementation of selected()) {
    const expected = implementation === ours ? "loses no client and no event" : "loses all clients";
    test(
      `${implementation.name}: a blocked event loop ${expected} [${transport}]`,
      { timeout: 60_000 },
      async (t) => {
        const directory = fs.mkdtempSync(path.join(os.tmpdir(), "blocked-"));
        t.after(() => fs.rmSync(directory, { recursive: true }));
        const release = path.join(directory, "release");
        const server = spawn("blocked-server", implementation, { args: [release] });
        t.after(server.kill);
        const { port } = await server.message();
        const clients = [];
        for (let i = 0; i < CLIENTS; i++) {
          const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
          t.after(() => agent.destroy());
          const client = connect(`http://127.0.0.1:${port}`, {
            forceNew: true,
            reconnection: false,
            transports: [transport],
            agent, // connections are kept, as a browser does it
          });
          t.after(() => client.disconnect());
          await until(client, "connect");
          clients.push(client);
        }
        await Promise.all(clients.map(ask)); // both connections of a polling client have been used
        const queued = clients.map((client) => collect(client, "queued"));
        const seen = clients.map((client) => collect(client, "seen"));
        clients[0].emit("block");
        assert.equal(await server.message(), "blocked");
        const outcomes = await Promise.all(clients.map(sitOut));
        fs.writeFileSync(release, "");

        if (implementation === ours) {
          for (const [i, client] of clients.entries()) {
            assert.equal(outcomes[i].reason, null);
            const sent = Array.from(Array(outcomes[i].sent).keys());
            assert.deepEqual(await ask(client), [sent, 0]);
            // all that waited is delivered before the answer, in order
            assert.deepEqual(seen[i], sent);
            assert.deepEqual(queued[i], Array.from(Array(QUEUED).keys()));
          }
        } else {
          for (const { reason } of outcomes) assert.equal(reason, "ping timeout");
        }
        if (implementation !== ours) return; // upstream keeps a timer of 30 s for sessions that polled
        for (const client of clients) client.disconnect();
        server.send("close");
        const { code, stderr } = await server.exit();
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      },
    );
  }
}
