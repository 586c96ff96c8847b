"use strict";

/**
 * Which way each kind of connection takes: its door, and how many of its requests Node.js reads before a worker has it. A short
 * way that is silently off, on a new version of Node.js or after a change of ours, fails here.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const tls = require("node:tls");
const { test } = require("node:test");

// Counted below the methods of the engine, and so before it is loaded: where they are replaced, no short way is taken.
const requests = require("../lib/engine/requests");
let read = 0;
for (const name of ["handleRequest", "handleUpgrade"]) {
  const handle = requests[name];
  requests[name] = (...args) => {
    read++;
    handle(...args);
  };
}

const { Server } = require("..");
const { EarlySocket } = require("./support/early-socket");
const { KeptConnection } = require("./support/kept-connection");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CREDENTIALS = { key: fixture("key.pem"), cert: fixture("cert.pem") };

const app = (req, res) => res.end("app");

/** A server that counts the requests for us which Node.js reads, and ways to connect to it. */
async function serve(t, { options = {}, secure = false, prepare } = {}) {
  const before = read;
  const httpServer = secure ? https.createServer(CREDENTIALS, app) : http.createServer(app);
  const io = new Server(httpServer, options);
  prepare?.(io, httpServer);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const open = [];
  t.after(async () => {
    for (const socket of open) socket.destroy();
    for (const socket of open) await socket.exited;
    await within(io.close(), "close");
  });
  /** A client whose first bytes are there when the connection is accepted. */
  const dial = async () => {
    const socket = secure
      ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false })
      : await EarlySocket.prepare(port);
    open.push(socket);
    return socket;
  };
  return {
    io,
    dial,
    poll: async () => new KeptConnection(await dial()),
    /** Requests that Node.js has read. */
    reads: () => read - before,
    /** Connections that polling requests come by, with workers. */
    held: () => io.engine.takeover.size,
  };
}

/** A WebSocket: [requests that Node.js has read, the door]. */
async function openWebSocket({ io, dial, reads }, pieces = false) {
  const connection = until(io, "connection");
  const socket = await dial();
  const raw = new RawWebSocket(socket);
  if (pieces) {
    const lines = Object.entries({ Host: "a", ...UPGRADE }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const accepted = until(io.httpServer, "connection");
    raw.socket.write("G");
    await accepted;
    raw.socket.write(`ET ${WEBSOCKET} HTTP/1.1\r\n${lines.join("")}\r\n`);
  } else raw.request(WEBSOCKET);
  await within(raw.answered, "the answer");
  await raw.next();
  await raw.join();
  const [{ conn }] = await connection;
  return [reads(), conn.door];
}

/** A session by polling; after each request, how many Node.js has read of them, and at last the door and who holds it. */
async function openPolling({ io, reads, held }, kept, moves = true) {
  const settled = () =>
    moves ? eventually(() => held() === 1, "the connection to be with a worker") : turns(3);
  const connection = until(io, "connection");
  const { sid } = JSON.parse((await kept.ask(POLLING)).body.slice(1));
  const url = `${POLLING}&sid=${sid}`;
  const counts = [reads()];
  await settled();
  await kept.ask(url, { body: "40" });
  const [socket] = await connection;
  counts.push(reads());
  await settled();
  await kept.ask(url);
  counts.push(reads());
  return { counts, held: held(), url, conn: socket.conn };
}

const LINUX = process.platform === "linux";
const POSIX = { skip: process.platform === "win32" && "there are no descriptors to be taken" };

test(
  "WebSocket, its request there when it is accepted: no request is read by Node.js",
  POSIX,
  async (t) => {
    assert.deepEqual(await openWebSocket(await serve(t)), [0, "takeover"]);
  },
);

test("WebSocket, its request in pieces: read by Node.js, then taken over", POSIX, async (t) => {
  // a listener for "connection" has Node.js accept, too
  const server = await serve(t);
  assert.deepEqual(await openWebSocket(server, true), [1, "takeover"]);
});

test(
  "polling, its request there when it is accepted: no request is read by Node.js",
  POSIX,
  async (t) => {
    const server = await serve(t);
    const { counts, held, conn } = await openPolling(server, await server.poll());
    assert.deepEqual([counts, held, conn.door], [[0, 0, 0], 1, "polling"]);
  },
);

test(
  "polling behind a request for another path: the first is read by Node.js, the others are not",
  POSIX,
  async (t) => {
    const server = await serve(t);
    const kept = await server.poll();
    assert.equal((await kept.ask("/app")).body, "app");
    const { counts, held, conn } = await openPolling(server, kept);
    assert.deepEqual([counts, held, conn.door], [[1, 1, 1], 1, "polling"]);
    // and again, when it has been given back
    assert.equal((await kept.ask("/app")).body, "app");
    assert.equal(server.held(), 0);
    await kept.ask(`${POLLING}&sid=${conn.id}`, { body: "42[1]" });
    await eventually(() => server.held() === 1, "the connection to be with a worker");
    await kept.ask(`${POLLING}&sid=${conn.id}`, { body: "42[1]" });
    assert.equal(server.reads(), 2);
  },
);

for (const own of [false, true]) {
  const name = own ? "a connection of its own" : "the connection of its polling requests";
  test(`an upgrade by ${name}`, POSIX, async (t) => {
    const server = await serve(t);
    const kept = await server.poll();
    const { url, conn } = await openPolling(server, kept);
    const wire = own ? await server.poll() : kept;
    wire.send(url.replace("polling", "websocket"), { headers: UPGRADE });
    assert.match((await wire.answer()).head, /^HTTP\/1\.1 101 /);
    const upgraded = until(conn, "upgrade");
    wire.write(Buffer.from([0x81, 0x86, 0, 0, 0, 0, ...Buffer.from("2probe")]));
    await eventually(() => wire.bytes.includes("3probe"), "the answer to the probe");
    wire.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, ...Buffer.from("5")]));
    await upgraded;
    assert.deepEqual([server.reads(), conn.door], [own || LINUX ? 0 : 1, "takeover"]);
  });
}

test("TLS: Node.js reads all, and pumps the bytes of a WebSocket", async (t) => {
  const server = await serve(t, { secure: true });
  assert.deepEqual(await openWebSocket(server), [1, "bridge"]);
  const { counts, held, conn } = await openPolling(server, await server.poll(), false);
  assert.deepEqual([counts, held, conn.door], [[2, 3, 4], 0, "polling"]);
});

/** What has Node.js read requests: those of a WebSocket, and those of a polling session with three. */
const LOOKS = {
  'a "connection" listener of the HTTP server': {
    prepare: (io, httpServer) => httpServer.on("connection", () => {}),
    webSocket: 1,
    polling: [1, 1, 1],
  },
  'a "request" listener': {
    prepare: (io, httpServer) => httpServer.on("request", () => {}),
    webSocket: 1,
    polling: [1, 2, 3],
  },
  'an "upgrade" listener': {
    prepare: (io, httpServer) => httpServer.on("upgrade", () => {}),
    webSocket: 1,
    polling: [1, 1, 1],
  },
  "a middleware of the engine": {
    prepare: (io) => io.engine.use((req, res, next) => next()),
    webSocket: 1,
    polling: [1, 2, 3],
  },
  '"headers" listeners': {
    prepare: (io) => io.engine.on("headers", () => {}),
    webSocket: 1,
    polling: [1, 2, 3],
  },
  '"initial_headers" listeners': {
    prepare: (io) => io.engine.on("initial_headers", () => {}),
    webSocket: 1,
    polling: [1, 1, 1],
  },
  "cors with a function": {
    options: { cors: { origin: (origin, done) => done(null, true) } },
    webSocket: 1,
    polling: [1, 2, 3],
  },
  "cors that is the same for all": {
    options: { cors: { origin: ["http://a.example"] } },
    webSocket: 0,
    polling: [0, 0, 0],
  },
  allowRequest: {
    options: { allowRequest: (req, done) => done(null, true) },
    webSocket: 1,
    polling: [1, 1, 1],
  },
  "a cookie": { options: { cookie: true }, webSocket: 0, polling: [1, 1, 1] },
};

for (const [name, { webSocket, polling, ...settings }] of Object.entries(LOOKS)) {
  test(`${name}: requests that Node.js reads`, POSIX, async (t) => {
    const server = await serve(t, settings);
    assert.deepEqual(await openWebSocket(server), [webSocket, "takeover"]);
    const moves = polling[2] < 3;
    const { counts, held, conn } = await openPolling(server, await server.poll(), moves);
    assert.deepEqual(
      [counts.map((count) => count - webSocket), held, conn.door],
      [polling, moves ? 1 : 0, "polling"],
    );
  });
}
