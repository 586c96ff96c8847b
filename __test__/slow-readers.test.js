"use strict";

/** Clients that do not read: what waits for them is counted and bounded, and nobody else is slowed down. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const tls = require("node:tls");
const { test } = require("node:test");
const { PollingSession } = require("./support/raw-http");
const { RawWebSocket } = require("./support/raw-websocket");
const { ours } = require("./support/implementations");
const { eventually, turns, until, within } = require("./support/waiting");

const { Server } = ours.load();
const { getBorder } = require("../lib/border");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CHUNK = "x".repeat(64 << 10);
/** What one message adds at most, frame and event included. */
const MESSAGE = CHUNK.length + 200;
const LIMIT = 1 << 20;
/** More than the kernel and Node.js hold for a connection. */
const STEPS = 600;
/** Bytes of a bridged stream that count only once they are that many. */
const CREDIT = 256 << 10;

/** A server, and clients by hand. */
async function open(t, { secure = false, ...options } = {}) {
  const httpServer = secure
    ? https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") })
    : http.createServer();
  const io = new Server(httpServer, { pingInterval: 60_000, workers: 1, ...options });
  const wires = [];
  t.after(async () => {
    for (const raw of wires) raw.destroy(); // or their closing handshakes would be waited for
    await io.close();
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();

  const client = async () => {
    const connection = until(io, "connection");
    let raw;
    if (secure) {
      const wire = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
      raw = new RawWebSocket(wire);
      raw.request("/socket.io/?EIO=4&transport=websocket");
      await within(raw.answered, "the answer to the upgrade");
    } else {
      raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
    }
    wires.push(raw);
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    return { raw, socket };
  };
  const stuck = async () => {
    const one = await client();
    one.raw.socket.pause();
    return one;
  };
  return { io, port, client, stuck };
}

/** Emits until so many bytes wait for the client; gives how many events that took. */
async function fill(socket, bytes, done = () => turns(5)) {
  let sent = 0;
  while (socket.conn.bufferedAmount < bytes) {
    assert.ok(sent < STEPS, "as much waits by now");
    socket.emit("n", sent++, CHUNK);
    await done();
  }
  return sent;
}

/** Reads events until one of that name; gives how many of the others came. */
async function readUntil(raw, name) {
  for (let count = 0; ; count++) {
    const packet = await raw.next();
    assert.notEqual(packet, null, "the connection lives");
    if (packet.startsWith(`42["${name}"`)) return count;
  }
}

for (const secure of [false, true]) {
  const label = secure ? "bridged" : "taken over";

  test(`${label}: bufferedAmount counts what a client has not taken, and goes back to 0`, async (t) => {
    const { stuck } = await open(t, { secure });
    const { raw, socket } = await stuck();
    assert.equal(socket.conn.bufferedAmount, 0);
    let sent = await fill(socket, LIMIT); // the kernel has taken what it takes
    const before = socket.conn.bufferedAmount;
    for (let n = 0; n < 32; n++) socket.emit("n", sent++, CHUNK);
    await eventually(() => socket.conn.bufferedAmount > before + 16 * CHUNK.length, "more");
    socket.emit("end");
    raw.socket.resume();
    assert.equal(await readUntil(raw, "end"), sent);
    await eventually(() => socket.conn.bufferedAmount === 0, "nothing to wait");
    socket.emit("alive");
    assert.equal(await raw.next(), '42["alive"]');
  });

  test(`${label}: a client for which more waits than may is disconnected, and slows nobody down`, async (t) => {
    const { io, client, stuck } = await open(t, { secure, maxBufferedBytes: LIMIT });
    const readers = [await client(), await client(), await client()];
    const { socket } = await stuck();
    const { conn } = socket;
    const closed = until(conn, "close");
    const disconnected = until(socket, "disconnect");
    let most = 0;
    let sent = 0;
    while (socket.connected) {
      assert.ok(sent < STEPS, "it is disconnected by now");
      io.emit("n", sent++, CHUNK);
      for (const { raw } of readers) await raw.next(); // those that read have everything of each step
      most = Math.max(most, conn.bufferedAmount);
    }
    assert.ok(most <= LIMIT + MESSAGE + CREDIT, `${most} bytes waited`);
    assert.deepEqual(await disconnected, ["buffer overflow", undefined]);
    assert.deepEqual(await closed, ["buffer overflow", undefined]);
    assert.equal(conn.bufferedAmount, 0);
    await eventually(() => JSON.parse(getBorder().native.stats()).backlogs === 0, "no backlog");
    io.emit("end");
    for (const { raw } of readers) assert.equal(await readUntil(raw, "end"), 0);
  });
}

for (const secure of [false, true]) {
  const label = secure ? "bridged" : "taken over";

  test(`${label}: the volatile packets of one tick do not pile up for a client that does not read`, async (t) => {
    const { client, stuck } = await open(t, { secure });
    const { raw, socket } = await stuck();
    for (let n = 0; n < STEPS; n++) socket.volatile.emit("v", CHUNK);
    await eventually(() => socket.conn.bufferedAmount > 0, "something to wait");
    const { bufferedAmount } = socket.conn;
    assert.ok(bufferedAmount <= 3 * MESSAGE + CREDIT, `${bufferedAmount} bytes wait`);
    for (let n = 0; n < 20; n++) socket.volatile.emit("v", CHUNK);
    const other = await client();
    for (let n = 0; n < 1_000; n++) other.socket.volatile.emit("v", n);
    other.socket.emit("end");
    assert.equal(await readUntil(other.raw, "end"), 1_000); // one that reads gets what a tick sends
    assert.ok(socket.conn.bufferedAmount <= bufferedAmount, "nothing is added");
    socket.emit("end");
    raw.socket.resume();
    const got = await readUntil(raw, "end");
    assert.ok(got > 0 && got < STEPS, `${got} of ${STEPS}`);
  });
}

test("without a limit a client that does not read keeps its place, and slows nobody down", async (t) => {
  const { io, client, stuck } = await open(t);
  const readers = [await client(), await client()];
  const { raw, socket } = await stuck();
  const steps = 400;
  for (let n = 0; n < steps; n++) {
    io.emit("n", n, CHUNK);
    for (const reader of readers) {
      const packet = await reader.raw.next();
      assert.ok(packet.startsWith(`42["n",${n},`));
    }
  }
  assert.ok(socket.conn.bufferedAmount > 0);
  assert.ok(socket.conn.bufferedAmount <= steps * MESSAGE);
  raw.socket.resume();
  socket.emit("end");
  assert.equal(await readUntil(raw, "end"), steps);
});

test("polling: what no poll has fetched counts", async (t) => {
  const { io, port } = await open(t, { maxBufferedBytes: LIMIT });
  const connection = until(io, "connection");
  const session = await PollingSession.open(port);
  await session.post("40");
  const [socket] = await connection;
  await session.get();
  assert.equal(socket.conn.bufferedAmount, 0);
  socket.emit("n", CHUNK);
  await eventually(() => socket.conn.bufferedAmount > CHUNK.length, "something to wait");
  assert.ok((await session.get()).body.startsWith('42["n"'));
  await eventually(() => socket.conn.bufferedAmount === 0, "nothing to wait");

  const disconnected = until(socket, "disconnect");
  let most = 0;
  for (let n = 0; socket.connected; n++) {
    assert.ok(n < STEPS, "it is disconnected by now");
    socket.emit("n", CHUNK);
    await turns(2);
    most = Math.max(most, socket.conn.bufferedAmount);
  }
  assert.ok(most <= LIMIT + MESSAGE, `${most} bytes waited`);
  assert.deepEqual(await disconnected, ["buffer overflow", undefined]);
  assert.equal((await session.get()).status, 400);
});

test("dropVolatile: volatile packets wait up to the limit, others as long as they have to", async (t) => {
  const options = { maxBufferedBytes: LIMIT, bufferPolicy: "dropVolatile" };
  const { client, stuck } = await open(t, options);
  const { raw, socket } = await stuck();
  const other = await client();
  /** The worker, which does all in order, has done what it was told. */
  const done = async () => {
    other.socket.emit("done");
    await other.raw.next();
  };
  await fill(socket, 1, done);
  const room = LIMIT / CHUNK.length;
  for (let n = 0; n < 4 * room; n++) {
    socket.volatile.emit("v", CHUNK); // some wait, the rest is dropped
  }
  await done();
  assert.ok(socket.conn.bufferedAmount > LIMIT - MESSAGE, `${socket.conn.bufferedAmount} wait`);
  assert.ok(
    socket.conn.bufferedAmount <= LIMIT + 2 * MESSAGE,
    `${socket.conn.bufferedAmount} wait`,
  );
  for (let n = 0; n < 4 * room; n++) socket.emit("must", CHUNK);
  await eventually(() => socket.conn.bufferedAmount > 4 * LIMIT, "the others to wait");
  assert.equal(socket.connected, true);
  socket.emit("end");
  raw.socket.resume();
  const got = { n: 0, v: 0, must: 0 };
  for (;;) {
    const packet = await raw.next();
    const [name] = /[a-z]+/.exec(packet);
    if (name === "end") break;
    got[name]++;
  }
  assert.equal(got.must, 4 * room);
  assert.ok(got.v > 0 && got.v <= room + 2, `${got.v} volatile packets of ${4 * room}`);
});

test("dropVolatile: volatile packets wait for a poll up to the limit", async (t) => {
  const options = { maxBufferedBytes: LIMIT, bufferPolicy: "dropVolatile" };
  const { io, port } = await open(t, options);
  const connection = until(io, "connection");
  const session = await PollingSession.open(port);
  await session.post("40");
  const [socket] = await connection;
  await session.get();
  socket.volatile.emit("v");
  await eventually(() => socket.conn.bufferedAmount > 0, "a volatile packet to wait");
  assert.equal((await session.get()).body, '42["v"]');
});

test("options that can't be are refused with what to do instead", () => {
  const wrong = [
    [{ maxBufferedBytes: -1 }, /^option maxBufferedBytes can't be -1: give a number of bytes/],
    [
      { maxBufferedBytes: "1mb" },
      /^option maxBufferedBytes can't be "1mb": give a number of bytes/,
    ],
    [{ maxBufferedBytes: NaN }, /^option maxBufferedBytes can't be NaN: give a number of bytes/],
    [{ bufferPolicy: "drop" }, /^option bufferPolicy can't be "drop": give one of disconnect, dr/],
  ];
  for (const [options, message] of wrong) {
    const check = { name: "TypeError", code: "SIO_ERR_INVALID_OPTION", message };
    assert.throws(() => new Server(http.createServer(), options), check);
  }
  for (const maxBufferedBytes of [undefined, null, Infinity, 1, 2 ** 40])
    new Server(http.createServer(), { maxBufferedBytes });
});
