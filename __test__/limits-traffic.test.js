"use strict";

/** The options `limits.events`, `limits.bytes` and `limits.namespaces`: what is done about clients that send too much, by every way. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { test } = require("node:test");

const { Server } = require("..");
const { Server: EngineServer } = require("../engine.io");
const CLIENTS = require("./support/client-versions");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";
const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CREDENTIALS = { key: fixture("key.pem"), cert: fixture("cert.pem") };
/** So slow that none comes back while a test runs. */
const NEVER = 1e-6;
const CONNECT = 1; // what a client sends before its events counts, too

/** The ways by which a client's packets may come. */
const WAYS = {
  "WebSocket, taken by a worker": { transports: ["websocket"] },
  "WebSocket, compressed": {
    transports: ["websocket"],
    options: { perMessageDeflate: { threshold: 0 } },
  },
  "WebSocket over TLS of Node.js": { transports: ["websocket"], secure: true },
  "polling, read by a worker": { transports: ["polling"] },
  "polling, read by Node.js": {
    transports: ["polling"],
    prepare: (io) => io.engine.use((_req, _res, next) => next()),
  },
  "polling over TLS of Node.js": { transports: ["polling"], secure: true },
};
if (LINUX)
  WAYS["WebSocket over TLS of a worker"] = {
    transports: ["websocket"],
    secure: true,
    options: { tls: "native" },
  };

async function serve(t, limits, { secure = false, prepare, options } = {}) {
  const httpServer = secure ? https.createServer(CREDENTIALS) : http.createServer();
  const io = new Server(httpServer, { limits, allowEIO3: true, ...options });
  prepare?.(io);
  const clients = [];
  t.after(async () => {
    for (const client of clients) client.disconnect();
    await io.close();
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const url = `${secure ? "https" : "http"}://127.0.0.1:${httpServer.address().port}`;

  /** A client from an address, and the socket that the server has for it. */
  const dial = async (transports, { from = "127.0.0.1", version = 4, nsp = "", ...more } = {}) => {
    const agent = new (secure ? https : http).Agent({
      localAddress: from,
      rejectUnauthorized: false,
    });
    const client = CLIENTS[version](url + nsp, {
      forceNew: true,
      reconnection: false,
      rejectUnauthorized: false,
      transports,
      agent,
      ...more,
    });
    clients.push({
      disconnect() {
        client.disconnect();
        agent.destroy();
      },
    });
    const [socket] = await until(io.of(nsp || "/"), "connection");
    if (!client.connected) await until(client, "connect");
    return { client, socket };
  };
  const limited = () =>
    Object.fromEntries(
      io
        .metrics()
        .socketio_traffic_limited.values.filter(({ value }) => value > 0)
        .map(({ labels, value }) => [`${labels.limit} ${labels.action}`, value]),
    );
  return { io, httpServer, dial, limited };
}

/** All that a socket gets from here on. */
function listen(socket) {
  const got = [];
  socket.onAny((...args) => got.push(args));
  return got;
}

for (const [name, { transports, ...way }] of Object.entries(WAYS))
  for (const version of [4, 2])
    test(`who sends too much is not read until it may send on, and nothing is lost: ${name}, ${version}`, async (t) => {
      const events = { perClient: { rate: 200, burst: 3 } };
      const { dial, limited } = await serve(t, { events }, way);
      const { client, socket } = await dial(transports, { version });
      const got = [];
      socket.on("n", (...args) => got.push(args));
      const bytes = Buffer.from("attached");
      for (let n = 0; n < 30; n++) client.emit("n", n, n % 5 === 0 ? bytes : "text");
      await eventually(() => got.length === 30, "all of them");
      assert.deepEqual(
        got,
        Array.from({ length: 30 }, (_, n) => ["n", n, n % 5 === 0 ? bytes : "text"].slice(1)),
      );
      assert.ok(limited()["events_per_client pause"] > 0);
    });

for (const [name, { transports, ...way }] of Object.entries(WAYS))
  test(`as much as may come at once comes, and no more: ${name}`, async (t) => {
    const events = { perClient: { rate: NEVER, burst: CONNECT + 5 }, action: "pause" };
    const { io, dial, limited } = await serve(t, { events }, way);
    const { client, socket } = await dial(transports);
    const got = listen(socket);
    for (let n = 0; n < 30; n++) client.emit("n", n);
    await eventually(() => got.length === 5, "what may come");
    // others are in nobody's way
    const other = await dial(transports);
    other.socket.on("echo", (value, reply) => reply(value));
    assert.equal(await other.client.emitWithAck("echo", 1), 1);
    await turns(5);
    assert.deepEqual(
      got,
      [0, 1, 2, 3, 4].map((n) => ["n", n]),
    );
    assert.deepEqual(limited(), { "events_per_client pause": 1 });
    // it can be let go, and hears of it at once
    const gone = until(client, "disconnect");
    socket.disconnect(true);
    await gone;
    await eventually(() => io.engine.clientsCount === 1);
  });

for (const [name, { transports, ...way }] of Object.entries(WAYS))
  for (const version of [4, 2])
    test(`events are dropped, and who is to be answered hears of it: ${name}, ${version}`, async (t) => {
      const burst = version === 2 ? 3 : CONNECT + 3; // protocol 3 has no CONNECT for "/"
      const events = { perClient: { rate: NEVER, burst }, action: "drop" };
      const { dial, limited } = await serve(t, { events }, way);
      const { client, socket } = await dial(transports, { version });
      const got = [];
      socket.on("n", (n, _more, reply) => {
        got.push(n);
        reply("taken");
      });
      const ask = (n) =>
        within(
          new Promise((resolve) =>
            client.emit("n", n, n % 2 === 0 ? Buffer.from("attached") : "text", resolve),
          ),
          `the answer to ${n}`,
        );
      const answers = await Promise.all([0, 1, 2, 3, 4, 5].map(ask));
      assert.deepEqual(got, [0, 1, 2]);
      assert.deepEqual(answers.slice(0, 3), ["taken", "taken", "taken"]);
      for (const { error, retryAfter } of answers.slice(3)) {
        assert.equal(error, "too many events");
        assert.ok(retryAfter > 0);
      }
      assert.ok(client.connected);
      assert.deepEqual(limited(), { "events_per_client drop": 3 });
    });

for (const [name, { transports, ...way }] of Object.entries(WAYS))
  test(`who sends too much is disconnected, and told why: ${name}`, async (t) => {
    const events = { perClient: { rate: NEVER, burst: CONNECT + 3 }, action: "disconnect" };
    const { dial, limited } = await serve(t, { events }, way);
    const { client, socket } = await dial(transports);
    const got = listen(socket);
    const ended = until(socket, "disconnect");
    const gone = until(client, "disconnect");
    for (let n = 0; n < 10; n++) client.emit("n", n);
    const [reason, { message, description } = {}] = await ended;
    assert.equal(reason, "transport error");
    assert.match(String(description ?? message), /too many events/);
    const [, details] = await gone;
    if (transports[0] === "websocket") {
      assert.equal(details.context.code, 1008);
      assert.equal(details.context.reason, "too many events");
    } else {
      assert.equal(details.description, 429);
    }
    assert.deepEqual(
      got,
      [0, 1, 2].map((n) => ["n", n]),
    );
    assert.deepEqual(limited(), { "events_per_client disconnect": 1 });
  });

for (const [name, { transports, ...way }] of Object.entries(WAYS))
  test(`bytes are limited, and one message may be longer than what is left: ${name}`, async (t) => {
    const bytes = { perClient: { rate: 0.001, burst: 1000 } };
    const { dial, limited } = await serve(t, { bytes }, way);
    const { client, socket } = await dial(transports);
    const got = [];
    socket.onAny((event) => got.push(event));
    client.emit("a", "x".repeat(400));
    client.emit("b", Buffer.alloc(5000));
    client.emit("c");
    await eventually(() => got.length === 2, "what may come");
    await turns(5);
    assert.deepEqual(got, ["a", "b"]);
    assert.deepEqual(limited(), { "bytes_per_client pause": 1 });
  });

const ask = ({ client }) => client.emitWithAck("n");

test("all clients of an address share what it may send", { skip: !LINUX }, async (t) => {
  const events = { perAddress: { rate: NEVER, burst: 3 * CONNECT + 4 }, action: "drop" };
  const { dial, limited } = await serve(t, { events });
  const serveOne = async (transport, from) => {
    const pair = await dial([transport], { from });
    pair.socket.on("n", (reply) => reply("taken"));
    return pair;
  };
  const first = await serveOne("websocket", "127.0.0.2");
  const second = await serveOne("polling", "127.0.0.2");
  const third = await serveOne("websocket", "127.0.0.2");
  for (const one of [first, second, third, first]) assert.equal(await ask(one), "taken");
  for (const one of [first, second, third]) assert.equal((await ask(one)).error, "too many events");
  assert.equal(await ask(await serveOne("websocket", "127.0.0.3")), "taken");
  assert.deepEqual(limited(), { "events_per_address drop": 3 });
});

test("a namespace has limits of its own", async (t) => {
  const namespaces = {
    "/chat": { events: { perClient: { rate: NEVER, burst: CONNECT + 2 }, action: "drop" } },
  };
  const { io, dial, limited } = await serve(t, { namespaces });
  for (const nsp of ["/", "/chat"])
    io.of(nsp).on("connection", (socket) => socket.on("n", (reply) => reply("taken")));
  const { client } = await dial(["websocket"]);
  const chat = client.io.socket("/chat");
  await until(chat, "connect");
  for (let n = 0; n < 5; n++) {
    assert.equal(await client.emitWithAck("n"), "taken");
    const answer = await chat.emitWithAck("n");
    if (n < 2) assert.equal(answer, "taken");
    else assert.equal(answer.error, "too many events");
  }
  assert.deepEqual(limited(), { "namespace_events drop": 3 });
});

test("who polls is told of events that are dropped, also between two polls", async (t) => {
  const events = { perClient: { rate: NEVER, burst: CONNECT + 4 }, action: "drop" };
  for (const name of ["polling, read by a worker", "polling, read by Node.js"]) {
    const { transports, ...way } = WAYS[name];
    const { dial, limited } = await serve(t, { events }, way);
    const { client, socket } = await dial(transports);
    socket.on("n", (reply) => reply("taken"));
    const answers = [];
    for (let n = 0; n < 40; n++) {
      client.emit("n", (answer) => answers.push(answer.error ?? answer));
      if (n % 4 === 3) await turns(3);
    }
    await eventually(() => answers.length === 40, "all answers");
    assert.equal(answers.filter((answer) => answer === "taken").length, 4);
    assert.equal(answers.filter((answer) => answer === "too many events").length, 36);
    assert.deepEqual(limited(), { "events_per_client drop": 36 });
  }
});

test("names that protocol 3 reads as URLs go round no limit of a namespace", async (t) => {
  const rules = { events: { perClient: { rate: NEVER, burst: CONNECT + 3 }, action: "drop" } };
  const { io, httpServer } = await serve(t, { namespaces: { "/chat": rules } });
  const got = [];
  io.of("/chat").on("connection", (socket) => socket.onAny((...args) => got.push(args)));
  const { port } = httpServer.address();
  const odd = ["/chat#x", "//h/chat", "/./chat", "/a/../chat", "/ch\tat", "/%2e/chat"];
  for (const name of odd) {
    const raw = await RawWebSocket.open(port, "/socket.io/?EIO=3&transport=websocket");
    t.after(() => raw.destroy());
    raw.text(`40${name},`);
    for (let n = 0; n < 20; n++) raw.text(`42${name},["n"]`);
    const packets = await raw.rest();
    assert.equal(packets.at(-1).close, 1008, name);
  }
  assert.deepEqual(got, []);
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=3&transport=websocket");
  t.after(() => raw.destroy());
  raw.text("40/chat?x=1,");
  for (let n = 0; n < 20; n++) raw.text('42/chat?x=1,["n"]');
  await eventually(() => got.length === 3, "what may come");
});

test("who is paused is pinged, and not given up for what it can't be heard of", async (t) => {
  const events = { perClient: { rate: NEVER, burst: CONNECT + 1 } };
  const heartbeat = { pingInterval: 20, pingTimeout: 20 };
  const { dial } = await serve(t, { events }, { options: heartbeat });
  const { client, socket } = await dial(["websocket"]);
  const got = listen(socket);
  client.emit("n", 1);
  client.emit("n", 2);
  await eventually(() => got.length === 1);
  for (let n = 0; n < 5; n++) await until(client.io, "ping");
  assert.ok(client.connected && socket.connected);
  assert.deepEqual(got, [["n", 1]]);
});

test("what is left of a POST comes before what comes by the next transport", async (t) => {
  const events = { perClient: { rate: 100, burst: 2 } };
  const { dial } = await serve(t, { events });
  const { client, socket } = await dial(["polling", "websocket"]);
  const got = [];
  socket.on("n", (n) => got.push(n));
  for (let n = 0; n < 20; n++) client.emit("n", n);
  const upgraded = client.io.engine.transport.name === "websocket";
  if (!upgraded) await until(client.io.engine, "upgrade");
  for (let n = 20; n < 40; n++) client.emit("n", n);
  await eventually(() => got.length === 40, "all of them");
  assert.deepEqual(
    got,
    Array.from({ length: 40 }, (_, n) => n),
  );
});

test("an answer that can't be dropped is not, and its client is read no more for a while", async (t) => {
  const events = { perClient: { rate: NEVER, burst: CONNECT + 2 }, action: "drop" };
  const { dial, limited } = await serve(t, { events });
  const { client, socket } = await dial(["websocket"]);
  client.on("ask", (reply) => reply("an answer"));
  for (let n = 0; n < 3; n++) assert.equal(await socket.emitWithAck("ask"), "an answer");
  const got = listen(socket);
  client.emit("n");
  await turns(5);
  assert.deepEqual(got, []);
  assert.deepEqual(limited(), { "events_per_client pause": 1 });
});

test("messages of a program's own protocol count as events", async (t) => {
  const httpServer = http.createServer();
  const limits = { events: { perClient: { rate: NEVER, burst: 2 }, action: "drop" } };
  const engine = new EngineServer({ limits });
  engine.attach(httpServer, { path: "/engine.io" });
  t.after(() => {
    engine.close();
    return new Promise((resolve) => httpServer.close(resolve));
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { Socket } = require("engine.io-client");
  const client = new Socket(`http://127.0.0.1:${httpServer.address().port}`, {
    transports: ["websocket"],
  });
  t.after(() => client.close());
  const [conn] = await until(engine, "connection");
  const got = [];
  conn.on("message", (data) => got.push(data));
  await until(client, "open");
  for (const text of ["a", "b", "c", "d"]) client.send(text);
  await eventually(() => got.length === 2);
  await turns(5);
  assert.deepEqual(got, ["a", "b"]);
});

const make = (limits) => () => new Server(http.createServer(), { limits });

test("what can't be meant is an error", () => {
  for (const [limits, message] of [
    [{ events: 5 }, /^option limits.events can't be 5: give an object with some of perClient, /],
    [{ events: { perclient: 5 } }, /^option limits.events can't be an object with perclient/],
    [
      { bytes: { action: "stop" } },
      /^option limits.bytes.action can't be "stop": give one of pause/,
    ],
    [{ bytes: { perClient: "5" } }, /^option limits.bytes.perClient can't be "5": give an object/],
    [{ namespaces: [] }, /^option limits.namespaces can't be \[\]: give an object/],
    [
      { namespaces: { "/a": { events: { perAddress: 1 } } } },
      /^option limits.namespaces\["\/a"\].events can't be an object with perAddress/,
    ],
  ])
    assert.throws(make(limits), (error) => {
      assert.match(error.message, message);
      return error.code === "SIO_ERR_INVALID_OPTION";
    });
  for (const limits of [{ events: {} }, { bytes: { action: "drop" } }, { namespaces: {} }])
    make(limits)();
});
