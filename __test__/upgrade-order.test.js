"use strict";

/** A CONNECT and the probe of an upgrade that JavaScript hears of in one batch: what upstream reads in two turns. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");

const { KeptConnection } = require("./support/kept-connection");
const { ours } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { DEADLINE, eventually, turns, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";

for (const [name, middleware] of [
  ["no middleware", undefined],
  ["a middleware", (_socket, next) => next()],
  [
    "a middleware that waits for a promise",
    (_socket, next) => Promise.resolve().then(() => next()),
  ],
]) {
  test(`"upgrading" reaches who listens from the connection on: ${name}`, async (t) => {
    const { Server } = ours.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    if (middleware) io.use(middleware);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const { port } = httpServer.address();
    const clients = [];
    t.after(async () => {
      for (const client of clients) client.destroy();
      await within(io.close(), "close");
    });

    const kept = await KeptConnection.open(port);
    clients.push(kept.socket);
    const { body } = await kept.ask(POLLING);
    const { sid } = JSON.parse(body.slice(1));
    await eventually(() => io.engine.takeover.size === 1, "the connection to be a worker's");
    const raw = await RawWebSocket.open(port, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
    clients.push(raw);

    const heard = [];
    io.on("connection", ({ conn }) => {
      heard.push(`connection ${conn.transport.name} ${conn.upgrading}`);
      conn.on("upgrading", ({ name: next }) => heard.push(`upgrading ${next} ${conn.upgrading}`));
      conn.on("upgrade", ({ name: next }) => heard.push(`upgrade ${next} ${conn.upgrading}`));
    });
    await turns(3);
    const { native } = io.engine.border();
    const waiting = () => JSON.parse(native.stats()).inboxBytes;
    assert.equal(waiting(), 0);
    kept.send(`${POLLING}&sid=${sid}`, { body: "40" });
    // this thread stays busy until the worker has told of both
    const end = Date.now() + DEADLINE;
    const growsFrom = (bytes) => {
      while (waiting() <= bytes) assert.ok(Date.now() < end, "the worker has told of it");
      return waiting();
    };
    const one = growsFrom(0);
    raw.text("2probe");
    growsFrom(one);

    assert.equal(await raw.next(), "3probe");
    await eventually(() => heard.length === 2, "both to be heard of");
    assert.deepEqual(heard, ["connection polling false", "upgrading websocket true"]);
    raw.text("5");
    await eventually(() => heard.length === 3, "the upgrade");
    assert.equal(heard[2], "upgrade websocket false");
  });
}

/** A polling client whose WebSocket has been told that it may take over: what is heard of it goes to `heard`. */
async function probing(t) {
  const { Server } = ours.load();
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const kept = await KeptConnection.open(port);
  const { body } = await kept.ask(POLLING);
  const { sid } = JSON.parse(body.slice(1));
  await eventually(() => io.engine.clients[sid] !== undefined, "the session to be heard of");
  const conn = io.engine.clients[sid];
  const heard = [];
  conn.transport.on("close", () => heard.push("end of polling"));
  conn.on("upgrading", (next) => next.on("close", () => heard.push("end of websocket")));
  conn.on("upgrade", ({ name }) => heard.push(`upgrade ${name}`));
  conn.on("close", (reason) => heard.push(reason));
  const raw = await RawWebSocket.open(port, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
  t.after(async () => {
    kept.socket.destroy();
    raw.destroy();
    await within(io.close(), "close");
  });
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  await eventually(() => conn.upgrading, "the probe to be heard of");
  return { io, conn, raw, heard };
}

test("an upgrade that crosses the end of its session is not told behind it", async (t) => {
  const { io, conn, raw, heard } = await probing(t);
  const { native } = io.engine.border();
  raw.text("5");
  const end = Date.now() + DEADLINE;
  while (JSON.parse(native.stats()).inboxBytes === 0) assert.ok(Date.now() < end, "the upgrade");
  conn.close(true);
  assert.deepEqual(await raw.next(), { close: null });
  raw.destroy();
  await eventually(() => heard.length === 3, "the end of all");
  await turns(3);
  assert.deepEqual(heard, ["forced close", "end of polling", "end of websocket"]);
  assert.deepEqual([conn.upgraded, conn.transport.name], [false, "polling"]);
});

test("a WebSocket that ends in the moment in which it takes over has taken over", async (t) => {
  const { conn, raw, heard } = await probing(t);
  raw.text("5");
  raw.destroy();
  await eventually(() => heard.length === 4, "the end of all");
  await turns(3);
  assert.deepEqual(heard, [
    "end of polling",
    "upgrade websocket",
    "transport close",
    "end of websocket",
  ]);
  assert.deepEqual([conn.upgraded, conn.upgrading], [true, false]);
});
