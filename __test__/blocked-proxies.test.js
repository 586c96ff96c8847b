"use strict";

/**
 * Clients behind proxies, on one script for upstream and us: they talk, and sit out a blocked event loop; with us others come
 * meanwhile.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { ask, dial, PATIENCE, PINGS, sitOut, startBlocking, WELL } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { PROXIES, startProxy, UPGRADING } = require("./support/proxies");
const { until, within } = require("./support/waiting");

/** By each transport that gets through. */
const CLIENTS = 10;
/** By each transport, during the block. */
const NEWCOMERS = process.platform === "linux" ? 10 : 0; // elsewhere Node.js accepts
/** Events that each client sends at the beginning of the block, besides one with each ping. */
const BURST = 50;

for (const proxy of PROXIES) {
  const transports = UPGRADING.includes(proxy) ? ["polling", "websocket"] : ["polling"];
  for (const implementation of selected()) {
    test(`${implementation.name}: ${proxy}`, { timeout: 600_000 }, async (t) => {
      const server = await startBlocking(t, implementation);
      const front = await startProxy(proxy, server.port);
      t.after(front.stop);
      const dialAll = (count) =>
        transports.flatMap((transport) =>
          Array.from({ length: count }, () => dial(t, front.port, transport)),
        );

      const clients = dialAll(CLIENTS);
      await Promise.all(clients.map((client) => until(client, "connect")));
      for (const answer of await Promise.all(clients.map(ask))) assert.deepEqual(answer, [[], []]);
      const large = "x".repeat(100_000); // the answer is compressed, if the client takes that
      const seen = clients.map((client) => until(client, "seen"));
      for (const client of clients) client.emit("n", large);
      for (const one of seen) assert.deepEqual(await one, [large]);

      clients[0].emit("block");
      assert.equal(await server.message(), "blocked");
      const sitting = clients.map((client) => sitOut(client, BURST));
      if (implementation !== ours) {
        for (const { reason } of await Promise.all(sitting)) assert.equal(reason, "ping timeout");
        server.release();
        return; // upstream keeps a timer of 30 s for sessions that polled
      }
      const newcomers = dialAll(NEWCOMERS);
      const connected = newcomers.map((client) => until(client, "connect", 3 * PATIENCE));
      sitting.push(...newcomers.map((client) => sitOut(client, BURST)));
      for (const outcome of await Promise.all(sitting))
        assert.deepEqual(outcome, { reason: null, sent: BURST + PINGS });
      assert.ok(newcomers.every((client) => !client.connected));
      server.release();

      await within(Promise.all(connected), "all newcomers", PATIENCE);
      const sent = Array.from(Array(BURST + PINGS).keys());
      for (const client of clients) assert.deepEqual(await ask(client), [[large, ...sent], []]);
      for (const client of newcomers) assert.deepEqual(await ask(client), [sent, []]);
      for (const client of [...clients, ...newcomers]) client.disconnect();
      assert.equal(await server.message(), "released");
      assert.deepEqual(await server.close(), WELL);
    });
  }
}
