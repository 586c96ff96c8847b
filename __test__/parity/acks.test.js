"use strict";

/** Acknowledgements: both directions, timeouts, broadcasts. */

const assert = require("node:assert/strict");
const { eventually, turns, until } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

/** The arguments a callback-style emit is answered with. */
const answer = (start) => new Promise((resolve) => start((...args) => resolve(args)));

scenario("acks: client to server", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  socket.on("sum", (a, b, reply) => reply(a + b, { list: [a, b] }, null));
  const args = await answer((reply) => client.emit("sum", 1, 2, reply));
  assert.deepEqual(args, [3, { list: [1, 2] }, null]);
  trace("client", args, await client.emitWithAck("sum", 3, 4));
});

scenario("acks: server to client", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  client.on("sum", (a, b, reply) => reply(a + b, "second"));
  const args = await answer((reply) => socket.emit("sum", 1, 2, reply));
  assert.deepEqual(args, [3, "second"]);
  trace("server", args, await socket.emitWithAck("sum", 3, 4));
});

scenario("acks: without arguments", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  socket.on("x", (reply) => reply());
  client.on("x", (reply) => reply());
  trace("client", await answer((reply) => client.emit("x", reply)));
  trace("server", await answer((reply) => socket.emit("x", reply)));
  assert.equal(await socket.emitWithAck("x"), undefined);
});

scenario("acks: many at once, each gets its own", { modes: ALL }, async ({ pair }) => {
  const { client, socket } = await pair();
  client.on("x", (n, reply) => reply(n));
  socket.on("x", (n, reply) => reply(n));
  const order = Array.from({ length: 300 }, (_, n) => n);
  assert.deepEqual(await Promise.all(order.map((n) => socket.emitWithAck("x", n))), order);
  assert.deepEqual(await Promise.all(order.map((n) => client.emitWithAck("x", n))), order);
});

scenario("acks: called twice, sent once", async ({ io, webSocket }) => {
  io.on("connection", (socket) =>
    socket.on("x", (reply) => {
      reply("first");
      reply("second");
      socket.emit("end");
    }),
  );
  const raw = await webSocket();
  await raw.next();
  await raw.join();
  raw.text('427["x"]');
  assert.equal(await raw.next(), '437["first"]');
  assert.equal(await raw.next(), '42["end"]');
});

scenario(
  "acks: called late, and after the socket has gone",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    let late;
    socket.on("x", (reply) => {
      late = reply;
    });
    client.emit("x", () => trace("client", "never"));
    await eventually(() => late, "the event");
    const gone = until(socket, "disconnect");
    client.disconnect();
    await gone;
    late("nobody listens");
    await turns(3);
  },
);

scenario("acks: ids a raw client chooses", async ({ io, webSocket, trace }) => {
  io.on("connection", (socket) => socket.on("x", (reply) => reply(typeof reply)));
  const raw = await webSocket();
  await raw.next();
  await raw.join();
  for (const id of ["0", "1", "12", "007", "4294967296", "9007199254740991"]) {
    raw.text(`42${id}["x"]`);
    trace("wire", id, await raw.next());
  }
});

scenario(
  "acks: unknown and repeated ids from a client are ignored",
  async ({ io, webSocket, trace }) => {
    const raw = await webSocket();
    const connection = until(io, "connection");
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    const calls = [];
    socket.emit("q", (...args) => calls.push(args));
    const question = await raw.next();
    trace("wire", question);
    assert.equal(question, '420["q"]');
    raw.text('4399["unknown"]');
    raw.text('430["yes",1]');
    raw.text('430["again"]');
    socket.on("end", (reply) => reply());
    raw.text('421["end"]');
    assert.equal(await raw.next(), "431[]");
    assert.deepEqual(calls, [["yes", 1]]);
  },
);

scenario(
  "acks: ids count up per namespace, over all its sockets",
  async ({ io, webSocket, trace }) => {
    for (let i = 0; i < 2; i++) {
      const raw = await webSocket();
      const connection = until(io, "connection");
      await raw.next();
      await raw.join();
      const [socket] = await connection;
      socket.emit("a", () => {});
      socket.emit("b", () => {});
      const answered = answer((reply) => io.timeout(20_000).to(socket.id).emit("c", reply));
      for (let n = 0; n < 3; n++) trace("wire", await raw.next());
      raw.text(`43${i * 3 + 2}["c"]`);
      assert.deepEqual(await answered, [null, ["c"]]);
    }
  },
);

scenario("acks: a silent client and a timeout", { modes: DIRECT }, async ({ pair, trace }) => {
  const { socket } = await pair();
  const [error, ...rest] = await answer((reply) => socket.timeout(20).emit("x", reply));
  assert.ok(error instanceof Error);
  assert.equal(error.message, "operation has timed out");
  trace("callback", error, rest);
  await assert.rejects(socket.timeout(20).emitWithAck("x"), { message: "operation has timed out" });
});

scenario("acks: with a timeout that is met", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  client.on("x", (reply) => reply("in", "time"));
  trace("callback", await answer((reply) => socket.timeout(10_000).emit("x", reply)));
  assert.equal(await socket.timeout(10_000).emitWithAck("x"), "in");
});

scenario(
  "acks: the timeout is for one emit only",
  { modes: ["websocket"] },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    client.on("x", (reply) => reply("plain"));
    assert.equal(socket.timeout(10_000), socket);
    trace("first", await answer((reply) => socket.emit("x", reply)));
    trace("second", await answer((reply) => socket.emit("x", reply)));
  },
);

scenario(
  "acks: pending ones are not answered on disconnect",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    socket.emit("x", () => trace("server", "never"));
    const timed = socket.timeout(50).emitWithAck("x");
    const rejected = assert.rejects(timed, { message: "operation has timed out" });
    const gone = until(socket, "disconnect");
    client.disconnect();
    await gone;
    await rejected;
  },
);

scenario("acks: a broadcast, all answer", { modes: ALL }, async ({ io, pair, trace }) => {
  for (let n = 0; n < 3; n++) {
    const { client } = await pair();
    client.on("x", (value, reply) => reply(`${n}:${value}`));
  }
  const [error, responses] = await answer((reply) => io.timeout(10_000).emit("x", "v", reply));
  assert.equal(error, null);
  assert.deepEqual([...responses].sort(), ["0:v", "1:v", "2:v"]);
  const again = await io.timeout(10_000).emitWithAck("x", "w");
  trace("responses", [...responses].sort(), [...again].sort());
});

scenario(
  "acks: a broadcast with only the first argument of each",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { client } = await pair();
    client.on("x", (reply) => reply("a", "b"));
    trace("responses", await io.timeout(10_000).emitWithAck("x"));
  },
);

scenario("acks: a broadcast, one stays silent", { modes: DIRECT }, async ({ io, pair, trace }) => {
  for (let n = 0; n < 3; n++) {
    const { client } = await pair();
    if (n !== 1) client.on("x", (reply) => reply(n));
  }
  // Long enough for the two to answer on a busy machine; the outcome does not depend on when it ends.
  const [error, responses] = await answer((reply) => io.timeout(500).emit("x", reply));
  assert.equal(error.message, "operation has timed out");
  assert.deepEqual([...responses].sort(), [0, 2]);
  const rejected = await io
    .timeout(500)
    .emitWithAck("x")
    .catch((reason) => reason);
  assert.deepEqual([...rejected.responses].sort(), [0, 2]);
  trace("outcome", error, rejected.message);
});

scenario("acks: a broadcast to nobody", async ({ io }) => {
  const outcome = await answer((reply) => io.timeout(10_000).emit("x", reply));
  assert.deepEqual(outcome, [null, []]);
  assert.deepEqual(await io.to("empty").timeout(10_000).emitWithAck("x"), []);
});

scenario("acks: a broadcast from a socket leaves it out", { modes: DIRECT }, async ({ pair }) => {
  const sender = await pair();
  sender.client.on("x", (reply) => reply("sender"));
  const other = await pair();
  other.client.on("x", (reply) => reply("other"));
  assert.deepEqual(await sender.socket.broadcast.timeout(10_000).emitWithAck("x"), ["other"]);
  assert.deepEqual(await sender.socket.timeout(10_000).to(other.socket.id).emitWithAck("x"), [
    "other",
  ]);
});

scenario(
  "acks: a broadcast without a timeout fails at once",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    await pair();
    const [error, responses] = await answer((reply) => io.emit("x", reply));
    trace("outcome", error, responses);
  },
);

scenario("acks: binary answers to a broadcast", { modes: DIRECT }, async ({ io, pair, trace }) => {
  const { client } = await pair();
  client.on("x", (data, reply) => reply(data));
  const responses = await io.timeout(10_000).emitWithAck("x", Buffer.from("bin"));
  assert.deepEqual(responses, [Buffer.from("bin")]);
  trace("responses", responses);
});
