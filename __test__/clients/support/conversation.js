"use strict";

/** What clients in other languages have to be able to do, on npm `socket.io` and on this library. */

const assert = require("node:assert/strict");
const { ALL, lastOf, scenario } = require("../../parity/harness");
const { eventually, gather, until, within } = require("../../support/waiting");
const { Puppet } = require("./puppet");

/**
 * A client library of another language.
 *
 * @typedef {object} Library
 * @property {string} name for the names of the tests
 * @property {3 | 4} protocol of Engine.IO
 * @property {() => Promise<string[]>} command the program that speaks for it, set up if need be
 * @property {Record<string, any>} transports what its program wants to hear, by mode
 * @property {boolean} answers whether it can acknowledge events of the server
 * @property {(mode: string) => boolean} readsBytes whether it understands bytes that the server sends
 * @property {boolean} nests whether bytes can be anywhere, or only the one argument of an event
 * @property {(mode: string) => boolean} saysGoodbye whether it can be relied on to tell the server that it leaves
 * @property {boolean} multiplexes whether a client can be in several namespaces
 * @property {(stage: any, socket: any) => unknown} interrupt ends a connection such that the client comes back
 */

const TEXTS = ["", 'quoted "\\', "é€😀\u2028", "line\nbreak\t\0"];
const VALUES = [0, -1.5, 1e21, true, null, [], {}, { a: [{ b: "c" }] }];
const MANY = 100;

/** What the client's next ack says. */
const answer = (socket, ...args) =>
  within(
    new Promise((resolve) => socket.emit("ask", ...args, (...back) => resolve(back))),
    "an ack of the client",
  );

/** Waits until the server has the transport that the mode ends with. */
const settled = (stage, socket) =>
  eventually(() => socket.conn.transport.name === lastOf(stage.mode), "the server's upgrade");

/** @param {Library} library */
function conversation(library) {
  /** The program of this test; each has its own, which ends with it: not all libraries come to an end by themselves. */
  async function puppetFor(stage) {
    const starting = library.command().then((command) => new Puppet(command));
    stage.defer(async () => (await starting).kill());
    return starting;
  }

  /** A client that connects now; `client.connecting` says how that goes. */
  async function connect(stage, { namespaces = ["/"], auth = {}, ...options } = {}) {
    stage.puppet ??= puppetFor(stage);
    const client = (await stage.puppet).client();
    client.connecting = client.order({
      do: "connect",
      url: stage.url,
      namespaces,
      auth,
      transports: library.transports[stage.mode],
      reconnection: false,
      ...options,
    });
    client.connecting.catch(() => {});
    return client;
  }

  /** A client and the server's socket for it. */
  async function pair(stage, options = {}) {
    const connection = until(stage.io.of(options.namespaces?.[0] ?? "/"), "connection");
    const client = await connect(stage, options);
    await client.connecting;
    await client.next("connect");
    const [socket] = await connection;
    await settled(stage, socket);
    return { client, socket };
  }

  const test = (name, run, { modes = ALL, options = {} } = {}) =>
    scenario(
      `${library.name}: ${name}`,
      { modes, options: { allowEIO3: library.protocol === 3, ...options } },
      run,
    );

  test("connects", async (stage) => {
    const url = library.protocol === 3 ? `${stage.url}/?token=a%20b` : stage.url;
    const { socket } = await pair(stage, { url, auth: { token: "é", n: 1 } });
    const { auth, query } = socket.handshake;
    stage.trace("server", socket.conn.protocol, socket.conn.transport.name, auth, query.token);
    assert.equal(socket.conn.protocol, library.protocol);
  });

  test("events, both ways and in order", async (stage) => {
    const { client, socket } = await pair(stage);
    const up = until(socket, "up");
    await client.emit("up", ...TEXTS, ...VALUES);
    assert.deepEqual(await up, [...TEXTS, ...VALUES]);
    socket.emit("down", ...TEXTS, ...VALUES);
    assert.deepEqual(await client.event(), ["down", ...TEXTS, ...VALUES]);

    const numbers = Array.from({ length: MANY }, (_, i) => i);
    const arrived = gather(socket, "n", MANY);
    for (const i of numbers) client.emit("n", i);
    assert.deepEqual((await arrived).flat(), numbers);
    for (const i of numbers) socket.emit("n", i);
    for (const i of numbers) assert.deepEqual(await client.event(), ["n", i]);

    const large = "é".repeat(100_000);
    const back = until(socket, "large");
    await client.emit("large", large);
    assert.deepEqual(await back, [large]);
    socket.emit("large", large);
    assert.deepEqual(await client.event(), ["large", large]);
  });

  test("acks", async (stage) => {
    const { client, socket } = await pair(stage);
    socket.on("up", (...args) => args.pop()(...args, "seen"));
    assert.deepEqual(await client.ask("up", "é", 1, null), ["é", 1, null, "seen"]);
    if (!library.answers) return;
    assert.deepEqual(await answer(socket, "é", [1]), ["é", [1], "seen"]);
    const all = await Promise.all(Array.from({ length: MANY }, (_, i) => answer(socket, i)));
    assert.deepEqual(
      all.map(([i]) => i),
      Array.from({ length: MANY }, (_, i) => i),
    );
  });

  test("bytes", async (stage) => {
    const { client, socket } = await pair(stage);
    const bytes = Buffer.from([0, 1, 2, 30, 127, 128, 253, 254, 255]);
    const payloads = [[bytes], [Buffer.alloc(70_000, 200)]];
    if (library.nests) payloads.push([{ deep: [bytes, "é", Buffer.from("more")] }, bytes]);
    socket.on("ask", (...args) => args.pop()(...args));
    for (const payload of payloads) {
      const up = until(socket, "up");
      await client.emit("up", ...payload);
      assert.deepEqual(await up, payload);
      if (!library.readsBytes(stage.mode)) continue;
      socket.emit("down", ...payload);
      assert.deepEqual(await client.event(), ["down", ...payload]);
      if (!library.nests) continue;
      assert.deepEqual(await client.ask("ask", ...payload), payload);
      assert.deepEqual(await answer(socket, ...payload), [...payload, "seen"]);
      assert.deepEqual(await client.event(), ["ask", ...payload]);
    }
  });

  test("rooms and broadcasts", async (stage) => {
    const one = await pair(stage);
    const two = await pair(stage);
    one.socket.join("room");
    stage.io.emit("all", 1);
    stage.io.to("room").emit("room", "in");
    one.socket.broadcast.emit("others", "é");
    stage.io.except("room").emit("except");
    stage.io.emit("all", 2);
    for (const [name, { client }, count] of [
      ["one", one, 3],
      ["two", two, 4],
    ])
      for (let i = 0; i < count; i++) stage.trace(name, await client.event());
    if (library.nests) {
      stage.io.emit("bytes", Buffer.from("bytes"));
      stage.trace("one", await one.client.event());
      stage.trace("two", await two.client.event());
    }
  });

  test("namespaces", async (stage) => {
    stage.io.of(/^\/tenant-\d+$/);
    for (const namespace of ["/admin", "/tenant-7"]) {
      if (namespace === "/admin") stage.io.of(namespace);
      const connection = until(stage.io, "new_namespace").catch(() => {});
      const client = await connect(stage, {
        namespaces: library.multiplexes ? ["/", namespace] : [namespace],
      });
      await client.connecting;
      if (library.multiplexes) await client.next("connect");
      await client.next("connect");
      if (namespace !== "/admin") await connection;
      const [socket] = await stage.io.of(namespace).fetchSockets();
      const up = until(stage.io.of(namespace).sockets.get(socket.id), "up");
      await client.order({ do: "emit", namespace, name: "up", args: ["here"] });
      stage.trace("server", namespace, await up);
      stage.io.of(namespace).emit("down", "there");
      stage.trace("client", await client.next("event").then(({ name, args }) => [name, args]));
    }
  });

  test("a namespace refuses", async (stage) => {
    const refusal = Object.assign(new Error("not you"), { data: { code: 7 } });
    stage.io.of("/closed").use((_socket, next) => next(refusal));
    for (const namespace of ["/closed", "/unknown"]) {
      const client = await connect(stage, { namespaces: [namespace] });
      const { args } = await client.next("connect_error");
      stage.trace("client", args);
    }
  });

  test("leaves, is sent away, loses its server", async (stage) => {
    if (library.saysGoodbye(stage.mode)) {
      const { client, socket } = await pair(stage);
      const left = until(socket, "disconnect");
      client.disconnect().catch(() => {}); // the library may wait for ever
      const [reason] = await left;
      // When the connection ends in the same chunk of bytes, upstream drops the packet that says so.
      assert.ok(["client namespace disconnect", "transport close"].includes(reason), reason);
    }

    for (const close of [false, true]) {
      const { client, socket } = await pair(stage);
      const gone = until(socket, "disconnect");
      socket.disconnect(close);
      const { args } = await client.next("disconnect");
      stage.trace(close ? "thrown out" : "sent away", (await gone)[0]);
      // thrown out, a client may see the end of its connection before it has read why
      if (!close) stage.trace("client", args);
    }
  });

  test(
    "answers heartbeats",
    async (stage) => {
      const { client, socket } = await pair(stage);
      await gather(socket.conn, "heartbeat", 3);
      socket.on("up", (ack) => ack("there"));
      assert.deepEqual(await client.ask("up"), ["there"]);
    },
    { options: { pingInterval: 300 } },
  );

  test(
    "vanishes",
    async (stage) => {
      const { socket } = await pair(stage);
      const gone = until(socket, "disconnect");
      await (await stage.puppet).kill();
      stage.trace("server", (await gone)[0]);
    },
    { modes: ["websocket", "upgrade"] }, // between two polls, nobody could tell
  );

  test(
    "comes back",
    async (stage) => {
      const { client, socket } = await pair(stage, { reconnection: true });
      const again = until(stage.io, "connection");
      await library.interrupt(stage, socket);
      await client.next("disconnect");
      const [next] = await again;
      await client.next("connect");
      await settled(stage, next);
      assert.notEqual(next.id, socket.id);
      next.emit("down", "again");
      stage.trace("client", await client.event());
      const up = until(next, "up");
      await client.emit("up", "again");
      stage.trace("server", await up);
    },
    // python-socketio 4.6.1 may overlook that it has ended, until a ping is due or nothing was written for pingTimeout and 5 s
    { options: { pingInterval: 1000, pingTimeout: 5000 } },
  );
}

module.exports = { conversation };
