"use strict";

/**
 * Who comes while the event loop is blocked: workers accept the connections, so nobody is kept out, and nobody who was there
 * is lost.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { ask, dial, PATIENCE, PINGS, sitOut, startBlocking, WELL } = require("./support/blocking");
const { ours } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { until, within } = require("./support/waiting");

const skip = process.platform !== "linux" && "Node.js accepts there";
/** Of each kind. */
const NEWCOMERS = 100;
/** A client with connections that are its own and kept, as a browser has it, and one as Node.js has it. */
const KINDS = ["websocket", "polling"].flatMap((transport) =>
  [true, false].map((keeps) => (t, port) => dial(t, port, transport, keeps)),
);

/** What has come of a client that has sent so many events, if nobody is lost. */
function sent(count) {
  return [Array.from(Array(count).keys()), []];
}

test(
  "a blocked event loop keeps nobody out, and loses nobody",
  { timeout: 180_000, skip },
  async (t) => {
    const server = await startBlocking(t, ours);
    const { port } = server;
    const before = KINDS.map((kind) => kind(t, port));
    await Promise.all(before.map((client) => until(client, "connect")));
    await Promise.all(before.map(ask)); // both connections of a polling client have been used
    const stay = before.map((client) => sitOut(client));
    before[0].emit("block");
    assert.equal(await server.message(), "blocked");

    // somebody else's request waits for the event loop
    const other = await KeptConnection.open(port);
    t.after(() => other.destroy());
    const answered = other.ask("/app");

    const clients = KINDS.flatMap((kind) => Array.from({ length: NEWCOMERS }, () => kind(t, port)));
    const stayed = clients.map((client) => sitOut(client, 1));
    const connected = clients.map((client) => until(client, "connect", 3 * PATIENCE));
    await Promise.all(clients.map((client) => until(client.io, "open", PATIENCE)));
    for (const { reason } of await Promise.all(stay)) assert.equal(reason, null);
    for (const { reason } of await Promise.all(stayed)) assert.equal(reason, null);
    assert.ok(clients.every(({ connected: isIn }) => !isIn));
    server.release();

    await within(Promise.all(connected), "all newcomers", PATIENCE);
    assert.match((await answered).head, /^HTTP\/1.1 200/);
    for (const client of clients) assert.deepEqual(await ask(client), sent(1 + PINGS));
    for (const client of before) assert.deepEqual(await ask(client), sent(PINGS));
    for (const client of [...before, ...clients]) client.disconnect();
    assert.deepEqual(await server.close(), WELL);
  },
);
