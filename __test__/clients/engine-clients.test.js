"use strict";

/** npm `engine.io-client`, current and of protocol 3: what a client sees of the engine without Socket.IO around it. */

const assert = require("node:assert/strict");
const { ALL, DIRECT, TRANSPORTS, lastOf, scenario } = require("../parity/harness");
const { eventually, gather, until } = require("../support/waiting");

/** Releases by the name of their package here; `old` ones speak protocol 3. */
const RELEASES = {
  "3.5.4": { name: "engine.io-client-3", old: true },
  "6.6.8": { name: "engine.io-client", old: false },
};

/** Says that bytes follow, the one argument of the event "b". */
const HEADER = '51-["b",{"_placeholder":true,"num":0}]';

/** What a client hears, kept until it is asked for: messages may come before anybody waits. */
function inbox(client) {
  const messages = [];
  const asking = [];
  client.on("message", (data) => {
    // what a browser has as an ArrayBuffer
    const message = typeof data === "string" ? data : Buffer.from(data);
    if (asking.length > 0) asking.shift()(message);
    else messages.push(message);
  });
  return () =>
    messages.length > 0
      ? Promise.resolve(messages.shift())
      : new Promise((resolve) => asking.push(resolve));
}

/** A client of one release, connecting now, with its `next()` message. */
function connect(stage, release, options = {}) {
  const library = require(release.name);
  const open = library.Socket && !release.old ? (...args) => new library.Socket(...args) : library;
  const client = open(stage.url, {
    path: "/socket.io/",
    transports: TRANSPORTS[stage.mode],
    ...options,
  });
  client.next = inbox(client);
  stage.defer(() => client.close());
  return client;
}

/** A client and the server's side of it, both on the transport that the mode ends with. */
async function pair(stage, release, options) {
  const connection = until(stage.io.engine, "connection");
  const client = connect(stage, release, options);
  const opened = until(client, "open");
  const [conn] = await connection;
  await opened;
  const expected = lastOf(stage.mode);
  const settled = ({ transport }) => transport.name === expected;
  await eventually(() => settled(client) && settled(conn), "the upgrade on both sides");
  return { client, conn };
}

/** The same, as a socket of the main namespace. */
async function joined(stage, release, options) {
  const connection = until(stage.io, "connection");
  const { client, conn } = await pair(stage, release, options);
  if (!release.old) client.send("0");
  const [socket] = await connection;
  const answer = await client.next();
  assert.ok(answer.startsWith("0"), answer);
  return { client, conn, socket };
}

for (const [version, release] of Object.entries(RELEASES)) {
  const test = (name, run, { modes = ALL, options = {} } = {}) =>
    scenario(
      `engine.io-client ${version}: ${name}`,
      { modes, options: { allowEIO3: true, ...options } },
      run,
    );

  test("opens", async (stage) => {
    const { client, conn } = await pair(stage, release);
    assert.equal(client.id, conn.id);
    stage.trace("server", conn.protocol, conn.transport.name, conn.readyState);
    stage.trace("client", client.readyState, client.transport.name, client.upgrades);
  });

  test("text, both ways", async (stage) => {
    const { client, socket } = await joined(stage, release);
    const texts = ["plain", "é€😀\u2028", "", "\u001e\u0000", "é".repeat(100_000)];
    for (const text of texts) {
      const up = until(socket, "up");
      client.send(`2${JSON.stringify(["up", text])}`);
      assert.deepEqual(await up, [text]);
      socket.emit("down", text);
      assert.deepEqual(await client.next(), `2${JSON.stringify(["down", text])}`);
    }
    const many = gather(socket, "n", 200);
    for (let i = 0; i < 200; i++) client.send(`2["n",${i}]`);
    assert.deepEqual(
      (await many).map(([i]) => i),
      Array.from({ length: 200 }, (_, i) => i),
    );
    for (let i = 0; i < 200; i++) socket.emit("n", i);
    for (let i = 0; i < 200; i++) assert.equal(await client.next(), `2["n",${i}]`);
  });

  for (const [form, options] of Object.entries({ bytes: {}, base64: { forceBase64: true } }))
    test(`${form}, both ways`, async (stage) => {
      const { client, socket } = await joined(stage, release, options);
      for (const bytes of [
        Buffer.from([0, 1, 2, 30, 127, 128, 254, 255]),
        Buffer.alloc(0),
        Buffer.alloc(70_000, 7),
      ]) {
        const up = until(socket, "b");
        client.send(HEADER);
        client.send(bytes);
        assert.deepEqual(await up, [bytes]);
        socket.emit("b", bytes);
        assert.equal(await client.next(), HEADER);
        assert.deepEqual(await client.next(), bytes);
      }
    });

  test("messages of the connection", async (stage) => {
    const { client, conn } = await joined(stage, release);
    const sent = gather(conn, "message", 2);
    client.send('2["a","é"]');
    client.send('2["b"]');
    stage.trace("server", await sent);
    conn.send("text é");
    conn.send(Buffer.from([1, 2, 255]));
    stage.trace("client", await client.next(), await client.next());
  });

  test(
    "goes on through the upgrade",
    async (stage) => {
      const connection = until(stage.io, "connection");
      const client = connect(stage, release);
      if (!release.old) client.on("open", () => client.send("0"));
      const [socket] = await connection;
      const arrived = gather(socket, "n", 100);
      for (let i = 0; i < 50; i++) client.send(`2["n",${i}]`);
      for (let i = 0; i < 50; i++) socket.emit("n", i);
      await eventually(() => client.transport.name === "websocket", "the client's upgrade");
      for (let i = 50; i < 100; i++) client.send(`2["n",${i}]`);
      for (let i = 50; i < 100; i++) socket.emit("n", i);
      assert.ok((await client.next()).startsWith("0"));
      stage.trace("server", await arrived);
      for (let i = 0; i < 100; i++) stage.trace("client", await client.next());
    },
    { modes: ["upgrade"] },
  );

  test(
    "heartbeats",
    async (stage) => {
      const { client, conn } = await joined(stage, release);
      const event = release.old ? "pong" : "ping";
      await Promise.all([gather(client, event, 3), gather(conn, "heartbeat", 3)]);
      stage.trace("states", client.readyState, conn.readyState);
    },
    { options: { pingInterval: 300 } },
  );

  test(
    "is timed out",
    async (stage) => {
      const { client, conn } = await joined(stage, release);
      const closed = until(conn, "close");
      // it goes on reading, and answers and asks nothing
      client.transport.send = () => {};
      // and is more patient than the server, which it would time out itself otherwise
      client.pingTimeout = 60_000;
      clearTimeout(client.pingTimeoutTimer);
      stage.trace("server", (await closed)[0]);
    },
    { options: { pingInterval: 100, pingTimeout: 1_000 }, modes: ["websocket"] },
  );

  test("closes", async (stage) => {
    const { client, conn } = await joined(stage, release);
    const gone = [until(conn, "close"), until(client, "close")];
    client.close();
    stage.trace("reasons", ...(await Promise.all(gone)).map(([reason]) => reason));
  });

  test("is closed", async (stage) => {
    const { client, conn } = await joined(stage, release);
    const gone = [until(conn, "close"), until(client, "close")];
    conn.close();
    stage.trace("reasons", ...(await Promise.all(gone)).map(([reason]) => reason));
  });

  test(
    "says too much",
    async (stage) => {
      const { client, conn } = await joined(stage, release);
      const gone = [until(conn, "close"), until(client, "close")];
      client.on("error", () => {});
      client.send("x".repeat(20_000));
      stage.trace("reasons", ...(await Promise.all(gone)).map(([reason]) => reason));
    },
    { options: { maxHttpBufferSize: 10_000 }, modes: DIRECT },
  );

  test("sends what is no packet", async (stage) => {
    const { client, conn } = await joined(stage, release);
    const gone = [until(conn, "close"), until(client, "close")];
    client.send("no packet");
    stage.trace("reasons", ...(await Promise.all(gone)).map(([reason]) => reason));
  });
}
