"use strict";

/** Where upstream drops a volatile event although its client takes all: what each of the two does. docs/differences.md says why. */

const assert = require("node:assert/strict");
const { relay } = require("../support/board");
const { eventually, turns, until } = require("../support/waiting");
const { ALL, scenario } = require("./harness");
const { park, pollingPair, webSocketPair } = require("./raw-pairs");

scenario("differs: two volatile events in one tick", { modes: ALL }, async (stage) => {
  const { client, socket } = await stage.pair();
  const seen = [];
  const shown = [];
  client.on("v", (n) => seen.push(n));
  const end = until(client, "end");
  await eventually(() => socket.conn.transport.writable, "a writable transport");
  socket.conn.on("packetCreate", ({ data }) => shown.push(data));
  socket.volatile.emit("v", 1);
  socket.volatile.emit("v", 2);
  socket.emit("end");
  await end;
  assert.deepEqual(seen, stage.either([1], [1, 2]));
  assert.equal(shown.length, stage.either(2, 3));
});

scenario("differs: two volatile broadcasts in one tick", { modes: ALL }, async (stage) => {
  const { io } = stage;
  const { client, socket } = await stage.pair();
  const seen = [];
  client.on("v", (n) => seen.push(n));
  const end = until(client, "end");
  await eventually(() => socket.conn.transport.writable, "a writable transport");
  io.volatile.emit("v", 1);
  io.to(socket.id).volatile.emit("v", 2);
  io.emit("end");
  await end;
  assert.deepEqual(seen, stage.either([1], [1, 2]));
});

scenario(
  "differs: volatile events that are passed on as they came, in one chunk",
  async (stage) => {
    const reader = await webSocketPair(stage);
    const senders = [await webSocketPair(stage), await webSocketPair(stage)];
    const [rounds, each] = [20, 5];
    const pass = (_socket, ...args) => reader.socket.volatile.emit("v", ...args);
    const [got] = await relay({ io: stage.io, senders, readers: [reader], rounds, each, pass });
    const all = senders.length * rounds * each;
    if (stage.either(true, false)) assert.ok(got > 0 && got < all, `${got} of ${all}`);
    else assert.equal(got, all);
  },
);

scenario("differs: a volatile event for a client that is being let in", async (stage) => {
  stage.io.on("connection", (socket) => {
    socket.volatile.emit("v");
    socket.emit("end");
  });
  const first = stage.either('42["end"]', '42["v"]');
  const { raw } = await webSocketPair(stage);
  assert.equal(await raw.next(), first);

  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  const parked = await park(session, { conn });
  await session.post("40");
  const [, second] = (await parked.response).body.split("\x1e");
  assert.equal(second, stage.either(undefined, '42["v"]'));
});

scenario(
  "differs: volatile events that are compressed, of many in the same moment",
  { modes: ["websocket"], options: { perMessageDeflate: { threshold: 0 } } },
  async (stage) => {
    const { client, socket } = await stage.pair();
    const senders = [];
    for (let n = 0; n < 10; n++) senders.push(await stage.pair());
    let handled = 0;
    for (const sender of senders)
      sender.socket.on("v", (text) => {
        handled++;
        socket.volatile.emit("v", text);
      });
    let got = 0;
    client.on("v", () => got++);
    const rounds = 10;
    for (let round = 1; round <= rounds; round++) {
      for (const sender of senders) sender.client.emit("v", "abc".repeat(1_000));
      await eventually(() => handled === round * senders.length, "all at the server");
    }
    const end = until(client, "end");
    await turns(5);
    socket.emit("end");
    await end;
    const all = rounds * senders.length;
    if (stage.either(true, false)) assert.ok(got < all, `${got} of ${all}`);
    else assert.equal(got, all);
  },
);

scenario("differs: two volatile events for one poll", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const parked = await park(session, socket);
  socket.emit("first");
  socket.volatile.emit("v", 1);
  stage.io.volatile.emit("v", 2);
  const { body } = await parked.response;
  const here = ['42["first"]', '42["v",1]', '42["v",2]'];
  assert.deepEqual(body.split("\x1e"), stage.either(here.slice(0, 1), here));
});
