"use strict";

/** A blocked event loop: one script, on upstream and on us. Upstream loses every client, we lose none, nor any event. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { ask, dial, PINGS, QUEUED, sitOut, startBlocking, WELL } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { until } = require("./support/waiting");

const CLIENTS = 20;
/** Events that each client sends at the beginning of the block, besides one with each ping. */
const BURST = 200;
/** Transports that are served without JavaScript. */
const TRANSPORTS = ["websocket", "polling"];

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
      { timeout: 480_000 },
      async (t) => {
        const server = await startBlocking(t, implementation);
        const clients = [];
        for (let i = 0; i < CLIENTS; i++) {
          const client = dial(t, server.port, transport);
          await until(client, "connect");
          clients.push(client);
        }
        await Promise.all(clients.map(ask)); // both connections of a polling client have been used
        const queued = clients.map((client) => collect(client, "queued"));
        const seen = clients.map((client) => collect(client, "seen"));
        clients[0].emit("block");
        assert.equal(await server.message(), "blocked");
        const outcomes = await Promise.all(clients.map((client) => sitOut(client, BURST)));
        server.release();

        if (implementation !== ours) {
          for (const { reason } of outcomes) assert.equal(reason, "ping timeout");
          return; // upstream keeps a timer of 30 s for sessions that polled
        }
        for (const [i, client] of clients.entries()) {
          assert.deepEqual(outcomes[i], { reason: null, sent: BURST + PINGS });
          const sent = Array.from(Array(BURST + PINGS).keys());
          assert.deepEqual(await ask(client), [sent, []]);
          // all that waited is delivered before the answer, in order
          assert.deepEqual(seen[i], sent);
          assert.deepEqual(queued[i], Array.from(Array(QUEUED).keys()));
        }
        for (const client of clients) client.disconnect();
        assert.deepEqual(await server.close(), WELL);
      },
    );
  }
}
