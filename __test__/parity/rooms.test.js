"use strict";

/** Rooms, broadcasts, operators, and the calls that act on many sockets. */

const assert = require("node:assert/strict");
const { eventually, gather, turns, until } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

/** `count` pairs whose clients note every "x" they get until "end". */
async function crowd({ pair, io }, count, namespace = "/") {
  const members = [];
  for (let i = 0; i < count; i++) {
    const member = await pair(namespace);
    member.got = [];
    member.client.on("x", (...args) => member.got.push(args.length === 1 ? args[0] : args));
    members.push(member);
  }
  /** What each has received so far, everybody having seen an end mark. */
  const received = async () => {
    const ends = members
      .filter(({ client }) => client.connected)
      .map(({ client }) => until(client, "end"));
    for (const { socket } of members) if (socket.connected) socket.emit("end");
    await Promise.all(ends);
    return members.map(({ got }) => got.splice(0));
  };
  return { members, received, sockets: members.map(({ socket }) => socket), io };
}

scenario(
  "rooms: join, leave, contents and order",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { socket } = await pair();
    assert.ok(socket.rooms instanceof Set);
    assert.deepEqual([...socket.rooms], [socket.id]);
    assert.equal(socket.join("b"), undefined);
    socket.join(["a", "c", "b"]);
    assert.deepEqual([...socket.rooms], [socket.id, "b", "a", "c"]);
    assert.equal(socket.leave("a"), undefined);
    socket.leave("never joined");
    assert.deepEqual([...socket.rooms], [socket.id, "b", "c"]);
    assert.deepEqual([...io.sockets.adapter.rooms.keys()], [socket.id, "b", "c"]);
    assert.deepEqual(io.sockets.adapter.rooms.get("b"), new Set([socket.id]));
    assert.deepEqual(io.of("/").adapter.sids.get(socket.id), socket.rooms);
    socket.leave(socket.id);
    trace("rooms", socket.rooms);
    socket.leaveAll();
    trace("rooms", socket.rooms, io.sockets.adapter.rooms);
    socket.join("again");
    trace("rooms", socket.rooms);
  },
);

scenario("rooms: names that are not strings", { modes: ["websocket"] }, async (stage) => {
  const { io, trace } = stage;
  const { sockets, received } = await crowd(stage, 2);
  sockets[0].join(1);
  sockets[1].join("1");
  io.to(1).emit("x", "number");
  io.to("1").emit("x", "string");
  sockets[0].join(["", "__proto__", "ü"]);
  for (const room of ["", "__proto__", "ü", undefined, null]) io.to(room).emit("x", String(room));
  trace("received", await received(), sockets[0].rooms);
});

scenario(
  'rooms: still there in "disconnecting", gone in "disconnect"',
  { modes: ALL },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    socket.join(["one", "two"]);
    socket.on("disconnecting", (reason) =>
      trace("server", "disconnecting", reason, [...socket.rooms], socket.connected),
    );
    const gone = until(socket, "disconnect");
    client.disconnect();
    const [reason] = await gone;
    assert.equal(socket.rooms.size, 0);
    trace("server", "disconnect", reason, [...socket.rooms], socket.connected);
    socket.join("too late");
    assert.equal(socket.rooms.size, 0, "nothing joins after the end");
  },
);

scenario(
  "rooms: a room of one's own, at which nobody has looked",
  { modes: DIRECT },
  async (stage) => {
    const { members, received, sockets, io } = await crowd(stage, 4);
    const [first, second, third, fourth] = sockets;
    const { adapter } = io.of("/");
    const names = new Map(sockets.map(({ id }, n) => [id, n]));
    const show = (sets) =>
      [...sets].map(([name, set]) => [
        names.get(name) ?? name,
        [...set].map((of) => names.get(of) ?? of),
      ]);
    io.to(first.id).emit("x", 1);
    io.except(second.id).emit("x", 2);
    third.join(first.id);
    io.to(first.id).emit("x", 3);
    first.to(first.id).emit("x", 4);
    stage.trace("received", await received());
    third.leave(first.id);
    io.to(first.id).emit("x", 5);
    second.leave(second.id);
    io.to(second.id).emit("x", 6);
    stage.trace("received", await received());
    assert.equal(adapter.rooms.size, 3);
    assert.equal(adapter.sids.size, 4);
    const told = [];
    for (const name of ["leave-room", "delete-room"])
      adapter.on(name, (room, id) => told.push([name, names.get(room) ?? room, names.get(id)]));
    fourth.join("last");
    fourth.disconnect();
    third.disconnect();
    stage.trace("told", told);
    second.join(second.id);
    io.socketsJoin("all");
    stage.trace("rooms", show(adapter.rooms));
    stage.trace("sids", show(adapter.sids));
    for (const { client } of members) client.disconnect();
  },
);

scenario("rooms: adapter events", { modes: ["websocket"] }, async ({ io, pair, trace }) => {
  const { client, socket } = await pair();
  for (const event of ["create-room", "join-room", "leave-room", "delete-room"]) {
    io.of("/").adapter.on(event, (...args) => trace("adapter", event, ...args));
  }
  socket.join("r");
  socket.join("r");
  socket.leave("r");
  socket.join(["s", "t"]);
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
});

scenario("rooms: an adapter with an emit() of its own", { modes: DIRECT }, async (stage) => {
  const { io, pair, trace } = stage;
  const { adapter } = io.of("/");
  const { emit } = adapter;
  adapter.emit = function (event, ...args) {
    trace("adapter", event, ...args);
    return emit.call(this, event, ...args);
  };
  const { client, socket } = await pair();
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  assert.equal(stage.channels.adapter.length, 4);
});

scenario(
  "broadcast: io.emit and io.of().emit reach everybody of the namespace",
  { modes: ALL },
  async (stage) => {
    const { io, trace } = stage;
    io.of("/other");
    const root = await crowd(stage, 2);
    const other = await crowd(stage, 1, "/other");
    io.emit("x", 1);
    io.of("/other").emit("x", 2);
    io.sockets.emit("x", 3);
    const seen = [await root.received(), await other.received()];
    assert.deepEqual(seen, [
      [
        [1, 3],
        [1, 3],
      ],
      [[2]],
    ]);
    trace("received", seen);
  },
);

scenario(
  "broadcast: to one room, several rooms, arrays; one copy each",
  { modes: ALL },
  async (stage) => {
    const { io, trace } = stage;
    const { sockets, received } = await crowd(stage, 4);
    sockets[0].join(["a", "b"]);
    sockets[1].join("b");
    sockets[2].join("c");
    io.to("a").emit("x", 1);
    io.to("a").to("b").emit("x", 2);
    io.in(["a", "b", "c"]).emit("x", 3);
    io.to(["a"]).in("c").emit("x", 4);
    io.to("none").emit("x", 5);
    io.to([]).emit("x", 6);
    const seen = await received();
    assert.deepEqual(seen, [[1, 2, 3, 4, 6], [2, 3, 6], [3, 4, 6], [6]]);
    trace("received", seen);
  },
);

scenario("broadcast: except rooms and sockets", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const { sockets, received } = await crowd(stage, 4);
  sockets[0].join(["a", "b"]);
  sockets[1].join(["a"]);
  sockets[2].join(["a", "c"]);
  io.except("b").emit("x", 1);
  io.to("a").except("b").emit("x", 2);
  io.to("a").except(["b", "c"]).emit("x", 3);
  io.to("a").except(sockets[1].id).emit("x", 4);
  io.except(["a", "none"]).emit("x", 5);
  io.except("a").except(sockets[3].id).emit("x", 6);
  const seen = await received();
  assert.deepEqual(seen, [[4], [1, 2, 3], [1, 2, 4], [1, 5]]);
  trace("received", seen);
});

scenario("broadcast: from a socket leaves the sender out", { modes: ALL }, async (stage) => {
  const { trace } = stage;
  const { sockets, received } = await crowd(stage, 3);
  for (const socket of sockets) socket.join("all");
  const [sender] = sockets;
  sender.broadcast.emit("x", 1);
  sender.to("all").emit("x", 2);
  sender.in(["all"]).except(sockets[1].id).emit("x", 3);
  sender.except(sockets[2].id).emit("x", 4);
  sender.to(sender.id).emit("x", 5);
  sender.local.emit("x", 6);
  sender.broadcast.to("all").emit("x", 7);
  const seen = await received();
  assert.deepEqual(seen, [[], [1, 2, 4, 6, 7], [1, 2, 3, 6, 7]]);
  trace("received", seen);
});

scenario("broadcast: targets are those of the moment of emit", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const { sockets, received } = await crowd(stage, 2);
  sockets[0].join("r");
  io.to("r").emit("x", 1);
  sockets[0].leave("r");
  sockets[1].join("r");
  io.to("r").emit("x", 2);
  sockets[0].join("r");
  io.to("r").emit("x", 3);
  const seen = await received();
  assert.deepEqual(seen, [
    [1, 3],
    [2, 3],
  ]);
  trace("received", seen);
});

scenario(
  "broadcast: order with plain emits of the same tick",
  { modes: ALL },
  async ({ io, pair }) => {
    const { client, socket } = await pair();
    const calls = gather(client, "x", 6);
    socket.emit("x", 1);
    io.emit("x", 2);
    socket.emit("x", 3);
    io.to(socket.id).emit("x", 4);
    io.local.emit("x", 5);
    socket.emit("x", 6);
    assert.deepEqual((await calls).flat(), [1, 2, 3, 4, 5, 6]);
  },
);

scenario(
  "broadcast: followed by a disconnect in the same tick",
  { modes: ALL },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const seen = [];
    client.on("x", (n) => seen.push(n));
    socket.join("r");
    const gone = until(client, "disconnect");
    io.to("r").emit("x", 1);
    socket.emit("x", 2);
    socket.disconnect();
    io.to("r").emit("x", 3);
    socket.emit("x", 4);
    trace("client", await gone);
    assert.deepEqual(seen, [1, 2]);
  },
);

scenario("broadcast: binary, to both transports", { modes: ALL }, async ({ io, pair, trace }) => {
  const here = await pair();
  const there = await pair({ transports: ["polling"] });
  const calls = [until(here.client, "x"), until(there.client, "x")];
  io.emit("x", { a: Buffer.from("one"), b: [new Uint8Array([2])] });
  const got = await Promise.all(calls);
  assert.deepEqual(got[0], got[1]);
  trace("received", got);
});

scenario(
  "broadcast: arguments are serialised once, as they are now",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { client } = await pair();
    await pair();
    let calls = 0;
    const value = {
      n: 1,
      toJSON() {
        calls++;
        return { n: this.n };
      },
    };
    const got = until(client, "x");
    io.emit("x", value);
    value.n = 2;
    assert.deepEqual(await got, [{ n: 1 }]);
    trace("received", calls);
  },
);

scenario("operators: immutable", { modes: ["websocket"] }, async (stage) => {
  const { io, trace } = stage;
  const { sockets, received } = await crowd(stage, 3);
  sockets[0].join("a");
  sockets[1].join("b");
  const base = io.to("a");
  const both = base.to("b");
  const neither = base.except("a");
  assert.notEqual(base, both);
  base.emit("x", 1);
  both.emit("x", 2);
  neither.emit("x", 3);
  const sender = sockets[2].to("a");
  sender.to("b").emit("x", 4);
  sender.emit("x", 5);
  const seen = await received();
  assert.deepEqual(seen, [[1, 2, 4, 5], [2, 4], []]);
  trace(
    "class",
    base.constructor.name,
    both.constructor.name,
    sockets[0].broadcast.constructor.name,
  );
});

scenario(
  "operators: flags on the server leave no trace on the next emit",
  { modes: DIRECT },
  async (stage) => {
    const { io } = stage;
    const { received } = await crowd(stage, 2);
    io.to("nobody");
    io.except("nobody");
    void io.volatile;
    void io.local;
    io.timeout(1);
    io.compress(false);
    io.emit("x", 1);
    assert.deepEqual(await received(), [[1], [1]]);
  },
);

scenario("fetchSockets, allSockets and their order", { modes: DIRECT }, async (stage) => {
  const { io, trace } = stage;
  const { sockets } = await crowd(stage, 3);
  sockets[2].join("r");
  sockets[0].join("r");
  sockets[1].join("s");
  assert.deepEqual(await io.fetchSockets(), sockets);
  assert.deepEqual(await io.in("r").fetchSockets(), [sockets[2], sockets[0]]);
  assert.deepEqual(await io.in(["s", "r"]).fetchSockets(), [sockets[1], sockets[2], sockets[0]]);
  assert.deepEqual(await io.except("r").fetchSockets(), [sockets[1]]);
  assert.deepEqual(await sockets[0].broadcast.fetchSockets(), [sockets[1], sockets[2]]);
  assert.deepEqual(await io.in("none").fetchSockets(), []);
  const all = await io.allSockets();
  assert.deepEqual(
    [...all],
    sockets.map(({ id }) => id),
  );
  assert.deepEqual([...(await io.in("r").allSockets())], [sockets[2].id, sockets[0].id]);
  assert.deepEqual([...(await io.of("/").allSockets())], [...all]);
  trace("ids", all);
});

scenario("socketsJoin and socketsLeave", { modes: DIRECT }, async (stage) => {
  const { io, trace } = stage;
  const { sockets, received } = await crowd(stage, 3);
  assert.equal(io.socketsJoin("all"), undefined);
  io.in(sockets[0].id).socketsJoin(["one", "two"]);
  sockets[2].broadcast.socketsJoin("not two");
  trace(
    "rooms",
    sockets.map(({ rooms }) => [...rooms]),
  );
  io.in("one").socketsLeave("two");
  io.except("one").socketsLeave(["all", "not two"]);
  trace(
    "rooms",
    sockets.map(({ rooms }) => [...rooms]),
  );
  io.to("all").emit("x", 1);
  assert.deepEqual(await received(), [[1], [], []]);
});

scenario(
  "disconnectSockets: of a room, then all with their connections",
  { modes: ALL },
  async (stage) => {
    const { io, trace } = stage;
    const { members, sockets } = await crowd(stage, 3);
    sockets[1].join("out");
    const first = [until(members[1].client, "disconnect"), until(sockets[1], "disconnect")];
    assert.equal(io.in("out").disconnectSockets(), undefined);
    const reasons = (await Promise.all(first)).map(([reason]) => reason);
    assert.deepEqual(reasons, ["io server disconnect", "server namespace disconnect"]);
    assert.equal(sockets[0].connected, true);
    const rest = [members[0], members[2]].flatMap(({ client, socket }) => [
      until(client, "disconnect"),
      until(socket, "disconnect"),
      until(socket.conn, "close"),
    ]);
    io.disconnectSockets(true);
    trace(
      "reasons",
      (await Promise.all(rest)).map(([reason]) => reason),
    );
    assert.equal(io.sockets.sockets.size, 0);
  },
);

scenario(
  "RemoteSocket: what fetchSockets yields for local sockets",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair({ auth: { a: 1 } });
    socket.data.name = "n";
    socket.join("r");
    const [remote] = await io.in("r").fetchSockets();
    assert.equal(remote.id, socket.id);
    assert.deepEqual(remote.data, { name: "n" });
    assert.deepEqual(remote.handshake.auth, { a: 1 });
    assert.deepEqual([...remote.rooms], [socket.id, "r"]);
    const hello = until(client, "hello");
    remote.emit("hello", 1);
    await hello;
    remote.join("s");
    remote.leave("r");
    trace("rooms", remote.rooms);
    const gone = until(client, "disconnect");
    remote.disconnect();
    trace("gone", await gone);
  },
);

scenario(
  "RemoteSocket: made from an adapter's description",
  { modes: ["websocket"] },
  async ({ io, lib, pair, trace }) => {
    const { client, socket } = await pair();
    client.on("q", (n, reply) => reply(n + 1));
    const { adapter } = io.of("/");
    adapter.fetchSockets = async () => [
      { id: socket.id, handshake: { url: "/elsewhere" }, rooms: [socket.id, "r"], data: { d: 1 } },
    ];
    const [remote] = await io.fetchSockets();
    assert.notEqual(remote, socket);
    trace("shape", remote.id, remote.handshake, remote.rooms, remote.data, remote.constructor.name);
    assert.equal(typeof lib.RemoteSocket, typeof require("socket.io").RemoteSocket);
    const hello = until(client, "hello");
    trace("emit", remote.emit("hello", 1), await hello);
    trace("ack", await remote.timeout(10_000).emitWithAck("q", 1));
    remote.join(["s"]);
    remote.leave("r");
    trace("rooms", socket.rooms);
    const gone = until(client, "disconnect");
    trace("disconnect", remote.disconnect() === remote, await gone);
  },
);

scenario("serverSideEmit on a single node", async ({ io, trace }) => {
  const { warn } = console;
  const warnings = [];
  console.warn = (...args) => warnings.push(args);
  try {
    io.on("hello", () => trace("server", "never"));
    assert.equal(io.serverSideEmit("hello", 1), true);
    assert.equal(io.of("/").serverSideEmit("hello"), true);
    await turns(2);
  } finally {
    console.warn = warn;
  }
  trace("warnings", warnings);
  assert.equal(warnings.length, 2);
});

scenario(
  "an adapter of one's own sees joins, leaves and broadcasts",
  {
    modes: ["websocket"],
    options: () => {
      const { Adapter } = require("socket.io-adapter");
      class Counting extends Adapter {
        calls = [];
        init() {
          this.calls.push("init");
        }
        close() {
          this.calls.push("close");
        }
        addAll(id, rooms) {
          this.calls.push(["addAll", [...rooms].length]);
          return super.addAll(id, rooms);
        }
        del(id, room) {
          this.calls.push(["del", room]);
          return super.del(id, room);
        }
        delAll(id) {
          this.calls.push(["delAll"]);
          return super.delAll(id);
        }
        broadcast(packet, opts) {
          this.calls.push([
            "broadcast",
            packet.data,
            [...opts.rooms],
            [...opts.except].length,
            { ...opts.flags },
          ]);
          return super.broadcast(packet, opts);
        }
      }
      return { adapter: Counting };
    },
  },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const other = await pair();
    const calls = gather(client, "x", 2);
    socket.join("r");
    io.to("r").volatile.local.compress(false).emit("x", 1);
    other.socket.broadcast.emit("x", 2);
    trace("client", await calls);
    socket.leave("r");
    const gone = until(socket, "disconnect");
    client.disconnect();
    await gone;
    trace("calls", io.of("/").adapter.calls);
  },
);

scenario(
  "rooms: join and leave as what forEach and map call",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { socket } = await pair();
    const rooms = () => [...socket.rooms].filter((room) => room !== socket.id);
    ["a", "b"].forEach(socket.join, socket);
    trace("server", rooms());
    ["a"].forEach(socket.leave.bind(socket));
    trace("server", rooms());
    await Promise.all(["c", "d"].map(socket.join, socket));
    for (const odd of [true, "x", {}, 5, null, Symbol("s")]) socket.join("e", odd);
    trace("server", rooms());
    socket.rooms.forEach(socket.leave, socket);
    trace("server", [...socket.rooms]);
    socket.leaveAll("x", "y");
    socket.join();
    socket.join(null, 1);
    socket.join([], 1);
    trace("server", [...socket.rooms]);
    io.to("a", 1).in("b", {}).except(["c"], 2).emit("x");
    io.socketsJoin("f", 1);
    io.socketsLeave("f", 1);
    trace("server", [...socket.rooms].length);
    await turns(); // whatever takes an index for a callback calls it in a later tick
  },
);

// A listener of the adapter may act on the very socket that is joining. Whoever has left is sent nothing more.
for (const [event, leaves] of Object.entries({
  "create-room": ["leaveAll", "leave", "disconnect", "close"],
  "join-room": ["leaveAll", "disconnect", "close"],
})) {
  for (const way of leaves) {
    scenario(
      `rooms: a socket that a listener of "${event}" has go (${way}) joins no more`,
      { modes: ["websocket"] },
      async (stage) => {
        const { io, trace } = stage;
        const { members, sockets, received } = await crowd(stage, 2);
        const [socket, other] = sockets;
        const { adapter } = io.of("/");
        const go = {
          leaveAll: () => socket.leaveAll(),
          leave: () => socket.leave("b"),
          disconnect: () => socket.disconnect(),
          close: () => socket.disconnect(true),
        };
        adapter.on(event, (room) => {
          if (room === "b") go[way]();
        });
        assert.throws(() => socket.join(["a", "b", "c"]), TypeError);
        adapter.removeAllListeners(event);
        for (const room of ["a", "b", "c"]) io.to(room).emit("x", room);
        other.join(["b", "c"]);
        for (const room of ["a", "b", "c"]) io.to(room).emit("x", `${room} again`);
        if (!socket.connected)
          await eventually(() => !members[0].client.connected, "the end of the client");
        const got = await received();
        trace("received", got, [...adapter.rooms.keys()]);
        if (way !== "leave") assert.deepEqual(got[0], []);
      },
    );
  }
}

scenario(
  "rooms: who has joined one in a middleware gets what is broadcast when it joins its own",
  { modes: ["websocket"] },
  async ({ io, client, connected, trace }) => {
    io.use((socket, next) => {
      socket.join("early");
      next();
    });
    io.of("/").adapter.on("join-room", (room, id) => {
      if (room !== id) return;
      io.emit("x", "to all");
      io.to("early").emit("x", "to the room");
      io.to(id).emit("x", "to its own");
    });
    for (const name of ["first", "second"]) {
      const member = client();
      const calls = gather(member, "x", 3);
      await connected(member);
      trace(name, await calls);
    }
  },
);
