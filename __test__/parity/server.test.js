"use strict";

/** The Server object: ways to make one, to attach it, and to close it. */

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");
const { once } = require("node:events");
const { deferred, until, within } = require("../support/waiting");
const { fetch } = require("../support/raw-http");
const { RawWebSocket } = require("../support/raw-websocket");
const { ALL, DIRECT, scenario } = require("./harness");
const { sharedContext } = require("./raw-pairs");

const BARE = { server: false };

/** Connects a client to a port and waits for it. */
async function reach(stage, port, options) {
  return stage.connected(stage.client("/", { url: `http://127.0.0.1:${port}`, ...options }));
}

scenario("server: new Server(port)", { ...BARE, modes: ALL }, async (stage) => {
  const io = new stage.lib.Server(0);
  stage.defer(() => io.close());
  assert.ok(io.httpServer instanceof http.Server);
  const { port } = io.httpServer.address();
  assert.ok(port > 0, "in the same tick");
  const client = await reach(stage, port);
  assert.equal(io.sockets.sockets.size, 1);
  stage.trace("address", typeof port, client.connected);
  const { status, body } = await fetch(port, "GET", "/elsewhere");
  stage.trace("elsewhere", status, body);
  assert.equal(status, 404);
});

scenario(
  "server: io.listen(0), io.attach(0), port as a string",
  { ...BARE, modes: ["websocket"] },
  async (stage) => {
    for (const method of ["listen", "attach"]) {
      for (const port of [0, "0"]) {
        const io = new stage.lib.Server();
        assert.equal(io[method](port), io);
        await reach(stage, io.httpServer.address().port);
        await io.close();
      }
    }
  },
);

scenario(
  "server: callable without new, default options, exports",
  { ...BARE, modes: ["websocket"] },
  async (stage) => {
    const { lib } = stage;
    const io = lib(0, { serveClient: false });
    stage.defer(() => io.close());
    assert.ok(io instanceof lib.Server);
    await reach(stage, io.httpServer.address().port);
    stage.trace("exports", typeof lib, Object.keys(lib).sort());
    assert.equal(io.serveClient(), false);
  },
);

scenario(
  "server: options as the first or the second argument",
  { ...BARE, modes: ["websocket"] },
  async (stage) => {
    const { Server } = stage.lib;
    const first = new Server({ path: "/first", connectTimeout: 1_234 });
    assert.equal(first.path(), "/first");
    assert.equal(first.connectTimeout(), 1_234);
    assert.equal(first.httpServer, undefined);
    const httpServer = http.createServer();
    assert.equal(first.attach(httpServer), first);
    assert.equal(first.httpServer, httpServer);
    httpServer.listen(0);
    stage.defer(() => first.close());
    await reach(stage, httpServer.address().port, { path: "/first" });

    const second = new Server(undefined, { path: "/second" });
    second.listen(0);
    stage.defer(() => second.close());
    await reach(stage, second.httpServer.address().port, { path: "/second" });

    const third = new Server();
    third.listen(0, { path: "/third" });
    stage.defer(() => third.close());
    await reach(stage, third.httpServer.address().port, { path: "/third" });
  },
);

scenario("server: getters and setters", BARE, async ({ lib, trace }) => {
  const io = new lib.Server();
  trace("defaults", io.path(), io.connectTimeout(), io.serveClient());
  assert.equal(io.path("/p/"), io);
  assert.equal(io.connectTimeout(10), io);
  assert.equal(io.serveClient(false), io);
  trace("set", io.path(), io.connectTimeout(), io.serveClient());
  assert.equal(typeof io.adapter(), "function");
  trace("shape", io.sockets === io.of("/"), io.sockets.name, io.engine, io.httpServer);
});

scenario("server: an express application is refused with advice", BARE, async ({ lib }) => {
  const express = require("express");
  assert.throws(() => new lib.Server().attach(express()), {
    message:
      "You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.",
  });
});

scenario(
  "server: engine events and counts",
  { modes: ["websocket"] },
  async ({ io, pair, trace, httpServer }) => {
    const connection = until(io.engine, "connection");
    const { socket } = await pair();
    const [conn] = await connection;
    assert.equal(conn, socket.conn);
    assert.equal(io.engine.clientsCount, 1);
    assert.equal(io.httpServer, httpServer);
    trace("names", [...io._nsps.keys()]);
  },
);

scenario(
  "server: both ways of naming the event",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    io.on("connect", (socket) => trace("server", "connect", socket.connected));
    io.on("connection", (socket) => trace("server", "connection", socket.connected));
    io.sockets.on("connection", () => trace("server", "sockets connection"));
    await pair();
  },
);

scenario(
  "close: promise, callback, port free afterwards",
  { ...BARE, modes: DIRECT },
  async (stage) => {
    const io = new stage.lib.Server(0);
    const { port } = io.httpServer.address();
    const client = await reach(stage, port);
    const gone = until(client, "disconnect");
    const called = deferred("the callback");
    const outcome = await within(
      io.close((error) => called.resolve(error)),
      "close",
    );
    assert.equal(outcome, undefined);
    stage.trace("callback", (await called.promise) ?? null, (await gone)[0]);
    const next = new stage.lib.Server(port);
    stage.defer(() => next.close());
    await once(next.httpServer, "listening");
    await reach(stage, port);
  },
);

scenario(
  "close: with clients on both transports and a parked poll",
  { modes: ALL },
  async (stage) => {
    const { io, pair, trace } = stage;
    const members = [
      await pair(),
      await pair({ transports: ["polling"] }),
      await pair({ transports: ["websocket"] }),
    ];
    const gone = members.flatMap(({ client, socket }) => [
      until(client, "disconnect"),
      until(socket, "disconnect"),
    ]);
    await within(io.close(), "close");
    trace(
      "reasons",
      (await Promise.all(gone)).map(([reason]) => reason),
    );
    assert.equal(io.engine.clientsCount, 0);
  },
);

scenario("close: twice", { ...BARE, modes: ["websocket"] }, async (stage) => {
  const io = new stage.lib.Server(0);
  await reach(stage, io.httpServer.address().port);
  await within(io.close(), "the first close");
  const called = deferred("the callback");
  await within(
    io.close((error) => called.resolve(error)),
    "the second close",
  );
  stage.trace("error", (await called.promise)?.code);
});

scenario("close: order of the closing events", { modes: ["websocket"] }, async (stage) => {
  const { io, pair, trace } = stage;
  io.of("/b");
  const a = await pair();
  const b = await stage.connected(a.client.io.socket("/b"));
  const other = io.of("/b").sockets.get(b.id);
  for (const [name, socket] of [
    ["a", a.socket],
    ["b", other],
  ]) {
    socket.on("disconnecting", (reason) => trace("server", name, "disconnecting", reason));
    socket.on("disconnect", (reason) => trace("server", name, "disconnect", reason));
  }
  a.socket.conn.on("close", (reason) => trace("server", "conn", reason));
  await io.close();
});

scenario("close: a server that was never attached", BARE, async ({ lib, trace }) => {
  const io = new lib.Server();
  const outcome = await io.close().then(
    () => "resolved",
    () => "rejected",
  );
  trace("outcome", outcome);
});

scenario(
  "close then listen again on the same http.Server",
  { ...BARE, modes: ALL },
  async (stage) => {
    const httpServer = http.createServer();
    const io = new stage.lib.Server(httpServer);
    stage.defer(() => io.close());
    for (let round = 0; round < 2; round++) {
      httpServer.listen(0);
      await once(httpServer, "listening");
      const client = await reach(stage, httpServer.address().port);
      assert.equal(io.sockets.sockets.has(client.id), true);
      await within(io.close(), "close");
      assert.equal(io.engine.clientsCount, 0);
    }
  },
);

scenario(
  "close: httpServer.close() closes the sessions too",
  { ...BARE, modes: DIRECT },
  async (stage) => {
    const httpServer = http.createServer();
    const io = new stage.lib.Server(httpServer);
    httpServer.listen(0);
    const connection = until(io, "connection");
    const client = await reach(stage, httpServer.address().port);
    const [socket] = await connection;
    const closed = until(httpServer, "close");
    const gone = until(socket, "disconnect");
    httpServer.close();
    client.disconnect();
    stage.trace("reason", (await gone)[0]);
    await closed;
  },
);

scenario(
  "http server: close waits for WebSocket clients, getConnections counts them",
  { modes: ["websocket"] },
  async (stage) => {
    const { pair, httpServer } = stage;
    const { client } = await pair();
    await pair();
    const count = await new Promise((resolve) => httpServer.getConnections((_, n) => resolve(n)));
    assert.equal(count, 2);
    let closed = false;
    const close = new Promise((resolve) => httpServer.close(() => resolve((closed = true))));
    await client.emit("x");
    assert.equal(closed, false);
    stage.io.disconnectSockets(true);
    await within(close, "close of the http.Server");
  },
);

scenario("two servers on one http.Server, by path", { ...BARE, modes: ALL }, async (stage) => {
  const httpServer = http.createServer((req, res) => res.writeHead(404).end("neither"));
  const one = new stage.lib.Server(httpServer, { path: "/one", destroyUpgrade: false });
  const two = new stage.lib.Server(httpServer, { path: "/two", destroyUpgrade: false });
  stage.defer(() => Promise.all([one.close(), two.close()]));
  httpServer.listen(0);
  const { port } = httpServer.address();
  const [a, b] = [
    await reach(stage, port, { path: "/one" }),
    await reach(stage, port, { path: "/two" }),
  ];
  assert.ok(one.sockets.sockets.has(a.id) && !one.sockets.sockets.has(b.id));
  assert.ok(two.sockets.sockets.has(b.id));
  const { body } = await fetch(port, "GET", "/three");
  assert.equal(body, "neither");
});

scenario(
  "two servers of one process know nothing of each other",
  { ...BARE, modes: ["websocket"] },
  async (stage) => {
    const servers = [new stage.lib.Server(0), new stage.lib.Server(0)];
    stage.defer(() => Promise.all(servers.map((io) => io.close())));
    const clients = [];
    for (const io of servers) clients.push(await reach(stage, io.httpServer.address().port));
    const seen = [[], []];
    clients.forEach((client, i) => client.on("x", (n) => seen[i].push(n)));
    servers[0].emit("x", 0);
    servers[1].emit("x", 1);
    const ends = clients.map((client) => until(client, "end"));
    for (const io of servers) io.emit("end");
    await Promise.all(ends);
    assert.deepEqual(seen, [[0], [1]]);
  },
);

scenario(
  "requests and upgrades that are not ours reach the earlier listeners",
  { ...BARE },
  async (stage) => {
    const httpServer = http.createServer((req, res) => res.end(`first ${req.url}`));
    const io = new stage.lib.Server(httpServer);
    stage.defer(() => io.close());
    httpServer.listen(0);
    const { port } = httpServer.address();
    for (const path of [
      "/",
      "/socket.io",
      "/socket.i",
      "/socketXio/",
      "/other?EIO=4&transport=polling",
    ]) {
      const { status, body } = await fetch(port, "GET", path);
      stage.trace("answer", path, status, body);
    }
    const { status, body } = await fetch(port, "GET", "/socket.io/?EIO=4&transport=polling");
    assert.equal(status, 200);
    assert.ok(body.startsWith('0{"sid":"'));
  },
);

scenario("listeners added to the http.Server later see every request", BARE, async (stage) => {
  const httpServer = http.createServer();
  const io = new stage.lib.Server(httpServer, { serveClient: false });
  stage.defer(() => io.close());
  const seen = [];
  httpServer.on("request", (req, res) => {
    seen.push(req.url.split("?")[0]);
    if (!req.url.startsWith("/socket.io/")) res.end("later");
  });
  httpServer.listen(0);
  const { port } = httpServer.address();
  const { body } = await fetch(port, "GET", "/mine");
  assert.equal(body, "later");
  await fetch(port, "GET", "/socket.io/?EIO=4&transport=polling");
  stage.trace("seen", seen);
});

scenario(
  "an http.Server that gives out the list of listeners that it works with",
  BARE,
  async (stage) => {
    class Listing extends http.Server {
      handlers = [];

      on(name, listener) {
        if (name === "request") this.handlers.push(listener);
        return super.on(name, listener);
      }

      listeners(name) {
        return name === "request" ? this.handlers : super.listeners(name);
      }

      removeAllListeners(name) {
        if (name === "request") this.handlers.length = 0;
        return super.removeAllListeners(name);
      }
    }
    const httpServer = new Listing();
    httpServer.on("request", (req, res) => res.end("mine"));
    const io = new stage.lib.Server(httpServer);
    stage.defer(() => io.close());
    httpServer.listen(0);
    const { port } = httpServer.address();
    const { status, body } = await fetch(port, "GET", "/elsewhere");
    assert.equal(body, "mine");
    const file = await fetch(port, "GET", "/socket.io/socket.io.js");
    const handshake = await fetch(port, "GET", "/socket.io/?EIO=4&transport=polling");
    stage.trace("answers", status, body, file.status, handshake.status);
  },
);

scenario(
  "allowRequest: refuses with a message, lets pass",
  {
    modes: DIRECT,
    options: {
      allowRequest: (req, done) =>
        done(req.headers["x-pass"] ? null : "no entry", Boolean(req.headers["x-pass"])),
    },
  },
  async ({ io, pair, client, http: request, webSocket, trace }) => {
    const errors = [];
    io.engine.on("connection_error", ({ code, message, context }) =>
      errors.push({ code, message, context }),
    );
    const [error] = await until(client(), "connect_error");
    trace("client", error.message);
    const { status, headers, body } = await request("GET", "/socket.io/?EIO=4&transport=polling");
    assert.equal(status, 403);
    assert.equal(body, '{"code":4,"message":"no entry"}');
    trace("http", status, headers, body);
    const raw = await webSocket();
    assert.equal(raw.status, 400);
    await raw.gone();
    trace("websocket", raw.statusLine, raw.headers, raw.body);
    trace("errors", errors);
    const { socket } = await pair({ extraHeaders: { "x-pass": "1" } });
    assert.equal(socket.connected, true);
  },
);

scenario(
  "allowRequest: asynchronous",
  {
    modes: ALL,
    options: {
      allowRequest: (req, done) => setImmediate(() => setImmediate(() => done(null, true))),
    },
  },
  async ({ pair }) => {
    const { client, socket } = await pair();
    socket.on("x", (reply) => reply(1));
    assert.equal(await client.emitWithAck("x"), 1);
  },
);

scenario(
  "a probe sent along with its upgrade request survives a slow middleware",
  async (stage) => {
    const { io, port, polling, defer } = stage;
    const session = await polling();
    io.engine.use((req, res, next) => setImmediate(() => setImmediate(next)));
    const socket = net.connect(port, "127.0.0.1");
    defer(() => socket.destroy());
    const raw = new RawWebSocket(socket);
    socket.cork();
    raw.request(`/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`);
    raw.text("2probe");
    socket.uncork();
    await within(raw.answered, "the answer");
    assert.equal(raw.status, 101);
    assert.equal(await raw.next(), "3probe");
  },
);

scenario("generateId: one's own ids", { modes: ALL }, async ({ io, pair, trace }) => {
  let n = 0;
  io.engine.generateId = (req) => {
    trace("server", typeof req.url);
    return `custom-${n++}`;
  };
  const { socket } = await pair();
  assert.equal(socket.conn.id, "custom-0");
  trace("id", socket.conn.id);
});

scenario(
  "io.engine.use: middleware on every request",
  { modes: DIRECT },
  async ({ io, pair, trace, http: request }) => {
    let calls = 0;
    io.engine.use((req, res, next) => {
      calls++;
      res.setHeader("x-middleware", "ran");
      req.marked = true;
      next();
    });
    const { socket } = await pair();
    assert.equal(socket.request.marked, true);
    assert.ok(calls > 0);
    const { headers, status } = await request("GET", "/socket.io/?EIO=4&transport=polling");
    assert.equal(headers["x-middleware"], "ran");
    trace("http", status);
  },
);

scenario(
  "io.engine.use: a failing middleware refuses",
  async ({ io, http: request, webSocket, trace }) => {
    const errors = [];
    io.engine.on("connection_error", ({ code, message, context }) =>
      errors.push({ code, message, context: sharedContext(context) }),
    );
    io.engine.use((req, res, next) => next(new Error("no")));
    const { status, body } = await request("GET", "/socket.io/?EIO=4&transport=polling");
    trace("http", status, body);
    assert.equal(status, 400);
    const raw = await webSocket();
    await raw.gone();
    trace("websocket", raw.statusLine, raw.body);
    trace("errors", errors);
  },
);

scenario(
  "headers and initial_headers",
  { modes: DIRECT },
  async ({ io, polling, webSocket, trace }) => {
    io.engine.on("initial_headers", (headers, req) => {
      headers["x-initial"] = "once";
      trace("server", "initial_headers", typeof req.url);
    });
    io.engine.on("headers", (headers) => {
      headers["x-every"] = "yes";
    });
    const session = await polling();
    trace("opening", session.opening.headers["x-initial"], session.opening.headers["x-every"]);
    const post = await session.post("40");
    trace("post", post.headers["x-initial"], post.headers["x-every"]);
    const raw = await webSocket();
    trace("websocket", raw.headers["x-initial"], raw.headers["x-every"]);
  },
);

scenario(
  "cookie",
  { options: { cookie: { name: "sid", maxAge: 60 } } },
  async ({ polling, trace }) => {
    const session = await polling();
    assert.equal(
      session.opening.headers["set-cookie"][0].startsWith(`sid=${session.sid}; Max-Age=60; Path=/`),
      true,
    );
    trace("cookie", session.opening.headers["set-cookie"][0].replace(session.sid, "<id>"));
    const post = await session.post("40");
    assert.equal(post.headers["set-cookie"], undefined);
  },
);
