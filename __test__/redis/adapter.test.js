"use strict";

/** `ferrosocket/redis` as programs use it; that it does what the official adapters do is tested in `../cluster`. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const parser = require("socket.io-msgpack-parser");
const { Server: Original } = require("socket.io");
const { eventually, until, within } = require("../support/waiting");
const { createAdapter } = require("../../redis");
const { RedisStage, ready } = require("./stage");

/** The same numbers at each run. */
function generator(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

for (const [name, options] of [
  ["classic", {}],
  ["sharded", { sharded: true, subscriptionMode: "static" }],
])
  test(`${name}: no broadcast overtakes a request`, async (t) => {
    const stage = await RedisStage.open(t);
    const a = await stage.server(options);
    const b = await stage.server(options);
    await stage.meet(a, b);
    const client = await stage.client(b);
    await stage.reach(a, client);
    const random = generator(7);
    const rooms = new Set([client.id]);
    const expected = [];
    for (let n = 0; n < 2_000; n++) {
      const room = `room ${random(4)}`;
      switch (random(6)) {
        case 0:
          a.io.in(client.id).socketsJoin(room);
          rooms.add(room);
          break;
        case 1:
          a.io.in(client.id).socketsLeave(room);
          rooms.delete(room);
          break;
        case 2:
          a.io
            .to(room)
            .timeout(10_000)
            .emit("event", n, () => {}); // asks for an answer
          if (rooms.has(room)) expected.push(n);
          break;
        default:
          a.io.to(room).emit("event", n);
          if (rooms.has(room)) expected.push(n);
      }
      if (random(50) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const end = until(client, "end");
    a.io.emit("end");
    await end;
    assert.deepEqual(
      client.got.map(([n]) => n),
      expected,
    );
  });

test("a client gets nothing before it is connected, and nothing of a room that it has left", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server();
  const b = await stage.server();
  await stage.meet(a, b);
  b.io.on("connection", (socket) => {
    socket.join("red");
    socket.on("leave", (done) => {
      socket.leave("red");
      done();
    });
  });
  let on = true;
  const flood = async () => {
    for (let n = 0; on; n++) {
      a.io.emit("event", "all", n);
      a.io.to("red").emit("event", "red", n);
      if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const flooded = flood();
  for (let round = 0; round < 30; round++) {
    const client = await stage.client(b);
    assert.match(client.first, /^0/); // the answer to its CONNECT
    await until(client, "event");
    await client.timeout(10_000).emitWithAck("leave");
    client.got.length = 0;
    await until(client, "event");
    await until(client, "event");
    assert.ok(client.got.length > 0);
    for (const [what] of client.got) assert.equal(what, "all");
    client.disconnect();
  }
  on = false;
  await flooded;
});

test("what others broadcast is shown to those who want to see what goes out", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server();
  const b = await stage.server();
  await stage.meet(a, b);
  const client = await stage.client(b);
  await stage.reach(a, client);
  const [socket] = b.io.sockets.sockets.values();
  assert.equal(b.adapter.indirectReason, undefined);

  const shown = [];
  const listener = (name, ...args) => name === "event" && shown.push(args);
  socket.onAnyOutgoing(listener);
  assert.match(b.adapter.indirectReason, /onAnyOutgoing/);
  for (let n = 0; n < 10; n++) a.io.emit("event", n, Buffer.from([n]));
  await eventually(() => client.got.length === 10, "the events");
  assert.deepEqual(shown, client.got);

  socket.offAnyOutgoing(listener);
  assert.equal(b.adapter.indirectReason, undefined);
  for (let n = 0; n < 10; n++) a.io.emit("event", n);
  await eventually(() => client.got.length === 20, "the events");
  assert.equal(shown.length, 10);
  await stage.reach(a, client);
  const { toJavaScript } = b.link.stats();
  for (let n = 0; n < 10; n++) a.io.emit("event", n);
  await eventually(() => client.got.length === 30, "the events");
  assert.equal(b.link.stats().toJavaScript, toJavaScript); // without JavaScript again

  const created = [];
  socket.conn.on("packetCreate", (packet) => created.push(packet.data));
  assert.match(b.adapter.indirectReason, /packetCreate/);
  a.io.emit("event", "created");
  await eventually(() => client.got.length === 31, "the event");
  assert.deepEqual(created, ['2["event","created"]']);
});

test("with a parser of the program's own, servers say the same to each other", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server({}, { parser });
  const b = await stage.server({}, { parser });
  const c = await stage.server();
  await stage.meet(a, b, c);
  const clients = [await stage.client(a, { parser }), await stage.client(b, { parser })];
  clients.push(await stage.client(c));
  for (const client of clients) for (const from of [a, b, c]) await stage.reach(from, client);
  for (const { io } of [a, b, c]) io.emit("event", { deep: [Buffer.from("bytes"), 1.5, null] });
  for (const client of clients) {
    await eventually(() => client.got.length === 3, "the events");
    for (const [value] of client.got)
      assert.deepEqual(value, { deep: [Buffer.from("bytes"), 1.5, null] });
  }
});

test("rooms may be numbers", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server();
  const b = await stage.server();
  await stage.meet(a, b);
  const number = await stage.client(b);
  const text = await stage.client(b);
  b.io.sockets.sockets.get(number.id).join(5);
  b.io.sockets.sockets.get(text.id).join("5");
  await stage.reach(a, number, 5);
  await stage.reach(a, text, "5");
  a.io.to(5).emit("event", "number");
  a.io.to("5").emit("event", "text");
  a.io.to([5, "5"]).emit("event", "both");
  a.io.except(5).emit("event", "but the number");
  a.io.emit("event", "end");
  await eventually(() => number.got.at(-1)?.[0] === "end", "the end");
  await eventually(() => text.got.at(-1)?.[0] === "end", "the end");
  assert.deepEqual(number.got.flat(), ["number", "both", "end"]);
  assert.deepEqual(text.got.flat(), ["text", "both", "but the number", "end"]);
});

test("what is for no room is for nobody", async (t) => {
  const stage = await RedisStage.open(t);
  for (const options of [{}, { sharded: true }]) {
    const a = await stage.server(options);
    const b = await stage.server(options);
    await stage.meet(a, b);
    const client = await stage.client(b);
    const red = await stage.client(b);
    b.io.sockets.sockets.get(red.id).join("red");
    await stage.reach(a, red, "red");
    await stage.reach(a, client);
    a.io.to(undefined).emit("event", "by mistake");
    a.io.to([]).emit("event", "to all");
    a.io.to([undefined, "red"]).emit("event", "to one that is");
    a.io.emit("event", "end");
    await eventually(() => client.got.at(-1)?.[0] === "end", "the end");
    await eventually(() => red.got.at(-1)?.[0] === "end", "the end");
    assert.deepEqual(client.got.flat(), ["to all", "end"]);
    assert.deepEqual(red.got.flat(), ["to all", "to one that is", "end"]);
  }
});

test("while Redis is away, clients here are served, what waits is bounded, and the rest is sent later", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server({ maxBufferedBytes: 20_000 });
  const b = await stage.server();
  await stage.meet(a, b);
  const here = await stage.client(a);
  const there = await stage.client(b);
  await stage.reach(a, there);

  const states = [];
  a.link.on("state", (state) => states.push(state));
  const lost = until(a.link, "state");
  await stage.redis.fail();
  await lost;
  assert.notEqual(a.link.state, "ready");
  for (let n = 0; n < 100; n++) a.io.emit("event", n, "x".repeat(1_000));
  await eventually(() => here.got.length === 100, "the events here");
  await eventually(() => a.link.stats().dropped > 0, "what is dropped");
  const { buffered, dropped } = a.link.stats();
  assert.ok(buffered <= 20_000, `${buffered} bytes`);
  assert.ok(dropped >= 100 - 20, `${dropped} messages`);
  assert.equal(await a.adapter.serverCount(), 2); // as it was known last
  await assert.rejects(async () => a.io.fetchSockets(), /timeout reached/);

  await stage.redis.comeBack();
  await ready(a.link);
  await ready(b.link);
  await stage.reach(a, there);
  assert.equal(states.at(-1), "ready");
  assert.ok(a.link.stats().reconnects >= 1);
  const numbers = there.got.map(([n]) => n);
  assert.deepEqual(
    numbers,
    [...numbers].sort((x, y) => x - y),
  ); // none twice, in order
  a.io.emit("event", "after");
  await eventually(() => there.got.at(-1)?.[0] === "after", "the event");
});

test("what is published before Redis is there is sent when it is", async (t) => {
  const stage = await RedisStage.open(t);
  const b = await stage.server();
  const client = await stage.client(b);
  const { Server } = require("../..");
  const a = new Server({ adapter: stage.adapter() }); // it never listens
  a.emit("event", "early");
  await eventually(() => client.got.length === 1, "the event");
  await within(
    a.close().catch(() => {}), // there is no engine
    "its end",
  );
  assert.equal(a.of("/").adapter.redis.state, "closed");
});

test("when a server closes, its channels are left and its connection ends", async (t) => {
  const stage = await RedisStage.open(t);
  const publisher = await stage.publisher();
  const count = async (channel) => (await publisher.sendCommand(["PUBSUB", "NUMSUB", channel]))[1];
  const a = await stage.server({}, { cleanupEmptyChildNamespaces: true });
  a.io.of(/^\/child-\d$/);
  const client = await stage.client(a, { nsp: "/child-1" });
  const channel = "socket.io-request#/child-1#";
  while ((await count(channel)) !== 1);
  client.disconnect();
  while ((await count(channel)) !== 0); // the namespace has gone
  assert.equal(a.link.state, "ready");
  assert.equal(await count("socket.io-request#/#"), 1);
  await a.io.close();
  assert.equal(a.link.state, "closed");
  while ((await count("socket.io-request#/#")) !== 0);
  const clients = await publisher.sendCommand(["CLIENT", "LIST"]);
  assert.equal(clients.trim().split("\n").length, 1, clients);
});

test("who makes a namespace can ask at once who else is there", async (t) => {
  const stage = await RedisStage.open(t);
  const [one, two] = [await stage.server({ requestsTimeout: 20_000 }), await stage.server()];
  await stage.meet(one, two);
  two.io.of("/new");
  const slow = await stage.publisher();
  await eventually(
    async () => (await slow.sendCommand(["PUBSUB", "NUMSUB", `socket.io-request#/new#`]))[1] > 0,
    "it to be there",
  );
  await slow.sendCommand(["CLIENT", "PAUSE", "300", "ALL"]); // its channels take that long to be there
  const asking = one.io.of("/new").adapter.serverCount();
  assert.equal(await within(asking, "the count"), 2);
});

test("a server may get another adapter", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server();
  const b = await stage.server();
  await stage.meet(a, b);
  const first = a.adapter;
  a.io.adapter(stage.adapter({ key: "other" }));
  const second = a.io.of("/").adapter;
  assert.notEqual(second.redis, first.redis);
  while (first.redis.state !== "closed") await until(first.redis, "state");
  await ready(second.redis);
  const client = await stage.client(a);
  await stage.reach(a, client);
  b.io.emit("event", "of another cluster");
  const c = await stage.server({ key: "other" });
  await stage.reach(c, client);
  assert.deepEqual(client.got, []);
});

test("an adapter that is closed may be followed by one of the same kind", async (t) => {
  const stage = await RedisStage.open(t);
  const make = stage.adapter();
  const { io } = await stage.server();
  const other = await stage.server();
  io.adapter(make);
  await ready(io.of("/").adapter.redis);
  const closed = io.of("/").adapter.close();
  io.adapter(make);
  await closed;
  await within(ready(io.of("/").adapter.redis), "the next connection");
  await stage.meet({ io }, other);
});

test("two servers of one process may have one adapter", async (t) => {
  const stage = await RedisStage.open(t);
  const adapter = stage.adapter();
  const { Server } = require("../..");
  const [a, b] = [new Server({ adapter }), new Server({ adapter })];
  stage.defer(() => Promise.allSettled([a.close(), b.close()]));
  assert.notEqual(a.of("/").adapter.redis, b.of("/").adapter.redis);
  while ((await a.of("/").adapter.serverCount()) !== 2);
});

test("options that can't be meant are refused", () => {
  for (const [args, message] of [
    [["http://localhost"], /option url .*redis:/],
    [[{ url: [] }], /option url/],
    [[{ requestsTimeout: "5" }], /option requestsTimeout can't be "5"/],
    [[{ subscriptionMode: "all" }], /option subscriptionMode can't be "all": give one of/],
    [
      ["redis://localhost", { shared: true }],
      /an option's name can't be "shared": the options are/,
    ],
    [[{ cluster: true, sentinel: "main" }], /option sentinel/],
    [[{ tls: true }], /option tls/],
  ])
    assert.throws(() => createAdapter(...args), { code: "SIO_ERR_INVALID_OPTION", message });
  assert.throws(
    () => createAdapter("redis+tcp://user:secret@localhost"),
    (error) => !error.message.includes("secret"),
  );
  const url = new URL("redis://user:secret@localhost");
  assert.throws(
    () => createAdapter({ url }),
    (error) => /option url/.test(error.message) && !error.message.includes("secret"),
  );
});

test("a URL may be an object", () => {
  assert.throws(() => createAdapter(new URL("http://localhost")), /option url/);
  createAdapter(new URL("redis://localhost:1"));
});

test("npm's socket.io is told which adapter it needs", () => {
  const io = new Original();
  assert.throws(() => io.adapter(createAdapter()), /@socket\.io\/redis-adapter/);
});
