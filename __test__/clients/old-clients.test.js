"use strict";

/** Releases of the client library, each on npm `socket.io` with `allowEIO3` and on this library. */

const assert = require("node:assert/strict");
const { eventually, gather, until, within } = require("../support/waiting");
const { ALL, TRANSPORTS, lastOf, scenario } = require("../parity/harness");

/** Releases by the name of their package here; `old` ones speak protocol 3. */
const RELEASES = {
  "1.7.4": { name: "socket.io-client-1", old: true },
  "2.5.0": { name: "socket.io-client-2", old: true },
  "3.1.3": { name: "socket.io-client-3", old: false },
  "4.0.0": { name: "socket.io-client-4.0", old: false },
  "4.8.4": { name: "socket.io-client", old: false },
};

/** A client of one release, connecting now. */
function connect(stage, release, namespace = "/", options = {}) {
  const library = require(release.name);
  const client = (library.io ?? library)(stage.url + (namespace === "/" ? "" : namespace), {
    forceNew: true,
    reconnection: false,
    transports: TRANSPORTS[stage.mode],
    ...options,
  });
  stage.defer(() => client.close());
  return client;
}

/** A client, the server's socket for it, and in mode "upgrade" the new transport on both sides. */
async function pair(stage, release, namespace = "/", options = {}) {
  const connection = until(stage.io.of(namespace.split("?")[0]), "connection");
  const client = connect(stage, release, namespace, options);
  const upgraded = eventually(
    () => stage.mode !== "upgrade" || client.io.engine?.transport?.name === "websocket",
    "the client's upgrade",
  );
  const [socket] = await connection;
  if (!client.connected) await until(client, "connect");
  await upgraded;
  const expected = lastOf(stage.mode);
  await eventually(() => socket.conn.transport.name === expected, "the server's upgrade");
  return { client, socket };
}

/** What an emitter's next ack says. */
const asked = (emitter, ...args) =>
  within(
    new Promise((resolve) => emitter.emit(...args, (...answer) => resolve(answer))),
    `an ack of "${args[0]}"`,
  );

for (const [version, release] of Object.entries(RELEASES)) {
  const settings = { modes: ALL, options: { allowEIO3: true } };
  const test = (name, run, more = {}) =>
    scenario(`client ${version}: ${name}`, { ...settings, ...more }, run);

  test("connects", async (stage) => {
    const { client, socket } = await pair(stage, release);
    assert.equal(client.id, socket.id);
    assert.equal(socket.conn.protocol, release.old ? 3 : 4);
    stage.trace("server", socket.conn.protocol, socket.conn.transport.name, socket.handshake.auth);
    stage.trace("client", client.connected);
  });

  /** 1.7.4 takes what comes by polling for UTF-8 written as characters, as no server since 2.0 does. */
  const plain = (stage) => version === "1.7.4" && stage.mode === "polling";

  test("events and acks, both ways", async (stage) => {
    const { client, socket } = await pair(stage, release);
    const values = [
      plain(stage) ? "plain" : "é€😀\u2028",
      1.5,
      null,
      [true, { a: { b: "c" } }],
      "",
    ];
    socket.on("up", (...args) => args.pop()(...args, "seen"));
    client.on("down", (...args) => args.pop()(...args, "seen"));
    stage.trace("up", await asked(client, "up", ...values));
    stage.trace("down", await asked(socket, "down", ...values));
    const many = gather(socket, "n", 50);
    for (let i = 0; i < 50; i++) client.emit("n", i);
    stage.trace("order", await many);
    const back = gather(client, "n", 50);
    for (let i = 0; i < 50; i++) socket.emit("n", i);
    stage.trace("order", await back);
    const large = (plain(stage) ? "e" : "é").repeat(100_000);
    assert.deepEqual(await asked(client, "up", large), [large, "seen"]);
  });

  // 1.7.4 can't read a binary payload where there is no XMLHttpRequest of a browser
  const modes = version === "1.7.4" ? ["websocket"] : ALL;
  test(
    "bytes, both ways",
    async (stage) => {
      const { client, socket } = await pair(stage, release);
      const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
      socket.on("up", (...args) => args.pop()(...args));
      client.on("down", (...args) => args.pop()(...args));
      for (const payload of [
        [bytes],
        [{ deep: [bytes, "é", bytes] }],
        [Buffer.alloc(0), Buffer.alloc(70_000, 3)],
      ]) {
        const up = await asked(client, "up", ...payload);
        const down = await asked(socket, "down", ...payload);
        assert.deepEqual(up, payload);
        assert.deepEqual(down, payload);
        stage.trace("echoed", up, down);
      }
    },
    { modes },
  );

  test("bytes as base64", async (stage) => {
    const { client, socket } = await pair(stage, release, "/", {
      forceBase64: true,
      forceBinary: false,
    });
    socket.on("up", (...args) => args.pop()(...args));
    stage.trace("echoed", await asked(client, "up", Buffer.from([1, 2, 3]), "é"));
  });

  test("rooms and broadcasts", async (stage) => {
    const one = await pair(stage, release);
    const two = await pair(stage, release);
    one.socket.join("room");
    const first = gather(one.client, "all", 2);
    const second = gather(two.client, "all", 2);
    one.client.on("room", (...args) => stage.trace("one", "room", args));
    two.client.on("room", (...args) => stage.trace("two", "room", args));
    stage.io.emit("all", 1);
    stage.io.to("room").emit("room", "in");
    one.socket.broadcast.emit("room", "others");
    stage.io.emit("all", 2);
    stage.trace("all", await first, await second);
  });

  test("namespaces, with a query", async (stage) => {
    const { client, socket } = await pair(stage, release, "/admin?token=a%20b", {
      query: release.old ? "x=1" : { x: 1 },
    });
    const { auth, query } = socket.handshake;
    if (version !== "1.7.4") assert.equal(client.id, socket.id);
    if (release.old) assert.equal(socket.id, `/admin#${socket.conn.id}`);
    delete query.t;
    stage.trace("server", socket.nsp.name, Object.entries(auth), query);
    socket.on("up", (ack) => ack("here"));
    stage.trace("ack", await asked(client, "up"), client.nsp);
  });

  test("a namespace refuses", async (stage) => {
    stage.io
      .of("/closed")
      .use((socket, next) => next(Object.assign(new Error("no"), { data: { why: 1 } })));
    const told = connect(stage, release, "/closed");
    const event = release.old ? "error" : "connect_error";
    const [error] = await until(told, event);
    stage.trace("client", release.old ? error : { message: error.message, data: error.data });
    const unknown = connect(stage, release, "/unknown");
    const [other] = await until(unknown, event);
    stage.trace("client", release.old ? other : other.message);
  });

  test("leaves, is sent away, loses its server", async (stage) => {
    const leaving = await pair(stage, release);
    const left = until(leaving.socket, "disconnect");
    leaving.client.disconnect();
    stage.trace("leaves", (await left)[0]);

    const kicked = await pair(stage, release);
    const gone = [until(kicked.socket, "disconnect"), until(kicked.client, "disconnect")];
    kicked.socket.disconnect();
    stage.trace("sent away", ...(await Promise.all(gone)).map(([reason]) => reason));

    const thrown = await pair(stage, release);
    const out = [until(thrown.socket, "disconnect"), until(thrown.client, "disconnect")];
    thrown.socket.disconnect(true);
    stage.trace("thrown out", ...(await Promise.all(out)).map(([reason]) => reason));
  });

  test("reconnects", async (stage) => {
    const options = { reconnection: true, reconnectionDelay: 1, randomizationFactor: 0 };
    const { client, socket } = await pair(stage, release, "/", options);
    const again = until(stage.io, "connection");
    const connected = until(client, "connect");
    socket.conn.close();
    const [next] = await again;
    await connected;
    assert.notEqual(next.id, socket.id);
    assert.equal(next.id, client.id);
    client.on("down", (ack) => ack("here"));
    stage.trace("ack", await asked(next, "down"));
  });
}
