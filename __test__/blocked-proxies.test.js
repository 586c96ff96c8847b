"use strict";

/**
 * Polling clients behind proxies, on one script for upstream and us: they talk, and sit out a blocked event loop.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ask, PINGS, sitOut, startBlocking } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { PROXIES, startProxy } = require("./support/proxies");
const { PollingSession } = require("./support/raw-http");
const { until, within } = require("./support/waiting");

const CLIENTS = 10;
/** Events that each client sends at the beginning of the block, besides one with each ping. */
const BURST = 50;

/** Keeps its connections to the server for whoever needs one, so that the workers have enough of them. */
const KEEPS = "nginx, kept connections";
/** For servers that are not blocked. */
const PATIENT = { pingInterval: 25_000, pingTimeout: 20_000 };
/** More than its clients need. */
const CONNECTIONS = 3 * CLIENTS;

/** Has a proxy make so many connections: as many polls wait at the same time, until the server pings them. */
async function warmUp(port) {
  const open = Array.from({ length: CONNECTIONS }, () => PollingSession.open(port));
  const sessions = await Promise.all(open);
  for (let round = 0; round < 3; round++) {
    for (const { body } of await Promise.all(sessions.map((session) => session.get())))
      assert.equal(body, "2");
    await Promise.all(sessions.map((session) => session.post("3")));
  }
}

for (const proxy of PROXIES) {
  for (const implementation of selected()) {
    test(`${implementation.name}: ${proxy}`, { timeout: 60_000 }, async (t) => {
      const server = await startBlocking(t, implementation, proxy === KEEPS ? {} : PATIENT);
      const front = await startProxy(proxy, server.port);
      t.after(front.stop);
      if (proxy === KEEPS) await warmUp(front.port);
      const clients = [];
      for (let i = 0; i < CLIENTS; i++) {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
        t.after(() => agent.destroy());
        const client = connect(`http://127.0.0.1:${front.port}`, {
          forceNew: true,
          reconnection: false,
          transports: ["polling"],
          agent,
        });
        t.after(() => client.disconnect());
        await until(client, "connect");
        clients.push(client);
      }
      // all at once: so there are two connections for each client, if they are kept
      const answers = await Promise.all(clients.map(ask));
      for (const answer of answers) assert.deepEqual(answer, [[], []]);
      const large = "x".repeat(100_000); // the answer is compressed, if the client takes that
      const seen = clients.map((client) => until(client, "seen"));
      for (const client of clients) client.emit("n", large);
      for (const one of seen) assert.deepEqual(await one, [large]);
      if (proxy !== KEEPS) return;
      clients[0].emit("block");
      assert.equal(await server.message(), "blocked");
      const outcomes = await Promise.all(clients.map((client) => sitOut(client, BURST)));
      server.release();
      for (const [i, client] of clients.entries()) {
        const { reason, sent } = outcomes[i];
        if (implementation === ours) {
          assert.deepEqual({ reason, sent }, { reason: null, sent: BURST + PINGS });
          assert.deepEqual(await ask(client), [[large, ...Array(sent).keys()], []]);
        } else {
          assert.equal(reason, "ping timeout");
        }
      }
      if (implementation !== ours) return; // upstream keeps a timer of 30 s for sessions that polled
      for (const client of clients) client.disconnect();
      assert.equal(await within(server.message(), "the end of the block"), "released");
      server.send("close");
      const { code, stderr } = await server.exit();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    });
  }
}
