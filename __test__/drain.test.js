"use strict";

/** `io.drain()`: clients go to another server one by one, with what they are owed, and none is let in meanwhile. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { ReadableStream, TransformStream } = require("node:stream/web");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const { spawn } = require("./support/child");
const { ours } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { startRedis } = require("./support/redis");
const { deferred, eventually, until, within } = require("./support/waiting");

/** ms that clients have to go: more than any of them needs, however busy the machine is. */
const PATIENCE = 60_000;

/** Starts a server that tells its clients its name. */
async function start(t, name, options) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  t.after(() => io.close());
  io.on("connection", (socket) => {
    socket.emit("server", name);
    socket.on("echo", (value, reply) => reply(value));
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  return { io, port: httpServer.address().port };
}

const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];

/** A client that comes back soon. */
function dial(t, port, n, options = {}) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    transports: TRANSPORTS[n % TRANSPORTS.length],
    reconnectionDelay: 1,
    reconnectionDelayMax: 50,
    ...options,
  });
  t.after(() => client.disconnect());
  return client;
}

/** The next connection of a client is for that server. */
function sendTo(client, { port }) {
  client.io.uri = `http://127.0.0.1:${port}`;
}

test("clients go to the other server, and newcomers are not let in", async (t) => {
  const [a, b] = [await start(t, "a"), await start(t, "b")];
  const clients = Array.from({ length: 30 }, (_, n) => dial(t, a.port, n));
  await Promise.all(clients.map((client) => until(client, "server")));
  for (const client of clients) client.on("disconnect", () => sendTo(client, b)); // as a balancer does
  assert.equal(a.io.engine.clientsCount, 30);
  const reasons = [];
  for (const socket of a.io.sockets.sockets.values())
    socket.on("disconnect", (reason) => reasons.push(reason));
  const left = [];
  const moved = clients.map((client) => until(client, "server"));
  const controller = new AbortController();
  const done = a.io.drain({
    over: 3_600_000, // so none of what follows depends on how fast this machine is
    signal: controller.signal,
    progress: (state) => left.push(state.left),
  });
  assert.deepEqual(a.io.health(), {
    ready: false,
    status: "draining",
    reasons: ["io.drain() was called"],
  });
  assert.equal(a.io.drain(), done); // it is under way
  const polled = await fetch(`http://127.0.0.1:${a.port}/socket.io/?EIO=4&transport=polling`);
  assert.deepEqual([polled.status, polled.headers.get("retry-after")], [503, "1"]);
  const raw = await RawWebSocket.open(a.port, "/socket.io/?EIO=4&transport=websocket");
  assert.equal(raw.status, 503);
  controller.abort();
  for (const [server] of await Promise.all(moved)) assert.equal(server, "b");
  assert.equal((await within(done, "the end")).clients, 30);
  assert.equal(b.io.engine.clientsCount, 30);
  assert.deepEqual(reasons, Array(30).fill("server shutting down"));
  assert.equal(left.at(-1), 0);
  assert.deepEqual(
    left,
    left.toSorted((x, y) => y - x),
  );
  assert.equal(a.io.health().status, "closed");
  assert.equal(a.io.httpServer.listening, false);
});

for (const [n, transports] of TRANSPORTS.entries())
  test(`what was emitted before leaves, and answers are awaited [${transports}]`, async (t) => {
    const a = await start(t, "a");
    const client = dial(t, a.port, n, { reconnection: false });
    await until(client, "server");
    const [socket] = a.io.sockets.sockets.values();
    const asked = deferred("the question");
    client.on("question", (reply) => asked.resolve(reply));
    const answer = new Promise((resolve) => socket.emit("question", resolve));
    const reply = await asked.promise;
    const gone = until(client, "disconnect");
    const got = [];
    client.on("last", (i) => got.push(i));
    const done = a.io.drain({ over: 0, acks: PATIENCE });
    for (let i = 0; i < 5; i++) socket.emit("last", i);
    assert.equal(await client.emitWithAck("echo", "still there"), "still there");
    socket.emit("last", 5);
    reply("answered");
    assert.equal(await within(answer, "the answer"), "answered");
    assert.equal((await gone)[0], "transport close");
    assert.deepEqual(got, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(await within(done, "the end"), { clients: 1, left: 0 });
  });

test("they go one after the other, each once", async (t) => {
  const a = await start(t, "a");
  const clients = Array.from({ length: 9 }, (_, n) => dial(t, a.port, n, { reconnection: false }));
  await Promise.all(clients.map((client) => until(client, "server")));
  const gone = clients.map((client) => until(client, "disconnect"));
  const left = [];
  const done = a.io.drain({
    over: 200,
    acks: PATIENCE,
    progress: (state) => left.push(state.left),
  });
  await Promise.all(gone);
  assert.deepEqual(await within(done, "the end"), { clients: 9, left: 0 });
  assert.equal(left.at(-1), 0);
  assert.deepEqual(
    left,
    [...new Set(left)].toSorted((x, y) => y - x),
  );
});

test("who owes an answer for too long is let go", async (t) => {
  const a = await start(t, "a");
  const client = dial(t, a.port, 0, { reconnection: false });
  await until(client, "server");
  const [socket] = a.io.sockets.sockets.values();
  socket.emit("question", () => {});
  const gone = until(client, "disconnect");
  await within(a.io.drain({ over: 0, acks: 60 }), "the end");
  await gone;
});

test("the signal has all that are left go at once", async (t) => {
  const a = await start(t, "a");
  const clients = Array.from({ length: 6 }, (_, n) => dial(t, a.port, n, { reconnection: false }));
  await Promise.all(clients.map((client) => until(client, "server")));
  const gone = clients.map((client) => until(client, "disconnect"));
  const controller = new AbortController();
  const done = a.io.drain({ over: 3_600_000, signal: controller.signal });
  controller.abort();
  await within(done, "the end");
  await Promise.all(gone);
});

test("what can't be taken is refused, and the server goes on", async (t) => {
  const a = await start(t, "a");
  for (const options of [{ over: -1 }, { acks: "5" }, { signal: {} }, { progress: true }])
    await assert.rejects(a.io.drain(options), { code: "SIO_ERR_INVALID_OPTION" });
  assert.equal(a.io.health().ready, true);
  await until(dial(t, a.port, 0), "server");
});

/** A WebTransport session, which says that it opens one of ours when it is told to. */
function transportSession(engine) {
  const [up, down] = [new TransformStream(), new TransformStream()];
  const streams = new ReadableStream({
    start: (controller) => controller.enqueue({ readable: up.readable, writable: down.writable }),
  });
  const closed = deferred("the end of the session");
  const shown = {
    incomingBidirectionalStreams: streams,
    closed: closed.promise,
    close: closed.resolve,
  };
  void engine.onWebTransportSession(shown);
  const writer = up.writable.getWriter();
  return { open: () => void writer.write(Buffer.from("\x010")), closed: closed.promise };
}

test("newcomers are let in by no HTTP server, nor by WebTransport", async (t) => {
  const { io, port } = await start(t, "a", {
    transports: ["polling", "websocket", "webtransport"],
  });
  const other = http.createServer();
  const { engine: early, httpServer } = io;
  t.after(() => httpServer.close()); // which io.close() does for the last one only
  io.attach(other);
  other.listen(0, "127.0.0.1");
  await until(other, "listening");
  const client = dial(t, port, 0, { reconnection: false });
  await until(client, "server");
  client.on("question", () => {});
  for (const socket of io.sockets.sockets.values()) socket.emit("question", () => {}); // as long as it owes the answer, it stays
  const waiting = transportSession(early);
  const drained = io.drain({ over: 0, acks: PATIENCE });
  const newcomers = [port, other.address().port].map((each) =>
    fetch(`http://127.0.0.1:${each}/socket.io/?EIO=4&transport=polling`),
  );
  for (const { status } of await Promise.all(newcomers)) assert.equal(status, 503);
  waiting.open();
  await waiting.closed;
  await transportSession(early).closed;
  client.disconnect();
  await within(drained, "the end");
  assert.equal(early.clientsCount + io.engine.clientsCount, 0);
});

test("an empty session id opens no session", async (t) => {
  const { io, port } = await start(t, "a");
  await Promise.all([0, 1].map((n) => until(dial(t, port, n, { reconnection: false }), "server")));
  const controller = new AbortController();
  const done = io.drain({ over: 3_600_000, signal: controller.signal });
  for (const query of ["&sid=", "&sid"]) {
    const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling${query}`;
    assert.equal((await fetch(url)).status, 503, query);
  }
  controller.abort();
  await done;
});

test("it is over when all have gone, whoever has let them go", async (t) => {
  for (const go of [(io) => io.close(), (io) => io.disconnectSockets(true)]) {
    const { io, port } = await start(t, "a");
    await Promise.all(
      [0, 1, 3].map((n) => until(dial(t, port, n, { reconnection: false }), "server")),
    );
    const done = io.drain({ over: 3_600_000 });
    go(io);
    assert.equal((await within(done, "the drain", PATIENCE)).left, 0);
    assert.equal(io.health().status, "closed");
  }
});

test("a progress() that throws stops nothing", async (t) => {
  const child = spawn("draining-throws", ours);
  t.after(() => child.kill());
  assert.deepEqual(await child.message(), {
    drained: { clients: 1, left: 0 },
    thrown: ["the program's"],
    listening: false,
  });
});

test("many that owe answers are no reason for a warning", async (t) => {
  const { io, port } = await start(t, "a");
  io.on("connection", (socket) => socket.emit("question", () => {}));
  await Promise.all(
    Array.from({ length: 12 }, () => until(dial(t, port, 0, { reconnection: false }), "question")),
  );
  const warnings = [];
  const warn = (warning) => warnings.push(warning);
  process.on("warning", warn);
  t.after(() => process.removeListener("warning", warn));
  const controller = new AbortController();
  const done = io.drain({ over: 0, acks: 3_600_000, signal: controller.signal });
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await done;
  assert.deepEqual(warnings, []);
});

test("a server without an engine has nobody to let go", async () => {
  assert.deepEqual(await new Server().drain(), { clients: 0, left: 0 });
});

test("a server that listens again lets clients in again", async (t) => {
  const a = await start(t, "a");
  await a.io.drain({ over: 0 });
  a.io.httpServer.listen(0, "127.0.0.1");
  await until(a.io.httpServer, "listening");
  assert.equal(a.io.health().status, "ready");
  await until(dial(t, a.io.httpServer.address().port, 0), "server");
});

test(
  "with recovery over Redis, nobody misses an event that is sent meanwhile",
  { timeout: 180_000 },
  async (t) => {
    const redis = await startRedis();
    t.after(redis.stop);
    const nodes = [1, 2].map(() => spawn("draining-node", ours, { args: [redis.path] }));
    for (const node of nodes) t.after(() => node.kill());
    const [a, b] = await Promise.all(nodes.map((node) => node.message()));
    const [drained, other] = nodes;
    const clients = Array.from({ length: 12 }, (_, n) =>
      dial(t, a.port, n, { reconnection: false }),
    );
    const got = clients.map((client) => {
      const all = [];
      client.on("event", (i) => all.push(i));
      return all;
    });
    await Promise.all(clients.map((client) => until(client, "connect")));
    other.send({ event: 0 });
    await eventually(
      () => got.every((all) => all.length > 0),
      "an event, from which all can go on",
    );
    let sent = 0;
    const sending = setInterval(() => other.send({ event: ++sent }), 5);
    t.after(() => clearInterval(sending));
    const gone = clients.map((client) => until(client, "disconnect"));
    drained.send({ drain: { over: 500, acks: PATIENCE } });
    assert.deepEqual(await drained.message(60_000), { clients: clients.length, left: 0 });
    await Promise.all(gone);
    // Not while they come back: that adapter looks for what a client has missed, and lets it in later.
    clearInterval(sending);
    other.send({ event: ++sent });
    for (const client of clients) {
      sendTo(client, b);
      client.connect();
    }
    await eventually(() => got.every((all) => all.at(-1) === sent), "the last event");
    const whole = Array.from({ length: sent + 1 }, (_, i) => i);
    for (const [n, all] of got.entries()) assert.deepEqual(all, whole, `client ${n}`);
    for (const client of clients) assert.equal(client.recovered, true);
  },
);

test("the option shutdown drains at a signal, and the process ends", async (t) => {
  const child = spawn("draining", ours);
  t.after(() => child.kill());
  const { port } = await child.message();
  const client = dial(t, port, 0, { reconnection: false });
  await until(client, "connect");
  const gone = until(client, "disconnect");
  child.child.kill("SIGTERM");
  assert.equal((await gone)[0], "transport close");
  assert.deepEqual(await child.message(), { status: "draining" });
  assert.equal((await child.exit()).code, 0);
});

test("a second signal hurries", async (t) => {
  const child = spawn("draining", ours, { args: ["3600000"] });
  t.after(() => child.kill());
  const { port } = await child.message();
  const clients = [0, 1, 2].map((n) => dial(t, port, n, { reconnection: false }));
  await Promise.all(clients.map((client) => until(client, "connect")));
  const gone = clients.map((client) => until(client, "disconnect"));
  child.child.kill("SIGTERM");
  assert.deepEqual(await child.message(), { status: "draining" });
  child.child.kill("SIGTERM");
  await Promise.all(gone);
  assert.equal((await child.exit()).code, 0);
});

test("the option shutdown listens for its signals as long as the server is open", async () => {
  const before = process.listenerCount("SIGUSR2");
  const io = new Server(http.createServer().listen(0), { shutdown: ["SIGUSR2"] });
  assert.equal(process.listenerCount("SIGUSR2"), before + 1);
  await io.close();
  assert.equal(process.listenerCount("SIGUSR2"), before);
});
