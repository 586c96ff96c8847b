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
const { gather, until, within } = require("./support/waiting");

const skip = process.platform !== "linux" && "Node.js accepts there";
const POLLING = "/socket.io/?EIO=4&transport=polling";
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
  "a blocked event loop: events that are sent before their CONNECT is taken come behind it",
  { timeout: 480_000, skip },
  async (t) => {
    const server = await startBlocking(t, ours);
    await until(dial(t, server.port, "websocket"), "connect"); // a worker accepts by now
    server.send("block");
    assert.equal(await server.message(), "blocked");
    const kept = await KeptConnection.open(server.port);
    t.after(() => kept.destroy());
    const { body } = await kept.ask(POLLING);
    const url = `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`;
    assert.equal((await kept.ask(url, { body: "40" })).body, "ok");
    kept.send(url, { body: '42["n",1]\x1e42["n",2]' }); // its answer waits for JavaScript
    server.release();
    assert.equal(await server.message(), "released");
    assert.equal((await kept.answer()).body, "ok");
    let all = "";
    while (!all.includes('["seen",2]')) all += (await kept.ask(url)).body;
    assert.match(all, /40\{"sid".*42\["seen",1\].*42\["seen",2\]/);
  },
);

test(
  "a blocked event loop: who connects early and asks late gets in",
  { timeout: 480_000, skip },
  async (t) => {
    const server = await startBlocking(t, ours);
    const clock = dial(t, server.port, "websocket");
    await until(clock, "connect");
    server.send("block");
    assert.equal(await server.message(), "blocked");
    // as browsers connect before they know what for
    const early = [];
    for (const begun of ["", `GET ${POLLING} HTT`]) {
      const kept = await KeptConnection.open(server.port);
      t.after(() => kept.destroy());
      kept.write(begun);
      early.push([kept, `GET ${POLLING} HTTP/1.1\r\nHost: a\r\n\r\n`.slice(begun.length)]);
    }
    await gather(clock.io, "ping", 8); // for longer than Node.js would be left waiting for a request
    for (const [kept, rest] of early) {
      kept.write(rest);
      assert.match((await kept.answer()).body, /^0\{/);
    }
    server.release();
    assert.equal(await server.message(), "released");
  },
);

test(
  "a blocked event loop keeps nobody out, and loses nobody",
  { timeout: 600_000, skip },
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
