"use strict";

/** What a socket offers besides emit: middleware, catch-all listeners, flags, overriding. */

const assert = require("node:assert/strict");
const { eventually, gather, turns, until } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

scenario("socket.use: passes, changes, delays", { modes: ALL }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  socket.use((event, next) => {
    trace(
      "server",
      "use",
      event.filter((item) => typeof item !== "function"),
    );
    if (event[0] === "rename") event[0] = "renamed";
    if (event[0] === "more") event.splice(1, 0, "inserted");
    if (event[0] === "wrap") event.unshift("wrapped");
    next();
  });
  assert.equal(
    socket.use(async (event, next) => {
      await turns(2);
      next();
    }),
    socket,
  );
  for (const name of ["renamed", "more", "wrapped", "plain"]) {
    socket.on(name, (...args) => {
      const reply = args.pop();
      trace("server", name, args);
      reply(name);
    });
  }
  for (const name of ["rename", "more", "wrap", "plain"])
    trace("client", await client.emitWithAck(name, 1));
});

scenario(
  'socket.use: an error becomes the "error" event',
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const failure = Object.assign(new Error("refused"), { data: 7 });
    socket.use((event, next) => next(event[0] === "bad" ? failure : undefined));
    socket.use((event, next) => {
      trace("server", "second", event[0]);
      next();
    });
    socket.on("bad", () => trace("server", "never"));
    const error = until(socket, "error");
    client.emit("bad");
    assert.equal((await error)[0], failure);
    assert.equal(socket.connected, true);
  },
);

scenario("onAny and friends", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  const one = (...args) =>
    trace(
      "server",
      "one",
      args.filter((item) => typeof item !== "function"),
    );
  const two = (...args) => trace("server", "two", args.length);
  assert.deepEqual(socket.listenersAny(), []);
  assert.equal(socket.onAny(one), socket);
  assert.equal(socket.prependAny(two), socket);
  assert.deepEqual(socket.listenersAny(), [two, one]);
  socket.on("x", (...args) => args.pop()());
  await client.emitWithAck("x", 1);
  assert.equal(socket.offAny(two), socket);
  assert.equal(
    socket.offAny(() => {}),
    socket,
  );
  await client.emitWithAck("x", 2);
  socket.offAny();
  assert.deepEqual(socket.listenersAny(), []);
  await client.emitWithAck("x", 3);
});

scenario("onAnyOutgoing and friends", { modes: DIRECT }, async ({ io, pair, trace }) => {
  const { client, socket } = await pair();
  const one = (...args) => trace("server", "one", args);
  const two = (...args) => trace("server", "two", args);
  assert.deepEqual(socket.listenersAnyOutgoing(), []);
  assert.equal(socket.onAnyOutgoing(one), socket);
  assert.equal(socket.prependAnyOutgoing(two), socket);
  assert.deepEqual(socket.listenersAnyOutgoing(), [two, one]);
  const calls = gather(client, "x", 5);
  socket.emit("x", 1);
  io.emit("x", 2);
  io.to(socket.id).emit("x", 3, Buffer.from("binary"));
  assert.equal(socket.offAnyOutgoing(two), socket);
  socket.emit("x", 4);
  socket.offAnyOutgoing();
  socket.emit("x", 5);
  trace("client", await calls);
});

scenario(
  "onAnyOutgoing: with acks, and not for acks",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    socket.onAnyOutgoing((...args) => trace("server", args));
    client.on("q", (reply) => reply("a"));
    trace("client", await socket.emitWithAck("q"));
    socket.on("x", (reply) => reply("b"));
    trace("client", await client.emitWithAck("x"));
  },
);

// Upstream shows a broadcast to a socket and sends it, then comes the next one. What listeners do in between counts from there on.
for (const [kind, options] of [
  ["", {}],
  [" that recovers", { connectionStateRecovery: {} }],
]) {
  for (const [what, act] of Object.entries({
    "emits to all": ({ io }) => io.emit("x", "in between"),
    "emits to each": ({ sockets }) => sockets.forEach((socket) => socket.emit("x", "in between")),
    "leaves the room": ({ socket }) => socket.leave("r"),
    "has all leave the room": ({ io }) => io.socketsLeave("r"),
    "disconnects all": ({ io }) => io.disconnectSockets(),
    throws() {
      throw new Error("of the program");
    },
  })) {
    for (const by of ["onAnyOutgoing", "packetCreate"]) {
      scenario(
        `broadcast of a server${kind}: a listener of ${by} ${what}`,
        { modes: ["websocket"], options: () => ({ ...options }) },
        async (stage) => {
          const { io, pair, trace } = stage;
          const members = [await pair(), await pair(), await pair()];
          const sockets = members.map(({ socket }) => socket);
          for (const [i, { client, socket }] of members.entries()) {
            client.on("x", (value) => trace(`client ${i}`, value));
            client.on("disconnect", (reason) => trace(`client ${i}`, reason));
            socket.join("r");
          }
          const [, socket] = sockets;
          let isOver = false;
          const listener = () => {
            if (isOver) return;
            isOver = true;
            act({ io, socket, sockets });
          };
          if (by === "onAnyOutgoing") socket.onAnyOutgoing(listener);
          else socket.conn.on("packetCreate", listener);
          const emit = (...args) => {
            isOver = false;
            try {
              io.to("r").emit("x", ...args);
            } catch (error) {
              trace("thrown", error.message);
            }
          };
          emit("text");
          for (const member of sockets) if (member.connected) member.join("r");
          emit("long".repeat(100));
          for (const member of sockets) if (member.connected) member.join("r");
          emit(Buffer.from("bytes"));
          isOver = true;
          const ends = members.flatMap(({ client }, i) =>
            sockets[i].connected
              ? [until(client, "end")]
              : [eventually(() => !client.connected, "its end")],
          );
          for (const member of sockets) if (member.connected) member.emit("end");
          await Promise.all(ends);
        },
      );
    }
  }
}

scenario(
  "volatile: once the first has gone, the next one goes",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const seen = [];
    for (let n = 0; n < 3; n++) {
      await eventually(() => socket.conn.transport.writable, "a writable transport");
      const next = until(client, "v");
      socket.volatile.emit("v", n);
      seen.push((await next)[0]);
    }
    assert.deepEqual(seen, [0, 1, 2]);
    trace("client", seen);
  },
);

scenario("volatile: the flag is for one emit only", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  const end = until(client, "end");
  const seen = [];
  client.on("n", (n) => seen.push(n));
  await eventually(() => socket.conn.transport.writable, "a writable transport");
  socket.volatile.emit("n", 1);
  for (let n = 2; n < 6; n++) socket.emit("n", n);
  socket.emit("end");
  await end;
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  trace("client", seen);
});

scenario(
  "compress: changes nothing that the application sees",
  { modes: ALL },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const calls = gather(client, "x", 5);
    assert.equal(socket.compress(true), socket);
    socket.emit("x", 1);
    socket.compress(false).emit("x", 2);
    io.compress(true).emit("x", 3);
    io.compress(false).to(socket.id).emit("x", 4);
    socket.compress(false).volatile.compress(true);
    io.of("/").compress(false).emit("x", 5);
    trace("client", await calls);
  },
);

scenario(
  "instance overrides of onevent, emit and ack are honoured",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const { onevent, ack } = socket;
    socket.onevent = function (packet) {
      trace("server", "onevent", packet.type, packet.nsp, packet.id, packet.data);
      packet.data.push("added");
      onevent.call(this, packet);
    };
    socket.ack = function (id) {
      trace("server", "ack", id);
      return ack.call(this, id);
    };
    socket.on("x", (...args) => {
      const reply = args.pop();
      reply(args);
    });
    trace("client", await client.emitWithAck("x", 1));
  },
);
