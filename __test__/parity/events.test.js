"use strict";

/** Events in both directions: argument kinds, binary, order, names. */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { deferred, gather, until } = require("../support/waiting");
const { binaryValues, deepArray, deepObject, textValues } = require("../support/values");
const { ALL, DIRECT, scenario } = require("./harness");

/** What JSON makes of a list of arguments. */
const throughJson = (args) => JSON.parse(JSON.stringify(args));

for (const [kind, args] of Object.entries(textValues())) {
  scenario(`events: ${kind}, both ways`, { modes: DIRECT }, async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const atClient = until(client, "down");
    socket.emit("down", ...args);
    const down = await atClient;
    const atServer = until(socket, "up");
    client.emit("up", ...args);
    const up = await atServer;
    trace("down", down);
    trace("up", up);
    assert.deepEqual(down, throughJson(args));
    assert.deepEqual(up, throughJson(args));
    assert.equal({}.polluted, undefined);
  });
}

scenario(
  "events: nested deeper than any recursion guard, both ways",
  { modes: DIRECT },
  async ({ pair }) => {
    const { client, socket } = await pair();
    for (const value of [deepArray(1_500), deepObject(1_500)]) {
      const down = until(client, "down");
      socket.emit("down", value);
      const up = until(socket, "up");
      client.emit("up", value);
      // As text: comparing them as values would itself recurse too deep.
      assert.equal(JSON.stringify(await down), JSON.stringify([value]));
      assert.equal(JSON.stringify(await up), JSON.stringify([value]));
    }
  },
);

for (const kind of Object.keys(binaryValues())) {
  scenario(`binary: ${kind}, both ways`, { modes: DIRECT }, async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const atClient = until(client, "down");
    socket.emit("down", ...binaryValues()[kind]);
    const down = await atClient;
    const atServer = until(socket, "up");
    client.emit("up", ...binaryValues()[kind]);
    const up = await atServer;
    trace("down", down);
    trace("up", up);
    const flat = JSON.stringify(up);
    assert.ok(flat.includes('"type":"Buffer"'), "arrives as Buffers");
  });
}

scenario("binary: with acks both ways, and in an ack", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  socket.on("up", (data, reply) => reply({ back: data }, Buffer.from("more")));
  client.on("down", (data, reply) => reply([data, new Uint8Array([1])]));
  const up = await new Promise((resolve) =>
    client.emit("up", Buffer.from("abc"), (...args) => resolve(args)),
  );
  const down = await socket.emitWithAck("down", Buffer.from("xyz"));
  assert.deepEqual(up, [{ back: Buffer.from("abc") }, Buffer.from("more")]);
  assert.deepEqual(down, [Buffer.from("xyz"), Buffer.from([1])]);
  trace("replies", up, down);
});

scenario(
  "binary: what arrives is ours to keep and to change",
  { modes: DIRECT },
  async ({ pair }) => {
    const { client, socket } = await pair();
    const kept = [];
    const all = deferred("200 buffers");
    socket.on("data", (data) => {
      if (kept.push(data) === 200) all.resolve();
    });
    for (let i = 0; i < 200; i++) client.emit("data", Buffer.alloc(1_000, i));
    await all.promise;
    kept.forEach((data, i) =>
      assert.ok(data.equals(Buffer.alloc(1_000, i)), `buffer ${i} is intact`),
    );
    kept[0].fill(255);
    assert.ok(kept[1].equals(Buffer.alloc(1_000, 1)), "no shared memory");
  },
);

scenario(
  "binary: the sender may reuse its buffer after the tick",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const calls = gather(client, "data", 2);
    socket.emit("data", Buffer.from("one"));
    io.emit("data", Buffer.from("two"));
    trace("client", await calls);
  },
);

scenario("binary and text keep their order", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  const up = gather(socket, "n", 60);
  const down = gather(client, "n", 60);
  for (let i = 0; i < 60; i++) {
    const args = i % 3 === 0 ? [i, Buffer.from([i])] : [i];
    client.emit("n", ...args);
    socket.emit("n", ...args);
  }
  const order = Array.from({ length: 60 }, (_, i) => i);
  assert.deepEqual(
    (await up).map(([i]) => i),
    order,
  );
  assert.deepEqual(
    (await down).map(([i]) => i),
    order,
  );
  trace("up", await up);
});

scenario("events: many in one tick, all arrive in order", { modes: ALL }, async ({ pair }) => {
  const { client, socket } = await pair();
  const up = gather(socket, "n", 2_000);
  const down = gather(client, "n", 2_000);
  for (let i = 0; i < 2_000; i++) {
    client.emit("n", i);
    socket.emit("n", i);
  }
  const order = Array.from({ length: 2_000 }, (_, i) => i);
  assert.deepEqual((await up).flat(), order);
  assert.deepEqual((await down).flat(), order);
});

scenario("events: emitted while the transport upgrades", { modes: ["upgrade"] }, async (stage) => {
  const { io, client, trace } = stage;
  const lines = [];
  const all = deferred("100 echoes");
  io.on("connection", (socket) => {
    socket.on("n", (n) => socket.emit("n", n));
    for (let i = 0; i < 50; i++) socket.emit("hello", i);
  });
  const upgrading = client();
  const hello = gather(upgrading, "hello", 50);
  upgrading.on("n", (n) => {
    lines.push(n);
    if (n < 99) upgrading.emit("n", n + 1);
    else all.resolve();
  });
  upgrading.emit("n", 0);
  await all.promise;
  assert.deepEqual(
    lines,
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.deepEqual(
    (await hello).flat(),
    Array.from({ length: 50 }, (_, i) => i),
  );
  trace("lines", lines.length);
});

scenario("events: odd names", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  for (const name of [
    "",
    "a b",
    "日本",
    "__proto__",
    "constructor",
    "toString",
    "message",
    "data",
    "close",
    "0",
    "end",
  ]) {
    const up = until(socket, name);
    client.emit(name, name);
    const down = until(client, name);
    socket.emit(name, name);
    trace("names", await up, await down);
  }
});

scenario("events: numeric names", async ({ io, webSocket, trace }) => {
  const raw = await webSocket();
  const connection = until(io, "connection");
  await raw.next();
  await raw.join();
  const [socket] = await connection;
  for (const name of [0, 1.5, -3]) {
    const up = until(socket, name);
    raw.text(`42[${name},"x"]`);
    trace("server", await up);
    socket.emit(name, "y");
    trace("wire", await raw.next());
  }
});

scenario(
  "events: names the application may not emit",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    const { socket } = await pair();
    const names = [
      "connect",
      "connect_error",
      "disconnect",
      "disconnecting",
      "newListener",
      "removeListener",
    ];
    for (const name of names) {
      const expected = { message: `"${name}" is a reserved event name` };
      assert.throws(() => socket.emit(name), expected);
      assert.throws(() => io.emit(name), expected);
      assert.throws(() => io.to("room").emit(name), expected);
      assert.throws(() => socket.broadcast.emit(name), expected);
      assert.throws(() => socket.timeout(5).emit(name, () => {}), expected);
    }
    for (const name of ["connect", "connection", "new_namespace"]) {
      assert.throws(() => io.serverSideEmit(name), {
        message: `"${name}" is a reserved event name`,
      });
    }
    trace("free", socket.emit("connection"), socket.emit("error", 1), io.emit("new_namespace"));
  },
);

scenario(
  "events: emit returns true, send and write the socket",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const calls = gather(client, "message", 6);
    assert.equal(socket.emit("x"), true);
    assert.equal(io.emit("x"), true);
    assert.equal(socket.to("nobody").emit("x"), true);
    assert.equal(socket.send("a", 1), socket);
    assert.equal(socket.write("b"), socket);
    assert.equal(io.send("c"), io);
    assert.equal(io.write("d"), io);
    assert.equal(io.of("/").send("e"), io.sockets);
    assert.equal(io.of("/").write("f"), io.sockets);
    trace("client", await calls);
  },
);

scenario('events: client send arrives as "message"', { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  const message = until(socket, "message");
  client.send("hi", 2);
  trace("server", await message);
});

scenario(
  'events: a client\'s "error" without a listener harms nobody',
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    client.emit("error", "boom");
    socket.on("after", (reply) => reply("alive"));
    assert.equal(await client.emitWithAck("after"), "alive");
    const error = until(socket, "error");
    client.emit("error", "boom again");
    trace("server", await error);
  },
);

scenario(
  "events: in order, and the microtasks of their handlers too",
  { modes: DIRECT },
  async ({ pair, trace, defer }) => {
    const { client, socket } = await pair();
    const done = deferred("last microtask");
    defer(() => socket.removeAllListeners());
    const handled = [];
    socket.on("n", (n) => {
      handled.push(n);
      trace("events", n);
      Promise.resolve().then(() => {
        // how many events have come before depends on how the bytes were cut into chunks
        assert.ok(handled.includes(n));
        trace("microtasks", n);
        if (n === 4) done.resolve();
      });
    });
    for (let n = 0; n < 5; n++) client.emit("n", n);
    await done.promise;
  },
);

scenario(
  "events: listeners of Node's EventEmitter",
  { modes: ["websocket"] },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const { EventEmitter } = require("node:events");
    assert.ok(socket instanceof EventEmitter);
    socket.once("once", () => trace("server", "once"));
    const removed = () => trace("server", "removed");
    socket.on("on", removed);
    socket.off("on", removed);
    socket.prependListener("on", (value) => trace("server", "prepended", value));
    socket.on("on", function (value, reply) {
      trace("server", "on", value, this === socket);
      reply();
    });
    trace("names", socket.eventNames(), socket.listenerCount("on"));
    client.emit("once");
    client.emit("once");
    await client.emitWithAck("on", 1);
    await client.emitWithAck("on", 2);
  },
);

scenario(
  "events: in the same payload as one that gets the socket disconnected are dropped",
  async (stage) => {
    const { io, polling, trace } = stage;
    io.on("connection", (socket) => {
      socket.on("late", () => trace("server", "late"));
      socket.on("kick", () => socket.disconnect());
    });
    io.of("/other").on("connection", (socket) => socket.on("still", (reply) => reply("there")));
    const session = await polling();
    await session.join();
    await session.join("40/other,");
    await session.post('42["kick"]\x1e42["late"]\x1e42/other,1["still"]');
    trace("wire", await session.next(), await session.next());
  },
);

scenario(
  "events: who replaces EventEmitter.prototype.emit sees those of sockets and namespaces",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    const { prototype } = EventEmitter;
    const { emit } = prototype; // as node:domain does, and tracers
    const seen = [];
    prototype.emit = function (name, ...args) {
      if (this.constructor.name === "Socket" && this.nsp !== undefined) seen.push(["socket", name]);
      if (this === io.of("/")) seen.push(["namespace", name]);
      return emit.call(this, name, ...args);
    };
    try {
      const { client, socket } = await pair();
      socket.on("up", (reply) => reply());
      socket.use((_event, next) => next());
      await client.emitWithAck("up");
      io.of("/")._onServerSideEmit?.(["side"]);
      const gone = until(socket, "disconnect");
      client.disconnect();
      await gone;
    } finally {
      prototype.emit = emit;
    }
    const names = seen.map((entry) => entry.join(" "));
    for (const name of ["namespace connection", "socket up", "socket disconnecting"])
      assert.ok(names.includes(name), name);
    trace(
      "seen",
      names.filter((name) => !name.endsWith("Listener")),
    );
  },
);
