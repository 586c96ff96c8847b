"use strict";

/** Connecting: namespaces, auth, handshake, middleware. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { until, deferred, turns } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

scenario("connect: both sides agree on the id", { modes: ALL }, async ({ io, pair, trace }) => {
  const { client, socket } = await pair();
  assert.equal(client.id, socket.id);
  assert.match(socket.id, /^[A-Za-z0-9_-]{20}$/);
  assert.notEqual(socket.id, socket.conn.id, "the Engine.IO id is a secret");
  assert.equal(socket.connected, true);
  assert.equal(socket.disconnected, false);
  assert.equal(io.sockets.sockets.get(socket.id), socket);
  assert.equal(socket.nsp, io.sockets);
  assert.equal(socket.server, io);
  trace("ids", client.id, socket.id, socket.client.id, socket.conn.id);
  trace("shape", socket.nsp.name, socket.data, socket.recovered, [...socket.rooms]);
});

scenario("connect: auth object and auth function", { modes: DIRECT }, async ({ pair, trace }) => {
  const auth = { token: "tøken", nested: { list: [1, null, "\u{1F600}"] } };
  const { socket } = await pair({ auth });
  assert.deepEqual(socket.handshake.auth, auth);
  const later = await pair({ auth: (send) => send({ dynamic: true }) });
  assert.deepEqual(later.socket.handshake.auth, { dynamic: true });
  const none = await pair();
  trace("auth", socket.handshake.auth, later.socket.handshake.auth, none.socket.handshake.auth);
});

scenario(
  "connect: auth of a raw client, absent, empty and with __proto__",
  async ({ io, webSocket, trace }) => {
    for (const packet of ["40", "40{}", '40{"__proto__":{"admin":true},"a":1}']) {
      const connection = once(io, "connection");
      const raw = await webSocket();
      await raw.next();
      await raw.join(packet);
      const [socket] = await connection;
      const { auth } = socket.handshake;
      assert.equal(auth?.admin, undefined);
      trace("auth", packet, typeof auth, auth && Object.keys(auth), auth);
    }
  },
);

scenario(
  "handshake: every field, its type and its order",
  { modes: ["polling", "websocket"] },
  async ({ pair, trace, port, mode }) => {
    const { socket } = await pair({
      query: { a: "1", "b c": "ü&=", list: ["x", "y"] },
      extraHeaders: { "X-Custom": "value", Origin: "http://elsewhere.example", Cookie: "a=b; c=d" },
      auth: { who: "me" },
    });
    const { handshake } = socket;
    assert.deepEqual(Object.keys(handshake), [
      "headers",
      "time",
      "address",
      "xdomain",
      "secure",
      "issued",
      "url",
      "query",
      "auth",
    ]);
    assert.equal(handshake.headers["x-custom"], "value");
    assert.equal(handshake.headers.host, `127.0.0.1:${port}`);
    assert.equal(handshake.xdomain, true);
    assert.equal(handshake.secure, false);
    assert.equal(handshake.address, "127.0.0.1");
    assert.equal(new Date(handshake.issued).toString(), handshake.time);
    assert.ok(handshake.url.startsWith("/socket.io/?"));
    assert.equal(handshake.query.EIO, "4");
    assert.equal(handshake.query.transport, mode);
    assert.equal(handshake.query.list, "x,y");
    const { time, issued, url, query, headers, ...rest } = handshake;
    const { t, ...kept } = query;
    trace(
      "handshake",
      rest,
      kept,
      typeof time,
      typeof issued,
      typeof t,
      Object.getPrototypeOf(query) === Object.prototype,
    );
    for (const name of ["x-custom", "origin", "cookie", "host", "accept", "upgrade"])
      trace("header", headers[name]);
    trace("url", url.replace(/&t=[^&]*/, ""));
    assert.equal(socket.handshake, handshake, "built once");
  },
);

scenario(
  "handshake: it shows the request's own headers and query, whichever is looked at first",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    for (const first of ["handshake", "request"]) {
      const { socket } = await pair();
      const before = socket[first].headers;
      before["x-added"] = "by the program";
      const { handshake, request } = socket;
      trace(
        first,
        handshake.headers === request.headers,
        handshake.query === request._query,
        handshake.headers["x-added"],
        request.headers["x-added"],
        request.rawHeaders.length > 0,
        request.url === handshake.url,
      );
      assert.equal(handshake.headers, request.headers);
      assert.equal(request.headers["x-added"], "by the program");
    }
  },
);

scenario(
  "handshake: without origin, xdomain is false",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { socket } = await pair();
    assert.equal(socket.handshake.xdomain, false);
    trace("xdomain", socket.handshake.xdomain, socket.handshake.headers.origin);
  },
);

scenario(
  "request: url, method and headers of the opening request",
  { modes: ALL },
  async ({ pair, trace, mode }) => {
    const { socket } = await pair({ extraHeaders: { "X-Custom": "value" } });
    const { request } = socket;
    assert.equal(socket.client.request, request);
    assert.equal(socket.conn.request, request);
    assert.equal(request.method, "GET");
    assert.equal(request.headers["x-custom"], "value");
    const transport = mode === "websocket" ? "websocket" : "polling";
    assert.ok(request.url.startsWith(`/socket.io/?EIO=4&transport=${transport}`));
    trace(
      "request",
      request.method,
      request.httpVersion,
      request._query.EIO,
      request._query.transport,
    );
    trace("headers", request.headers["x-custom"], request.headers.upgrade);
    assert.ok(request.rawHeaders.includes("X-Custom"));
    assert.equal(request.connection, request.socket);
  },
);

scenario(
  "path: a custom one",
  { modes: ALL, options: { path: "/custom/" } },
  async ({ io, pair, http, trace }) => {
    const { socket } = await pair({ path: "/custom/" });
    assert.equal(io.path(), "/custom");
    assert.ok(socket.request.url.startsWith("/custom/?"));
    const { status, body } = await http("GET", "/socket.io/?EIO=4&transport=polling");
    assert.equal(status, 404);
    trace("default path", status, body);
  },
);

scenario(
  "path: without trailing slash",
  { modes: DIRECT, options: { path: "/bare", addTrailingSlash: false } },
  async ({ pair, trace }) => {
    const { socket } = await pair({ path: "/bare", addTrailingSlash: false });
    trace("url", socket.request.url.split("?")[0]);
    assert.ok(socket.request.url.startsWith("/bare?"));
  },
);

scenario("namespace: connect to one of our own", { modes: ALL }, async ({ io, pair, trace }) => {
  const seen = [];
  const chat = io.of("/chat", (socket) => seen.push(socket.nsp.name));
  assert.equal(io.of("chat"), chat, "the slash may be left out");
  const { socket, client } = await pair("/chat");
  assert.equal(socket.nsp, chat);
  assert.equal(client.id, socket.id);
  assert.equal(io.sockets.sockets.size, 0);
  trace("namespace", seen, chat.sockets.size, chat.name);
});

scenario(
  "namespace: the query is the handshake's own",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    io.of("/q");
    const { socket } = await pair("/q?a=b");
    trace("query", socket.nsp.name, socket.handshake.query.a);
    assert.equal(socket.handshake.query.a, "b");
  },
);

scenario("namespace: an unknown one is refused", { modes: ALL }, async ({ client, trace }) => {
  const [error] = await until(client("/nowhere"), "connect_error");
  assert.equal(error.message, "Invalid namespace");
  trace("error", error, error.data);
});

scenario(
  'namespace: "new_namespace" and order of events',
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    io.on("new_namespace", (namespace) => trace("server", "new_namespace", namespace.name));
    const of = io.of("/fresh");
    of.on("connect", () => trace("server", "connect"));
    of.on("connection", () => trace("server", "connection"));
    await pair("/fresh");
    io.of("/fresh");
  },
);

scenario(
  "namespace: several over one connection, one of them closed",
  { modes: ALL },
  async (stage) => {
    const { io, client, connected, trace } = stage;
    io.of("/a");
    io.of("/b");
    const root = await connected(client());
    const a = await connected(root.io.socket("/a"));
    const b = await connected(root.io.socket("/b"));
    const sides = [io.sockets, io.of("/a"), io.of("/b")].map((of) => [...of.sockets.values()][0]);
    assert.equal(sides[0].conn, sides[1].conn);
    assert.equal(sides[1].client, sides[2].client);
    assert.equal(new Set(sides.map(({ id }) => id)).size, 3, "an id for each");
    assert.equal(io.engine.clientsCount, 1);
    const gone = until(sides[1], "disconnect");
    a.disconnect();
    const [reason] = await gone;
    assert.equal(reason, "client namespace disconnect");
    assert.equal(sides[2].connected, true);
    sides[2].on("still", (reply) => reply("here"));
    trace(
      "after",
      await b.emitWithAck("still"),
      reason,
      io.of("/a").sockets.size,
      root.connected,
      b.connected,
    );
  },
);

scenario(
  "namespace: joined twice on one connection closes it",
  async ({ io, webSocket, trace }) => {
    const connection = once(io, "connection");
    const raw = await webSocket();
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    const disconnect = until(socket, "disconnect");
    raw.text("40");
    const [reason] = await disconnect;
    trace("server", reason);
    trace("wire", await raw.rest());
  },
);

scenario(
  "namespace: left and joined again",
  { modes: ALL },
  async ({ io, pair, connected, trace }) => {
    const { client, socket } = await pair();
    const gone = until(socket, "disconnect");
    const other = client.io.socket("/keep");
    io.of("/keep");
    await connected(other);
    client.disconnect();
    await gone;
    const again = once(io, "connection");
    client.connect();
    const [fresh] = await again;
    await connected(client);
    assert.notEqual(fresh.id, socket.id);
    assert.equal(fresh.conn, socket.conn);
    trace("ids", socket.id, fresh.id, client.id);
  },
);

scenario("namespace names with odd characters", async ({ io, webSocket, trace }) => {
  for (const name of ["/ünï", "/a/b/c", "/with space", "/{}", "/1"]) {
    io.of(name);
    const raw = await webSocket();
    await raw.next();
    const answer = await raw.join(`40${name},`);
    trace("wire", answer);
    assert.ok(answer.startsWith(`40${name},{"sid":"`), answer);
  }
});

scenario("a CONNECT with a query in the namespace name", async ({ io, webSocket, trace }) => {
  io.of("/a");
  const raw = await webSocket();
  await raw.next();
  const answer = await raw.join("40/a?x=1,");
  trace("wire", answer);
  assert.equal(answer, '44/a?x=1,{"message":"Invalid namespace"}');
});

scenario(
  "middleware: runs in order before the connection",
  { modes: ALL },
  async ({ io, pair, trace }) => {
    io.use((socket, next) => {
      trace("server", "first", socket.connected, [...socket.rooms]);
      socket.data.first = true;
      next();
    });
    io.use(async (socket, next) => {
      await turns(3);
      trace("server", "second", socket.data);
      socket.join("early");
      next();
    });
    io.on("connection", (socket) => trace("server", "connection", [...socket.rooms]));
    const { socket } = await pair();
    assert.deepEqual([...socket.rooms], ["early", socket.id]);
  },
);

scenario(
  "middleware: an error with data refuses the client",
  { modes: ALL },
  async ({ io, client, trace }) => {
    io.use((socket, next) => {
      socket.join("ghosts");
      const error = new Error("not you");
      error.data = { code: 42, why: ["because"] };
      next(error);
    });
    io.use(() => trace("server", "never reached"));
    io.on("connection", () => trace("server", "never connected"));
    const refused = client();
    const [error] = await until(refused, "connect_error");
    assert.equal(error.message, "not you");
    assert.deepEqual(error.data, { code: 42, why: ["because"] });
    assert.equal(refused.connected, false);
    assert.equal(io.sockets.adapter.rooms.size, 0, "its rooms are gone");
    assert.equal(io.sockets.sockets.size, 0);
    trace("client", error, error.data);
  },
);

scenario("middleware: an error without data; a string", async ({ io, webSocket, trace }) => {
  const errors = [new Error("plain"), "a string", Object.assign(new Error(""), { data: null })];
  io.use((socket, next) => next(errors.shift()));
  for (let i = 0; i < 3; i++) {
    const raw = await webSocket();
    await raw.next();
    trace("wire", await raw.join());
  }
});

scenario(
  "middleware: only of its own namespace",
  { modes: ["websocket"] },
  async ({ io, pair, client, trace }) => {
    io.of("/private").use((socket, next) => next(new Error("private")));
    await pair();
    const [error] = await until(client("/private"), "connect_error");
    trace("client", error);
    assert.equal(error.message, "private");
  },
);

scenario(
  "middleware: the client leaves while it waits",
  { modes: DIRECT },
  async ({ io, client, trace }) => {
    const waiting = deferred("middleware");
    io.use((socket, next) => waiting.resolve({ socket, next }));
    io.on("connection", () => trace("server", "never connected"));
    const leaving = client();
    const { socket, next } = await waiting.promise;
    const closed = until(socket.conn, "close");
    leaving.disconnect();
    await closed;
    next();
    await turns(5);
    assert.equal(io.sockets.sockets.size, 0);
    assert.equal(socket.connected, false);
  },
);

scenario(
  "connectTimeout: a silent client is closed",
  { options: { connectTimeout: 50 } },
  async ({ io, webSocket, trace }) => {
    const closed = once(io.engine, "connection").then(([conn]) => until(conn, "close"));
    const raw = await webSocket();
    await raw.next();
    trace("wire", await raw.rest());
    trace("reason", (await closed)[0]);
    assert.equal(io.engine.clientsCount, 0);
  },
);

scenario(
  "connectTimeout: over polling",
  { options: { connectTimeout: 1_000 } }, // a slow machine has to bring its poll within that
  async ({ io, polling, trace }) => {
    const closed = once(io.engine, "connection").then(([conn]) => until(conn, "close"));
    const session = await polling();
    const { status, body } = await session.get();
    trace("wire", status, body);
    trace("reason", (await closed)[0]);
  },
);

scenario("clientsCount and engine clients", { modes: ALL }, async ({ io, pair, trace }) => {
  assert.equal(io.engine.clientsCount, 0);
  const one = await pair();
  const two = await pair();
  assert.equal(io.engine.clientsCount, 2);
  trace("count", io.engine.clientsCount);
  const closed = [until(one.socket.conn, "close"), until(two.socket.conn, "close")];
  one.client.disconnect();
  two.client.disconnect();
  await Promise.all(closed);
  assert.equal(io.engine.clientsCount, 0);
});

scenario(
  'middlewares: what they put off to a promise comes before "connection"',
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    for (const name of ["/", "/other"]) {
      const nsp = io.of(name);
      nsp.use(async (socket, next) => {
        trace(name, "middleware");
        process.nextTick(() => trace(name, "tick"));
        next();
        await undefined;
        socket.data.user = "known";
        trace(name, "promise");
      });
      nsp.on("connection", (socket) => trace(name, "connection", { ...socket.data }));
      const { socket } = await pair(name);
      assert.deepEqual(socket.data, { user: "known" });
    }
  },
);
