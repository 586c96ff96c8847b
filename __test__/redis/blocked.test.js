"use strict";

/** What other servers broadcast reaches clients without JavaScript: they get it while that stands still. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { spawn } = require("../support/child");
const { ours } = require("../support/implementations");
const { eventually } = require("../support/waiting");
const { RedisStage } = require("./stage");

const EVENTS = 300;

/** A server in a process of its own, and one of this process that broadcasts. */
async function open(t, options, shown = "") {
  const stage = await RedisStage.open(t);
  const release = path.join(path.dirname(stage.redis.path), "release");
  const args = [stage.url, release, JSON.stringify(options), shown];
  const child = spawn("redis-server", ours, { args });
  stage.defer(child.kill);
  const { port } = await child.message();
  const server = {
    port,
    async block() {
      child.send("block");
      assert.equal(await child.message(), "blocked");
    },
    release: () => fs.writeFileSync(release, ""),
    async tell() {
      child.send("tell");
      return child.message();
    },
    async close() {
      child.send("close");
      assert.equal(await child.message(), "closed");
      const { code, stderr } = await child.exit();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    },
  };
  return { stage, server, other: await stage.server(options) };
}

/** Clients of all kinds, by name. */
async function clientsOf(stage, server) {
  return {
    plain: await stage.client(server),
    red: await stage.client(server, { auth: { rooms: ["red"] } }),
    both: await stage.client(server, { auth: { rooms: ["red", "blue"] } }),
    polling: await stage.client(server, { auth: { rooms: ["blue"] }, transports: ["polling"] }),
  };
}

/** Broadcasts a lot; gives which clients are to get which numbers. */
function broadcast({ io }) {
  const got = { plain: [], red: [], both: [], polling: [] };
  const bytes = Buffer.from([0, 1, 0xff]);
  const kinds = [
    [(n) => io.emit("event", n), ["plain", "red", "both", "polling"]],
    [(n) => io.to("red").emit("event", n, "to a room"), ["red", "both"]],
    [(n) => io.to(["red", "blue"]).emit("event", n, { deep: [bytes] }), ["red", "both", "polling"]],
    [(n) => io.except("red").emit("event", n, "ünïcödé 🎈"), ["plain", "polling"]],
    [(n) => io.to("nobody").emit("event", n), []],
    [(n) => io.to("blue").except("red").emit("event", n, "long ".repeat(1_000)), ["polling"]],
    [(n) => io.compress(false).emit("event", n, null, 1.5), ["plain", "red", "both", "polling"]],
  ];
  for (let n = 0; n < EVENTS; n++) {
    const [emit, names] = kinds[n % kinds.length];
    emit(n);
    for (const name of names) got[name].push(n);
  }
  return got;
}

const numbers = (clients) =>
  Object.fromEntries(Object.entries(clients).map(([name, { got }]) => [name, got.map(([n]) => n)]));

/** Waits until each client has got so much; what it has got must be that. */
async function all(clients, expected) {
  const isThere = ([name, { length }]) => clients[name].got.length >= length;
  await eventually(() => Object.entries(expected).every(isThere), "all events");
  assert.deepEqual(numbers(clients), expected);
}

for (const [name, options] of [
  ["classic", {}],
  ["a channel for each room", { subscriptionMode: "dynamic" }],
  ["sharded", { sharded: true }],
  ["sharded, one channel", { sharded: true, subscriptionMode: "static" }],
]) {
  test(`${name}: clients get what others broadcast while JavaScript stands still`, async (t) => {
    const { stage, server, other } = await open(t, options);
    const clients = await clientsOf(stage, server);
    for (const [one, room] of [
      ["plain", []],
      ["red", "red"],
      ["both", "blue"],
      ["polling", "blue"],
    ])
      await stage.reach(other, clients[one], room);
    const before = await server.tell();

    await server.block();
    await all(clients, broadcast(other));
    assert.deepEqual(clients.both.got.find(([n]) => n === 2)[1], {
      deep: [Buffer.from([0, 1, 0xff])],
    });
    server.release();

    const after = await server.tell();
    assert.equal(after.stats.toJavaScript, before.stats.toJavaScript);
    assert.ok(after.stats.delivered > before.stats.delivered);
    await server.close();
  });
}

test("where JavaScript is to see them, they wait for it, and come in order", async (t) => {
  const { stage, server, other } = await open(t, {}, "shown");
  const clients = await clientsOf(stage, server);
  for (const client of Object.values(clients)) await stage.reach(other, client);
  await server.block();
  const expected = broadcast(other);
  server.release();
  await all(clients, expected);
  const { outgoing } = await server.tell();
  const shown = outgoing.filter(([name]) => name === "event").map(([, n]) => n);
  assert.deepEqual(
    shown.sort((a, b) => a - b),
    Object.values(expected)
      .flat()
      .sort((a, b) => a - b),
  );
  await server.close();
});
