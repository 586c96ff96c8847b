"use strict";

/**
 * Connections that are taken as they are accepted, before Node.js reads their requests, because those are for a WebSocket or
 * a polling session; and that everything else is left to Node.js, as it was.
 */

const assert = require("node:assert/strict");
const { channel } = require("node:diagnostics_channel");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");

const { EarlySocket } = require("./support/early-socket");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { PollingSession } = require("./support/raw-http");
const { OPCODE, RawWebSocket, frame } = require("./support/raw-websocket");
const { eventually, gather, turns, until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";
const TARGET = "/socket.io/?EIO=4&transport=websocket";
const POLLING = "/socket.io/?EIO=4&transport=polling";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** Whether Node.js is to accept the connections, and no worker. */
const BY_NODE = process.env.TEST_ACCEPTS_BY === "node";

/** Has Node.js accept the connections of a server from now on. */
async function leaveToNode(io) {
  await turns(2); // a worker begins to accept when the event loop has looked at the socket
  for (const listener of io.engine.workerListeners) listener.stop();
}

/** A server, and clients that are ahead of it, which end with the test. */
async function serve(t, options = {}, { implementation = ours, host = "127.0.0.1", create } = {}) {
  const { Server } = implementation.load();
  const httpServer = create ? create() : http.createServer((req, res) => res.end("app"));
  const io = new Server(httpServer, options);
  httpServer.listen(0, host);
  await until(httpServer, "listening");
  if (BY_NODE && implementation === ours) await leaveToNode(io);
  const { port } = httpServer.address();
  const open = [];
  t.after(async () => {
    for (const socket of open) socket.destroy();
    for (const socket of open) await socket.exited;
    await within(io.close(), "close");
  });
  const dial = async () => {
    const socket = await EarlySocket.prepare(port, host);
    open.push(socket);
    return socket;
  };
  /** A WebSocket whose request is there when it is accepted. */
  const ask = async (target = TARGET, request = {}) => {
    const raw = new RawWebSocket(await dial());
    raw.request(target, request);
    await within(raw.answered, "the answer");
    return raw;
  };
  /** A connection whose first request opens a session, and is there when it is accepted; and the answer to it. */
  const poll = async (target = POLLING, request = {}) => {
    const kept = new KeptConnection(await dial());
    return { kept, answer: await kept.ask(target, request) };
  };
  const taken = () => io.engine.acceptor.taken;
  return { io, httpServer, port, dial, ask, poll, taken };
}

/** The head of a request, byte for byte. */
function head(lines, target = TARGET, version = "1.1") {
  return `GET ${target} HTTP/${version}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

const PLAIN = [
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${KEY}`,
];

/** What a program can read of a request. */
function shown(socket) {
  const { request, handshake } = socket;
  const { method, url, httpVersion, rawHeaders, headers, complete, _query } = request;
  const { remoteAddress, encrypted } = request.socket;
  const { time, issued, ...rest } = handshake;
  assert.ok(time && issued && request.socket.remotePort > 0);
  return structuredClone({
    request: { method, url, httpVersion, rawHeaders, headers, complete, _query },
    socket: { remoteAddress, encrypted },
    handshake: rest,
    conn: [socket.conn.remoteAddress, socket.conn.transport.name, socket.conn.protocol],
  });
}

/** Joins "/" and asks for an echo. */
async function talk(io, raw) {
  assert.match(await raw.next(), /^0\{"sid":"[\w-]{20}","upgrades":\[\]/);
  const connection = until(io, "connection");
  assert.match(await raw.join(), /^40\{"sid":/);
  const [socket] = await connection;
  socket.on("x", (text, reply) => reply(`${text}!`));
  raw.text('421["x","é"]');
  assert.equal(await raw.next(), '431["é!"]');
  return socket;
}

for (const [name, options, headers] of [
  ["a plain request", {}, {}],
  ["a browser's request", {}, { Origin: "http://a", Cookie: "a=b", "X-É": "" }],
  ["cors", { cors: { origin: ["http://a", /b$/], credentials: true } }, { Origin: "http://a" }],
  ["cors for another origin", { cors: { origin: "http://b" } }, { Origin: "http://a" }],
  [
    "compression",
    { perMessageDeflate: true },
    { "Sec-WebSocket-Extensions": "permessage-deflate" },
  ],
  ["compression that is not wanted", { perMessageDeflate: true }, {}],
]) {
  test(`${name}: taken, and all looks as if Node.js had read it`, async (t) => {
    const sent = { ...headers };
    delete sent["X-É"]; // not to be written as a header's name
    const seen = [];
    for (const attach of [false, true]) {
      const server = await serve(t, options);
      if (attach) server.httpServer.on("connection", () => {}); // then Node.js has to make a socket
      const raw = await server.ask(`${TARGET}&a=b%20c`, { headers: sent, key: KEY });
      assert.equal(raw.status, 101);
      const socket = await talk(server.io, raw);
      assert.equal(server.taken(), attach ? 0 : 1);
      assert.equal(socket.conn.door, "takeover");
      seen.push({ headers: raw.headers, statusLine: raw.statusLine, ...shown(socket) });
    }
    assert.deepEqual(seen[0], seen[1]);
  });
}

for (const [name, options, headers] of [
  ["a plain request", {}, {}],
  ["a browser's request", {}, { Connection: "keep-alive", "Accept-Encoding": "gzip", Cookie: "a" }],
  ["cors", { cors: { origin: ["http://a", /b$/], credentials: true } }, { Origin: "http://a" }],
  ["a large answer", { initialPacket: "x".repeat(2_000) }, { "Accept-Encoding": "gzip" }],
]) {
  test(`${name} that opens a polling session: taken, and all looks as if Node.js had read it`, async (t) => {
    const seen = [];
    for (const attach of [false, true]) {
      const { io, httpServer, poll, taken } = await serve(t, options);
      if (attach) httpServer.on("connection", () => {}); // then Node.js has to make a socket
      const { kept, answer } = await poll(`${POLLING}&a=b%20c`, { headers });
      const { sid } = JSON.parse(answer.body.split("\x1e")[0].slice(1));
      assert.match(sid, /^[\w-]{20}$/);
      const url = `${POLLING}&sid=${sid}`;
      const connection = until(io, "connection");
      assert.equal((await kept.ask(url, { headers, body: "40" })).body, "ok");
      const [socket] = await connection;
      assert.match((await kept.ask(url, { headers })).body, /^40\{"sid"/);
      assert.equal(taken(), attach ? 0 : 1);
      assert.deepEqual([socket.conn.door, socket.conn.id], ["polling", sid]);
      const head = answer.head.replace(/^Date: .+$/m, "Date: …");
      const body = answer.body.replace(sid, "…");
      seen.push({ head, body, ...shown(socket) });
    }
    assert.deepEqual(seen[0], seen[1]);
  });
}

test("a polling session on several connections: each is taken", async (t) => {
  const { io, poll, taken } = await serve(t);
  const { kept, answer } = await poll();
  const url = `${POLLING}&sid=${JSON.parse(answer.body.slice(1)).sid}`;
  const connection = until(io, "connection");
  const join = await poll(url, { body: "40" });
  assert.equal(join.answer.body, "ok");
  const [socket] = await connection;
  const joined = await poll(url);
  assert.match(joined.answer.body, /^40\{"sid"/);
  const echo = until(socket, "x");
  assert.equal((await join.kept.ask(url, { body: '42["x",1]' })).body, "ok");
  assert.deepEqual(await echo, [1]);
  assert.deepEqual([taken(), io.engine.takeover.size], [3, 3]);
  // It is for Node.js once somebody wants to see the requests.
  socket.conn.on("packetCreate", () => {});
  socket.emit("y");
  assert.equal((await poll(url)).answer.body, '42["y"]');
  const gone = until(socket, "disconnect");
  assert.equal((await kept.ask(url, { body: "1" })).body, "ok");
  await gone;
});

test("a client of the library over polling: taken, and upgraded", async (t) => {
  const { io, port, taken } = await serve(t);
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const client = connect(`http://127.0.0.1:${port}`, { agent, forceNew: true });
  t.after(() => client.disconnect());
  const [socket] = await until(io, "connection");
  if (socket.conn.transport.name === "polling") await until(socket.conn, "upgrade");
  socket.on("x", (reply) => reply("y"));
  assert.equal(await client.emitWithAck("x"), "y");
  // The kernel waits for a second, and this machine may have stood still for longer.
  if (LINUX) await eventually(() => taken() > 0, "a connection that is taken");
});

test("spelling of headers is free, and frames may follow at once", async (t) => {
  const { io, dial, taken } = await serve(t);
  const lines = [
    "HOST:a",
    "connection: keep-alive, Upgrade",
    "upgrade:websocket",
    "SEC-WEBSOCKET-VERSION: 13  ",
    `sec-websocket-key:\t${KEY}`,
  ];
  const connection = until(io, "connection");
  const raw = new RawWebSocket(await dial());
  const join = frame(OPCODE.text, Buffer.from("40"));
  raw.socket.write(Buffer.concat([Buffer.from(head(lines)), join]));
  assert.match(await raw.next(), /^0/);
  assert.match(await raw.next(), /^40/);
  const [socket] = await connection;
  assert.equal(socket.handshake.headers.host, "a");
  assert.equal(taken(), 1);
});

test("IPv6", async (t) => {
  const { io, ask, taken } = await serve(t, {}, { host: "::1" });
  const socket = await talk(io, await ask());
  assert.equal(socket.handshake.address, "::1");
  assert.equal(taken(), 1);
});

test("a request may come after its connection, where the kernel waits for it", async (t) => {
  const { port, io, taken } = await serve(t);
  const connections = gather(io, "connection", 20);
  for (let i = 0; i < 20; i++) {
    const raw = await RawWebSocket.open(port, TARGET);
    await talk(io, raw);
    raw.destroy();
  }
  await connections;
  // The kernel waits for a second, and this machine may have stood still for longer.
  if (LINUX) assert.ok(taken() > 10, `${taken()} of 20`);
});

test("who listens to the HTTP server's connections hears of silent ones at once", async (t) => {
  const { httpServer, port, ask } = await serve(t);
  const connections = gather(httpServer, "connection", 2);
  const silent = net.connect(port, "127.0.0.1");
  await until(silent, "connect");
  await ask();
  const [first, second] = (await connections).map(([socket]) => socket.remotePort);
  const expected = [silent.localPort, false];
  silent.destroy();
  assert.deepEqual([first, second === first], expected);
});

test("a polling session is upgraded", async (t) => {
  const { io, port, ask, taken } = await serve(t);
  const session = await PollingSession.open(port);
  const connection = until(io, "connection");
  await session.join();
  const [socket] = await connection;
  const upgrade = until(socket.conn, "upgrade");
  const before = taken();
  const raw = await ask(`${TARGET}&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  raw.text("5");
  await upgrade;
  assert.equal(socket.conn.door, "takeover");
  assert.ok(taken() > before);
  socket.emit("x");
  assert.equal(await raw.next(), '42["x"]');
});

test("it counts as a connection of the HTTP server, which waits for it", async (t) => {
  const { io, httpServer, ask, taken } = await serve(t);
  const count = () => new Promise((resolve) => httpServer.getConnections((_, n) => resolve(n)));
  const raw = await ask();
  await talk(io, raw);
  await eventually(() => taken() === 1, "the news");
  assert.deepEqual([taken(), await count()], [1, 1]);
  let closed = false;
  const close = until(httpServer, "close");
  httpServer.close(() => (closed = true));
  raw.text('421["x",""]');
  assert.equal(await raw.next(), '431["!"]');
  assert.equal(closed, false);
  raw.destroy();
  await close;
  assert.equal(await count(), 0);
});

test("a server may listen again", async (t) => {
  const { io, httpServer, port, ask, taken } = await serve(t);
  const closed = until(httpServer, "close");
  httpServer.close();
  await closed;
  httpServer.listen(port, "127.0.0.1");
  await until(httpServer, "listening");
  await talk(io, await ask());
  assert.equal(taken(), 1);
});

test("it is attached to a server that listens already", async (t) => {
  const { Server } = ours.load();
  const httpServer = http.createServer().listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const io = new Server(httpServer);
  const raw = new RawWebSocket(await EarlySocket.prepare(httpServer.address().port));
  t.after(async () => {
    raw.destroy();
    await within(io.close(), "close");
  });
  raw.request(TARGET);
  await talk(io, raw);
  assert.equal(io.engine.acceptor.taken, 1);
});

test("attached to a server that listens already, the kernel waits for the request, too", async (t) => {
  const io = new (ours.load().Server)(0);
  t.after(() => within(io.close(), "close"));
  const { httpServer, engine } = io;
  if (!httpServer.listening) await until(httpServer, "listening");
  for (let i = 0; i < 20; i++) {
    const raw = await RawWebSocket.open(httpServer.address().port, TARGET);
    await talk(io, raw);
    raw.destroy();
  }
  if (LINUX) assert.ok(engine.acceptor.taken > 10, `${engine.acceptor.taken} of 20`);
});

test("several engines on one HTTP server: each takes what is its own", async (t) => {
  const transports = ["polling"]; // an "upgrade" listener of another engine would be in the way
  const { io, httpServer, poll, taken } = await serve(t, { transports });
  const { Server } = ours.load();
  const other = new Server(httpServer, { transports, path: "/other" });
  t.after(() => within(other.close(), "close"));
  await poll();
  await poll("/other/?EIO=4&transport=polling");
  await eventually(() => taken() + other.engine.acceptor.taken === 2, "the news");
  assert.deepEqual([taken(), other.engine.acceptor.taken], [1, 1]);
  await eventually(() => other.engine.clientsCount === 1, "the session");
  assert.equal(io.engine.clientsCount, 1);
  const closed = until(httpServer, "close");
  httpServer.close();
  await closed;
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const again = new KeptConnection(await EarlySocket.prepare(httpServer.address().port));
  t.after(() => again.destroy());
  await again.ask(POLLING);
  await eventually(() => taken() === 2, "the news");
});

test("a polling connection counts, and ends with the HTTP server", async (t) => {
  const { httpServer, poll, taken } = await serve(t);
  const count = () => new Promise((resolve) => httpServer.getConnections((_, n) => resolve(n)));
  const { kept } = await poll();
  await eventually(() => taken() === 1, "the news");
  assert.deepEqual([taken(), await count()], [1, 1]);
  const close = until(httpServer, "close");
  httpServer.close(); // closes it, as it is idle
  await close;
  await eventually(() => kept.ended, "the end of the connection");
  assert.equal(await count(), 0);
});

test("what has been taken leaves nothing behind", async (t) => {
  const { io, ask, poll, taken } = await serve(t);
  const descriptors = () => fs.readdirSync("/proc/self/fd").length;
  const visit = async () => {
    const raw = await ask();
    await talk(io, raw);
    raw.destroy();
    await raw.socket.exited;
    const { kept, answer } = await poll();
    const { sid } = JSON.parse(answer.body.slice(1));
    await kept.ask(`${POLLING}&sid=${sid}`, { body: "1" });
    kept.destroy();
    await kept.socket.exited;
    const isOver = () => io.engine.clientsCount + io.engine.takeover.size === 0;
    await eventually(isOver, "the end of the sessions");
  };
  if (!fs.existsSync("/proc/self/fd")) return t.skip("no /proc");
  for (let n = 0; n < 3; n++) await visit();
  const before = descriptors();
  for (let n = 0; n < 10; n++) await visit();
  assert.equal(taken(), 26);
  // the process may open one for itself meanwhile; ten visits would leave ten
  await eventually(() => descriptors() < before + 5, "the descriptors to be closed");
});

/** Reasons to let Node.js read the requests, each with what a program then gets to see. */
const WATCHED = {
  "an engine middleware": (io, see) => io.engine.use((req, res, next) => next(see(req.url))),
  generateId(io, see) {
    io.engine.generateId = (req) => {
      see(req.url);
      return "x".repeat(20);
    };
  },
  '"connection" of the engine': (io, see) => io.engine.on("connection", (c) => see(c.request.url)),
  '"headers" of the engine': (io, see) => io.engine.on("headers", (_, req) => see(req.url)),
  '"connection" of the HTTP server': (io, see) => io.httpServer.on("connection", () => see(TARGET)),
  '"upgrade" of the HTTP server': (io, see) => io.httpServer.on("upgrade", (req) => see(req.url)),
  "emit of the HTTP server": (io, see) => {
    const { emit } = io.httpServer;
    io.httpServer.emit = function (name, ...args) {
      if (name === "upgrade") see(args[0].url);
      return emit.call(this, name, ...args);
    };
  },
};

for (const [name, watch] of Object.entries(WATCHED)) {
  test(`${name}: Node.js reads the request, also when that is asked for late`, async (t) => {
    const { io, ask, taken } = await serve(t);
    assert.match(await (await ask()).next(), /^0/);
    // a worker has greeted the client: JavaScript has heard of it, too, before somebody begins to watch
    await eventually(() => io.engine.clientsCount === 1, "the first session");
    assert.equal(taken(), 1);
    const seen = [];
    watch(io, (url) => void seen.push(url));
    const raw = await ask();
    assert.equal(raw.status, 101);
    assert.match(await raw.next(), /^0/);
    await eventually(() => seen.length > 0, "the request");
    assert.deepEqual(seen, [TARGET]);
    assert.equal(taken(), 1);
  });
}

test("allowRequest: Node.js reads the request", async (t) => {
  const { ask, taken } = await serve(t, { allowRequest: (req, done) => done("no", false) });
  assert.equal((await ask()).status, 400);
  assert.equal(taken(), 0);
});

/** Options with which an answer to a handshake has something that no other answer has. */
for (const [name, settings, create] of [
  ["a cookie", { cookie: true }],
  ["a response of another class", {}, () => http.createServer({ ServerResponse: OtherResponse })],
  ["no polling", { transports: ["websocket"] }],
]) {
  test(`${name}: Node.js reads the request for a polling session`, async (t) => {
    const { poll, ask, taken } = await serve(t, settings, { create });
    const { answer } = await poll();
    assert.match(answer.head, name === "no polling" ? /^HTTP\/1.1 400/ : /^HTTP\/1.1 200/);
    assert.equal(taken(), 0);
    await ask();
    await eventually(() => taken() === 1, "the news");
  });
}

test("a request of another class: Node.js makes it", async (t) => {
  class OtherRequest extends http.IncomingMessage {}
  const create = () => http.createServer({ IncomingMessage: OtherRequest });
  const { ask, poll, taken } = await serve(t, {}, { create });
  assert.equal((await ask()).status, 101);
  assert.match((await poll()).answer.body, /^0/);
  assert.equal(taken(), 0);
});

test("a subscriber of http.server.response.finish is shown the responses", async (t) => {
  const { httpServer, poll, taken } = await serve(t);
  const seen = [];
  const see = ({ server, request }) => server === httpServer && seen.push(request.url);
  channel("http.server.response.finish").subscribe(see);
  t.after(() => channel("http.server.response.finish").unsubscribe(see));
  await poll();
  await eventually(() => seen.length > 0, "the response");
  assert.deepEqual([seen, taken()], [[POLLING], 0]);
});

class OtherResponse extends http.ServerResponse {}

test("maxConnections: Node.js drops the connection", async (t) => {
  const { io, httpServer, dial, ask, taken } = await serve(t);
  await talk(io, await ask());
  httpServer.maxConnections = 1;
  const dropped = until(httpServer, "drop");
  const socket = await dial();
  socket.on("error", () => {});
  socket.write(head(PLAIN));
  await dropped;
  await eventually(() => taken() === 1, "the news");
});

test("no descriptor is free: Node.js has one", async (t) => {
  const { io, ask, taken } = await serve(t);
  await leaveToNode(io);
  const { native } = io.engine.border();
  const takeOver = t.mock.method(native, "takeOverPeeked", () => {
    throw new Error("EMFILE");
  });
  await talk(io, await ask());
  assert.deepEqual([takeOver.mock.callCount(), taken()], [1, 0]);
});

test("no descriptor is free for a polling connection: Node.js has one", async (t) => {
  const { io, httpServer, poll, taken } = await serve(t);
  await leaveToNode(io);
  const { native } = io.engine.border();
  const open = t.mock.method(native, "takeOverHttpPeeked", () => {
    throw new Error("EMFILE");
  });
  const { answer } = await poll();
  assert.match(answer.body, /^0\{"sid"/);
  assert.deepEqual([open.mock.callCount(), taken()], [1, 0]);
  const count = await new Promise((resolve) => httpServer.getConnections((_, n) => resolve(n)));
  assert.equal(count, 1);
});

test("no descriptor is free for a WebSocket that Node.js has read: it is lost, and counts no more", async (t) => {
  const { io, httpServer, ask, taken } = await serve(t);
  const { native } = io.engine.border();
  io.engine.on("initial_headers", () => {}); // has Node.js read it
  t.mock.method(native, "takeOver", () => {
    throw new Error("EMFILE");
  });
  const raw = await ask();
  assert.equal(raw.status, undefined);
  await eventually(() => raw.ended, "the end of the connection");
  t.mock.restoreAll();
  assert.equal(taken(), 0);
  const count = () => new Promise((resolve) => httpServer.getConnections((_, n) => resolve(n)));
  assert.equal(await count(), 0);
  await talk(io, await ask());
  assert.equal(await count(), 1);
});

test("a subscriber of net.server.socket is shown the socket", async (t) => {
  const { io, ask, taken } = await serve(t);
  const sockets = [];
  const see = ({ socket }) => sockets.push(socket);
  channel("net.server.socket").subscribe(see);
  t.after(() => channel("net.server.socket").unsubscribe(see));
  await talk(io, await ask());
  assert.deepEqual([sockets.length, taken()], [1, 0]);
});

/** What is there when the server accepts, if it is not a plain request; the status of the answer. */
const NOT_PLAIN = {
  "another path": [head(PLAIN.slice(0, 1), "/app"), 200],
  JSONP: [head(PLAIN.slice(0, 1), `${POLLING}&j=0`), 200],
  "a polling request of protocol 3": [head(PLAIN.slice(0, 1), POLLING.replace("4", "3")), 400],
  "a polling request of HTTP/1.0 and keep-alive": [
    head(["Host: a", "Connection: keep-alive"], POLLING, "1.0"),
    200,
  ],
  "two polling requests": [head(PLAIN.slice(0, 1), POLLING).repeat(2), 200],
  "a polling request for an unknown session": [head(PLAIN.slice(0, 1), `${POLLING}&sid=x`), 400],
  "HTTP/1.0": [head(PLAIN, TARGET, "1.0"), 101],
  "no Host": [head(PLAIN.slice(1)), 101],
  "a wrong key": [head([...PLAIN.slice(0, 4), "Sec-WebSocket-Key: x"]), 400],
  "another version": [head([...PLAIN, "Sec-WebSocket-Version: 12"]), 400],
  "a head of 17 KiB": [head([...PLAIN, `X: ${"x".repeat(17 * 1024)}`]), 431],
  "no HTTP": ["\x16\x03\x01\r\n\r\n", 400],
  "an unknown session": [head(PLAIN, `${TARGET}&sid=x`), 400],
  "bytes as base64": [head(PLAIN, `${TARGET}&b64=1`), 101],
};

for (const implementation of selected()) {
  for (const [name, [bytes, status]] of Object.entries(NOT_PLAIN)) {
    test(`${implementation.name}: ${name} is for Node.js`, async (t) => {
      const { dial, io } = await serve(t, {}, { implementation });
      const raw = new RawWebSocket(await dial());
      raw.socket.write(bytes);
      await within(raw.answered, "the answer");
      assert.equal(raw.status, status);
      if (status === 101) assert.match(await raw.next(), /^0/);
      if (implementation === ours) assert.equal(io.engine.acceptor.taken, 0);
    });
  }

  for (const size of [1, 20, 100]) {
    test(`${implementation.name}: a request in pieces of ${size} bytes is for Node.js`, async (t) => {
      const { io, dial } = await serve(t, {}, { implementation });
      const raw = new RawWebSocket(await dial());
      const bytes = head(PLAIN);
      const accepted = until(io.httpServer, "connection");
      raw.socket.write(bytes.slice(0, size));
      await accepted;
      for (let at = size; at < bytes.length; at += size)
        raw.socket.write(bytes.slice(at, at + size));
      assert.match(await raw.next(), /^0/);
    });
  }
}
