"use strict";

/** Adapters of the program: every operation goes through them, and what they send arrives. */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const {
  Adapter,
  ClusterAdapter,
  ClusterAdapterWithHeartbeat,
  SessionAwareAdapter,
} = require("socket.io-adapter");
const { eventually, gather, until } = require("../support/waiting");
const { DIRECT, scenario } = require("./harness");

const OPERATIONS = [
  "init",
  "close",
  "serverCount",
  "addAll",
  "del",
  "delAll",
  "broadcast",
  "broadcastWithAck",
  "sockets",
  "socketRooms",
  "fetchSockets",
  "addSockets",
  "delSockets",
  "disconnectSockets",
  "serverSideEmit",
  "persistSession",
  "restoreSession",
];

/** A subclass that notes the name of every operation it is asked for. */
function recording(Base, calls) {
  class Recording extends Base {}
  for (const name of OPERATIONS) {
    Recording.prototype[name] = function (...args) {
      calls.push(name);
      return name === "serverSideEmit" ? undefined : Base.prototype[name].apply(this, args);
    };
  }
  return Recording;
}

/** An adapter whose messages travel over an emitter that all servers of the "cluster" share. */
function clustered(Base, bus) {
  return class extends Base {
    constructor(nsp) {
      super(nsp, { heartbeatInterval: 1_000, heartbeatTimeout: 30_000 });
      this.take = (message) => {
        if (message.uid !== this.uid) this.onMessage(message, "0");
      };
      this.takeResponse = (uid, response) => {
        if (uid === this.uid) this.onResponse(response);
      };
      bus.on(nsp.name, this.take);
      bus.on("response", this.takeResponse);
    }

    async serverCount() {
      return bus.listenerCount(this.nsp.name);
    }

    doPublish(message) {
      process.nextTick(() => bus.emit(this.nsp.name, message));
      return Promise.resolve("0");
    }

    doPublishResponse(uid, response) {
      process.nextTick(() => bus.emit("response", uid, response));
      return Promise.resolve();
    }

    close() {
      super.close?.();
      bus.off(this.nsp.name, this.take);
      bus.off("response", this.takeResponse);
    }
  };
}

/** Not a class: only `new` makes it work. */
function Plain(nsp) {
  assert.ok(new.target);
  return new Adapter(nsp);
}

for (const Base of [Adapter, undefined]) {
  scenario(
    `adapter: every operation of ${Base ? "a subclass of Adapter" : "a subclass of the default one"}`,
    { server: false },
    async ({ lib, trace, defer, pair }) => {
      const calls = [];
      const httpServer = require("node:http").createServer();
      const io = new lib.Server(httpServer);
      io.adapter(recording(Base ?? io.adapter(), calls));
      defer(() => io.close());
      httpServer.listen(0, "127.0.0.1");
      await until(httpServer, "listening");
      const options = {
        io,
        url: `http://127.0.0.1:${httpServer.address().port}`,
        transports: ["websocket"],
      };
      const step = (name) => trace("calls", name, calls.splice(0));
      const { client, socket } = await pair("/", options);
      client.on("x", (...args) => trace("client", args.slice(0, 1)));
      client.on("ask", (reply) => reply("answer"));
      step("connect");
      socket.join("r");
      socket.leave("r");
      socket.join(["r", "s"]);
      step("join and leave");
      socket.emit("x", "direct");
      io.emit("x", "all");
      io.to("r").except("none").emit("x", "room");
      socket.broadcast.emit("x", "others");
      step("emit");
      trace("answers", await io.timeout(5_000).emitWithAck("ask"));
      step("emitWithAck");
      trace("sockets", (await io.allSockets()).size, (await io.in("r").fetchSockets()).length);
      io.in("r").socketsJoin("t");
      io.in("r").socketsLeave(["s", "t"]);
      trace("rooms", [...socket.rooms].slice(1));
      io.serverSideEmit("hello");
      step("many");
      const gone = until(client, "disconnect");
      io.in("r").disconnectSockets(true);
      await gone;
      step("disconnect");
      await io.close();
      step("close");
    },
  );
}

scenario(
  "adapter: broadcasts of an npm Adapter arrive, in order",
  {
    modes: DIRECT,
    options: { adapter: Adapter },
  },
  async ({ io, pair, trace }) => {
    const members = [];
    for (let i = 0; i < 4; i++) members.push(await pair());
    const done = members.map(({ client }) => gather(client, "x", 7));
    const [first, second] = members.map(({ socket }) => socket);
    first.onAnyOutgoing((...args) => trace("outgoing", ...args));
    second.join("r");
    first.emit("x", "before");
    io.emit("x", "all");
    first.emit("x", "between");
    io.emit("x", Buffer.from([1]), [Buffer.from([2])]);
    io.to("r").emit("x", "room");
    io.emit("x", "all again");
    for (const { socket } of members.slice(1)) socket.emit("x", "direct");
    first.broadcast.emit("x", "not the first");
    for (const { socket } of members.slice(2)) socket.emit("x", "room is not for them");
    for (const { socket } of [members[0]]) {
      socket.emit("x", 5);
      socket.emit("x", 6);
      socket.emit("x", 7);
    }
    for (const { socket } of members.slice(1)) socket.emit("x", "end");
    const packets = new io.sockets.adapter.encoder.constructor().encode({
      type: 2,
      nsp: "/",
      data: ["x", "written"],
    });
    for (const { socket } of members) socket.client.writeToEngine(packets, { compress: true });
    for (const [i, got] of (await Promise.all(done)).entries()) trace(`member ${i}`, got);
  },
);

scenario(
  "adapter: the same packets written twice arrive twice",
  {
    modes: ["websocket"],
  },
  async ({ io, pair, trace }) => {
    const a = await pair();
    const b = await pair();
    const packets = io.encoder.encode({ type: 2, nsp: "/", data: ["x", 1] });
    const heard = [gather(a.client, "x", 3), gather(b.client, "x", 2)];
    for (const { socket } of [a, a, b, a, b]) socket.client.writeToEngine(packets, {});
    trace("heard", await Promise.all(heard));
  },
);

scenario("adapter: changed with live sockets", { modes: ["websocket"] }, async (stage) => {
  const { io, pair, trace } = stage;
  const { client, socket } = await pair();
  const before = io.of("/").adapter;
  client.on("x", (value) => trace("client", value));
  socket.join("r");
  const calls = [];
  assert.equal(io.adapter(recording(io.adapter(), calls)), io);
  const { adapter } = io.of("/");
  assert.notEqual(adapter, before);
  assert.equal(socket.adapter, before, "a socket keeps the adapter that it was born with");
  trace("rooms", [...socket.rooms].slice(1), adapter.rooms.size, adapter.sids.size);
  io.emit("x", "reaches nobody");
  socket.emit("x", "direct");
  const late = await pair();
  late.client.on("x", (value) => trace("late", value));
  io.emit("x", "reaches the late one");
  adapter.addAll(socket.id, new Set(["again"]));
  io.to("again").emit("x", "added by hand");
  io.emit("x", "both");
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  io.to("again").emit("x", "nobody");
  const end = until(late.client, "end");
  io.emit("end");
  await end;
  trace("calls", [...new Set(calls)].sort());
});

scenario(
  "adapter: a plain function, called with new",
  {
    options: { adapter: Plain },
    modes: ["websocket"],
  },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    socket.join("r");
    const heard = until(client, "x");
    io.to("r").emit("x", 1);
    trace("client", await heard);
    assert.equal(typeof io.adapter(), "function");
  },
);

scenario(
  "adapter: SessionAwareAdapter of npm",
  {
    modes: ["websocket"],
    options: { adapter: SessionAwareAdapter, connectionStateRecovery: {} },
  },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const heard = until(client, "x");
    socket.emit("x");
    await heard;
    const gone = until(socket, "disconnect");
    client.io.engine.close();
    await gone;
    io.emit("missed");
    client.on("missed", (...args) => trace("missed", args.length));
    const connection = until(io, "connection");
    client.connect();
    trace("recovered", (await connection)[0].recovered);
    await until(client, "connect");
  },
);

for (const Base of [ClusterAdapter, ClusterAdapterWithHeartbeat]) {
  scenario(
    `adapter: two servers behind a ${Base.name}`,
    {
      server: false,
    },
    async ({ lib, trace, defer, pair }) => {
      const bus = new EventEmitter();
      const adapter = clustered(Base, bus);
      const members = [];
      for (const name of ["one", "two"]) {
        const httpServer = require("node:http").createServer();
        const io = new lib.Server(httpServer, { adapter });
        defer(() => io.close());
        httpServer.listen(0, "127.0.0.1");
        await until(httpServer, "listening");
        const url = `http://127.0.0.1:${httpServer.address().port}`;
        const member = await pair("/", { io, url, transports: ["websocket"] });
        member.client.on("x", (...args) => trace(name, ...args));
        member.client.on("ask", (reply) => reply(name));
        io.on("hello", (...args) => {
          const reply = args.pop();
          trace(`side of ${name}`, ...args);
          reply(name);
        });
        members.push({ ...member, io });
      }
      const [one, two] = members;
      two.socket.join("r");
      one.io.emit("x", "everyone", Buffer.from([1]));
      one.io.local.emit("x", "local");
      one.io.to("r").emit("x", "room");
      one.socket.broadcast.emit("x", "others");
      const answers = await one.io.timeout(5_000).emitWithAck("ask");
      trace("answers", answers.sort());
      const sockets = await one.io.fetchSockets();
      trace("fetch", sockets.length, sockets.filter((socket) => socket === one.socket).length);
      const remote = sockets.find((socket) => socket !== one.socket);
      trace("remote", Object.keys(remote), [...remote.rooms].length);
      trace(
        "remote answer",
        await new Promise((done) => remote.timeout(5_000).emit("ask", (...args) => done(args))),
      );
      one.io.in("r").socketsJoin("far");
      await eventually(() => two.socket.rooms.has("far"), "a join from afar");
      trace("server side", await one.io.serverSideEmitWithAck("hello", 1));
      const gone = until(two.client, "disconnect");
      one.io.in("far").disconnectSockets();
      trace("gone", await gone);
    },
  );
}
