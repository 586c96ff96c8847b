"use strict";

/** Clients that may send no more for now (`limits.events`), and what else happens to them meanwhile: nothing of them may stay. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const tls = require("node:tls");
const { test } = require("node:test");

const { Server } = require("..");
const { KeptConnection } = require("./support/kept-connection");
const { RawWebSocket } = require("./support/raw-websocket");
const { deferred, eventually, turns, until, within } = require("./support/waiting");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CREDENTIALS = { key: fixture("key.pem"), cert: fixture("cert.pem") };
const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
/** So slow that none comes back while a test runs. */
const NEVER = 1e-6;
const CONNECT = 1; // what a client sends before its events counts, too
const SOON = { pingInterval: 30, pingTimeout: 30 };

/** Who reads the requests. */
const READERS = {
  "a worker": undefined,
  "Node.js": (io) => io.engine.use((_req, _res, next) => next()),
};

async function serve(t, { rate = NEVER, burst = CONNECT + 3, prepare, secure, ...options } = {}) {
  const httpServer = secure ? https.createServer(CREDENTIALS) : http.createServer();
  const limits = { events: { perClient: { rate, burst }, action: "pause" } };
  const io = new Server(httpServer, { limits, ...options });
  prepare?.(io);
  const got = [];
  const ends = [];
  io.on("connection", (socket) => {
    socket.onAny((...args) => got.push(args));
    socket.on("disconnect", (reason, details) => ends.push([reason, details]));
  });
  const open = [];
  t.after(async () => {
    for (const one of open) one.destroy();
    await within(io.close(), "the server to close");
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const keep = (one) => (open.push(one), one);
  const connections = () =>
    new Promise((resolve) => httpServer.getConnections((_error, count) => resolve(count)));

  /** A client that polls, and is in "/". */
  const poll = async (query = "") => {
    const connection = keep(await KeptConnection.open(port));
    const opened = await connection.ask(POLLING + query);
    const { sid } = JSON.parse(/\{.*\}/.exec(opened.body.replaceAll("\\", ""))[0]);
    const target = `${POLLING}${query}&sid=${sid}`;
    const body = query === "" ? "40" : "d=40";
    const connected = until(io, "connection");
    const headers = query === "" ? {} : { "Content-Type": "application/x-www-form-urlencoded" };
    assert.equal((await connection.ask(target, { body, headers })).body, "ok");
    const [socket] = await connected;
    await connection.ask(target); // the answer to the CONNECT
    const post = async (payload) => {
      const posting = keep(await KeptConnection.open(port));
      posting.send(target, { body: payload, headers });
      return posting;
    };
    return { connection, post, sid, socket, target };
  };

  /** A client by a WebSocket, which is in "/". */
  const join = async () => {
    const tcp = net.connect(port, "127.0.0.1");
    const stream = secure ? tls.connect({ socket: tcp, rejectUnauthorized: false }) : tcp;
    const raw = Object.assign(new RawWebSocket(stream), { tcp });
    raw.request(WEBSOCKET);
    await within(raw.answered, "the upgrade");
    keep(raw);
    await raw.next();
    const connected = until(io, "connection");
    assert.match(await raw.join(), /^40/);
    const [socket] = await connected;
    return { raw, socket };
  };
  return { connections, ends, got, io, join, keep, poll, port };
}

const event = (n) => `42["n",${n}]`;
const events = (count) => Array.from({ length: count }, (_, n) => event(n)).join("\x1e");
const numbers = (got) => got.map(([, n]) => n);
const first = (count) => Array.from({ length: count }, (_, n) => n);

for (const [reader, prepare] of Object.entries(READERS)) {
  for (const how of ["destroy", "end"])
    test(`who goes while its POST waits is gone, by ${how}: read by ${reader}`, async (t) => {
      const { connections, ends, got, io, poll } = await serve(t, { prepare });
      const { connection, post } = await poll();
      const posting = await post(events(10));
      await eventually(() => got.length === 3, "what may come");
      posting.socket[how]();
      await eventually(() => ends.length === 1, "the end of the socket");
      assert.equal(ends[0][0], "transport error");
      connection.destroy();
      await eventually(async () => (await connections()) === 0, "the end of the connections");
      assert.equal(io.engine.clientsCount, 0);
      assert.deepEqual(numbers(got), first(3));
    });

  for (const polls of [true, false])
    test(`a POST that waits is answered when the program ends its client, which polls: ${polls}; read by ${reader}`, async (t) => {
      const { ends, got, io, poll } = await serve(t, { prepare, ...SOON });
      const { connection, post, socket, target } = await poll();
      if (polls) connection.send(target);
      const posting = await post(events(10));
      await eventually(() => got.length === 3, "what may come");
      socket.disconnect(true);
      assert.equal((await posting.answer()).body, "ok");
      // A client that polls no more is not waited for, as if it had not been paused.
      await eventually(() => io.engine.clientsCount === 0, "the end of the session");
      assert.deepEqual(ends, [["server namespace disconnect", undefined]]);
      await turns(5);
      assert.deepEqual(numbers(got), first(3));
    });

  test(`a session is not kept for what it has not sent: read by ${reader}`, async (t) => {
    const { ends, got, poll } = await serve(t, { prepare, ...SOON });
    const { post } = await poll();
    const posting = await post(events(3));
    assert.equal((await posting.answer()).body, "ok");
    await eventually(() => ends.length === 1, "the end of the socket");
    assert.equal(ends[0][0], "ping timeout");
    assert.deepEqual(numbers(got), first(3));
  });

  test(`a client that upgrades while its POST waits gets the answer, and what is left comes first: read by ${reader}`, async (t) => {
    const { ends, got, keep, poll, port } = await serve(t, {
      prepare,
      rate: 10,
      upgradeTimeout: 300, // the rest takes longer
    });
    const { connection, post, sid, target } = await poll();
    const posting = await post(events(10));
    connection.send(target);
    const raw = keep(await RawWebSocket.open(port, `${WEBSOCKET}&sid=${sid}`));
    raw.text("2probe");
    assert.equal(await raw.next(), "3probe");
    assert.equal((await posting.answer()).body, "ok");
    assert.equal((await connection.answer()).body, "6");
    raw.text("5");
    for (let n = 10; n < 20; n++) raw.text(event(n));
    await eventually(() => got.length === 20, "all of them");
    assert.deepEqual(numbers(got), first(20));
    assert.deepEqual(ends, []);
  });

  test(`who has been answered, and then has no connection, is timed out: read by ${reader}`, async (t) => {
    const { ends, got, keep, poll, port } = await serve(t, {
      prepare,
      pingInterval: 700,
      pingTimeout: 700,
    });
    const { connection, post, sid } = await poll();
    const raw = keep(await RawWebSocket.open(port, `${WEBSOCKET}&sid=${sid}`));
    raw.text("2probe");
    assert.equal(await raw.next(), "3probe");
    const posting = await post(events(10));
    assert.equal((await posting.answer()).body, "ok");
    for (const one of [raw, connection, posting]) one.destroy();
    await eventually(() => ends.length === 1, "the end of the socket");
    assert.equal(ends[0][0], "ping timeout");
    assert.deepEqual(numbers(got), first(3));
  });

  test(`nobody sends more than he may by an upgrade: read by ${reader}`, async (t) => {
    const { got, keep, poll, port } = await serve(t, { prepare });
    const { post, sid } = await poll();
    // One that has begun, and one that has not.
    const posting = await post(events(50));
    await eventually(() => got.length === 3, "what may come");
    const raw = keep(await RawWebSocket.open(port, `${WEBSOCKET}&sid=${sid}`));
    raw.text("2probe");
    assert.equal(await raw.next(), "3probe");
    assert.equal((await posting.answer()).body, "ok");
    const other = await post(events(50));
    assert.equal((await other.answer()).body, "ok");
    raw.text("5");
    for (let n = 10; n < 20; n++) raw.text(event(n));
    await turns(5);
    assert.deepEqual(numbers(got), first(3));
  });

  test(`a POST of which nothing may be taken is not lost by an upgrade: read by ${reader}`, async (t) => {
    const { got, keep, poll, port } = await serve(t, { prepare, rate: 20 });
    const { post, sid } = await poll();
    const before = await post(events(3));
    assert.equal((await before.answer()).body, "ok");
    const posting = await post([event(3), event(4)].join("\x1e"));
    const raw = keep(await RawWebSocket.open(port, `${WEBSOCKET}&sid=${sid}`));
    raw.text("5"); // without a probe, as it is allowed
    assert.equal((await posting.answer()).body, "ok");
    raw.text(event(5));
    await eventually(() => got.length === 6, "all of them");
    assert.deepEqual(numbers(got), first(6));
  });

  test(`a form waits, too: read by ${reader}`, async (t) => {
    const { got, poll } = await serve(t, { prepare, rate: 100 });
    const { post } = await poll("&j=0");
    const payload = [
      event(0),
      event(1),
      event(2),
      event(3),
      `42${JSON.stringify(["n", 4, "\n\\n"])}`,
    ];
    // as its clients write it
    const body = `d=${encodeURIComponent(payload.join("\x1e").replaceAll("\\n", "\\\\n"))}`;
    const posting = await post(body);
    assert.equal((await posting.answer()).body, "ok");
    await eventually(() => got.length === 5, "all of them");
    assert.deepEqual(numbers(got), first(5));
    assert.equal(got[4][2], "\n\\n");
  });
}

test("who joins no namespace is not kept for what it sends besides", async (t) => {
  const { got, io, keep, port } = await serve(t, { rate: 20, burst: 2, connectTimeout: 100 });
  const raw = keep(await RawWebSocket.open(port, WEBSOCKET));
  await raw.next(); // its session
  for (let n = 0; n < 2000; n++) raw.text("40/nowhere,"); // for a hundred seconds
  await eventually(() => io.engine.clientsCount === 0, "the end of the session");
  assert.deepEqual(got, []);
});

test("a real client upgrades while its events wait for longer than it may be silent", async (t) => {
  const { ends, got, io, port } = await serve(t, {
    rate: 4,
    upgradeTimeout: 500,
    pingInterval: 700,
    pingTimeout: 700,
  });
  const { Manager } = require("socket.io-client");
  const manager = new Manager(`http://127.0.0.1:${port}`, {
    autoConnect: false,
    reconnection: false,
  });
  const client = manager.socket("/");
  t.after(() => client.disconnect());
  const gone = [];
  client.on("disconnect", (reason) => gone.push(reason));
  for (let n = 0; n < 12; n++) client.emit("n", n);
  client.connect();
  await until(io, "connection");
  await eventually(() => got.length === 12, "all of them");
  assert.deepEqual(numbers(got), first(12));
  assert.deepEqual([ends, gone], [[], []]);
  assert.equal(manager.engine.transport.name, "websocket");
});

/** The ways by which a worker reads a WebSocket. */
const WIRES = {
  TCP: {},
  ...(process.platform === "linux" && { "TLS of a worker": { secure: true, tls: "native" } }),
};

for (const [wire, options] of Object.entries(WIRES)) {
  test(`a WebSocket that breaks while its client waits is noticed at once: ${wire}`, async (t) => {
    const { connections, ends, got, io, join } = await serve(t, options);
    for (let n = 0; n < 5; n++) {
      const { raw } = await join();
      for (let i = 0; i < 10; i++) raw.text(event(i));
      await eventually(() => got.length === 3, "what may come");
      raw.tcp.resetAndDestroy();
      await eventually(() => ends.length === 1, "the end of the socket");
      assert.match(ends[0][0], /^transport/);
      ends.length = got.length = 0;
    }
    assert.equal(io.engine.clientsCount, 0);
    await eventually(async () => (await connections()) === 0, "the end of the connections");
  });

  test(`who has ended its half is not heard for as long as there is something: ${wire}`, async (t) => {
    const { ends, got, join } = await serve(t, { ...options, ...SOON, rate: 50 });
    const { raw } = await join();
    for (let i = 0; i < 1000; i++) raw.text(event(i));
    raw.socket.end();
    await eventually(() => ends.length === 1, "the end of the socket");
    assert.ok(got.length < 1000, "all of it has been taken");
    assert.deepEqual(numbers(got), first(got.length));
  });
}

for (const [wire, options] of Object.entries({ ...WIRES, "TLS of Node.js": { secure: true } })) {
  test(`who has ended its half while it waits stays no longer than who is silent: ${wire}`, async (t) => {
    const { connections, ends, got, join } = await serve(t, { ...options, ...SOON });
    const { raw } = await join();
    for (let i = 0; i < 10; i++) raw.text(event(i));
    await eventually(() => got.length === 3, "what may come");
    raw.socket.end();
    await eventually(() => ends.length === 1, "the end of the socket");
    raw.destroy();
    await eventually(async () => (await connections()) === 0, "the end of the connections");
    assert.deepEqual(numbers(got), first(3));
  });

  test(`who has ended its half is heard to its end if that comes soon enough: ${wire}`, async (t) => {
    const { ends, got, join } = await serve(t, { ...options, rate: 100 });
    const { raw } = await join();
    for (let i = 0; i < 20; i++) raw.text(event(i));
    raw.socket.end();
    await eventually(() => ends.length === 1, "the end of the socket");
    assert.deepEqual(numbers(got), first(20));
    assert.equal(ends[0][0], "transport close");
  });

  test(`a client that waits is let go by its program: ${wire}`, async (t) => {
    const { connections, ends, got, io, join } = await serve(t, options);
    const { raw, socket } = await join();
    for (let i = 0; i < 10; i++) raw.text(event(i));
    await eventually(() => got.length === 3, "what may come");
    socket.disconnect(true);
    const packets = await raw.rest();
    assert.equal(packets[0], "41");
    assert.equal(packets.at(-1).close, null);
    await eventually(async () => (await connections()) === 0, "the end of the connections");
    assert.deepEqual(ends, [["server namespace disconnect", undefined]]);
    assert.equal(io.engine.clientsCount, 0);
    assert.deepEqual(numbers(got), first(3));
  });
}

/** A WebTransport session that lives in memory; its packets are short. */
function transportSession(engine) {
  const [up, down] = [new TransformStream(), new TransformStream()];
  const streams = new ReadableStream({
    start: (controller) => controller.enqueue({ readable: up.readable, writable: down.writable }),
  });
  const { promise, resolve } = deferred("the end of the session");
  const shown = { incomingBidirectionalStreams: streams, closed: promise, close: resolve };
  void engine.onWebTransportSession(shown);
  void down.readable.pipeTo(new WritableStream()).catch(() => {});
  const writer = up.writable.getWriter();
  writer.closed.catch(() => {});
  const send = (packet) =>
    void writer.write(Buffer.concat([Buffer.from([packet.length]), Buffer.from(packet)]));
  return { send, end: resolve };
}

test("a client by WebTransport waits as others do", async (t) => {
  const transports = ["polling", "websocket", "webtransport"];
  const { ends, got, io } = await serve(t, { rate: 100, transports });
  const session = transportSession(io.engine);
  session.send("0");
  const connected = until(io, "connection");
  session.send("40");
  await connected;
  for (let n = 0; n < 20; n++) session.send(event(n));
  await eventually(() => got.length === 20, "all of them");
  assert.deepEqual(numbers(got), first(20));
  session.end();
  await eventually(() => ends.length === 1, "the end of the socket");
});

test("a client by WebTransport that goes while it waits is gone", async (t) => {
  const transports = ["polling", "websocket", "webtransport"];
  const { ends, got, io } = await serve(t, { transports, ...SOON });
  for (const leave of [(session) => session.end(), (_session, socket) => socket.disconnect(true)]) {
    const session = transportSession(io.engine);
    session.send("0");
    const connected = until(io, "connection");
    session.send("40");
    const [socket] = await connected;
    for (let n = 0; n < 20; n++) session.send(event(n));
    await eventually(() => got.length === 3, "what may come");
    leave(session, socket);
    await eventually(() => ends.length === 1, "the end of the socket");
    assert.equal(io.engine.clientsCount, 0);
    ends.length = got.length = 0;
  }
});
