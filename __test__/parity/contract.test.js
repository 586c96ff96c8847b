"use strict";

/** What programs and libraries rely on besides the documented API. */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { format } = require("node:util");
const debug = require("debug");
const { eventually, turns, until } = require("../support/waiting");
const { DIRECT, scenario } = require("./harness");

scenario(
  "contract: a wildcard library that replaces onevent",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    io.use((socket, next) => {
      const { onevent } = socket;
      socket.onevent = function (packet) {
        const args = packet.data.slice();
        if (packet.id !== undefined) args.push(this.ack(packet.id));
        trace("packet", Object.keys(packet).length >= 3, packet.type, packet.nsp);
        onevent.call(this, packet);
        EventEmitter.prototype.emit.call(this, "*", { data: args });
      };
      next();
    });
    const { client, socket } = await pair();
    socket.on("*", ({ data }) => {
      const last = data.at(-1);
      trace("wildcard", data);
      if (typeof last === "function") last("from the wildcard");
    });
    socket.on("known", () => trace("known"));
    client.emit("known");
    trace("answer", await client.emitWithAck("unknown", 1));
  },
);

scenario(
  "contract: own on, emit and addListener of a socket are used",
  { modes: ["websocket"] },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    for (const name of ["on", "addListener", "emit"]) {
      const original = socket[name];
      socket[name] = function (...args) {
        trace("called", name, args[0]);
        return original.apply(this, args);
      };
    }
    socket.on("a", () => socket.emit("b"));
    socket.addListener("c", () => {});
    const heard = until(client, "b");
    client.emit("a");
    await heard;
    const message = until(client, "message");
    socket.send("goes through emit");
    await message;
  },
);

scenario(
  "contract: the array that a middleware sees is the one that is dispatched",
  { modes: ["websocket"] },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const seen = new Set();
    for (let i = 0; i < 2; i++) {
      socket.use((event, next) => {
        seen.add(event);
        event.push(i);
        if (i === 1) event.unshift("renamed");
        next();
      });
    }
    const renamed = until(socket, "renamed");
    client.emit("a", "b");
    trace("arguments", await renamed, seen.size);
  },
);

scenario(
  "contract: Object.prototype with more in it",
  { modes: DIRECT },
  async ({ io, pair, trace, defer }) => {
    defer(() => delete Object.prototype.polluted);
    // oxlint-disable-next-line no-extend-native -- old libraries do it
    Object.prototype.polluted = turns;
    const { client, socket } = await pair();
    client.on("ask", (value, reply) => reply(value));
    trace("plain", await socket.emitWithAck("ask", { a: [{ b: 1 }] }));
    trace("binary", await socket.emitWithAck("ask", { a: Buffer.from([1]) }));
    trace("all", await io.timeout(5_000).emitWithAck("ask", { c: new Uint8Array([2]) }));
    trace("flags", Object.keys(io.local.compress(false).flags).sort());
  },
);

scenario("contract: client.ondata", { modes: DIRECT }, async ({ pair, trace }) => {
  const { socket } = await pair();
  const heard = until(socket, "by hand");
  socket.client.ondata('2["by hand",1]');
  trace("event", await heard);
  socket.on("error", () => trace("order", "error"));
  const gone = until(socket, "disconnect");
  socket.client.ondata(null);
  trace("order", (await gone)[0]);
});

scenario("contract: patched prototypes", { modes: ["websocket"] }, async (stage) => {
  const { lib, io, pair, trace, defer } = stage;
  const { BroadcastOperator } = require(
    `${require("node:path").dirname(stage.implementation.path).replace(/dist$/, "")}/dist/broadcast-operator.js`,
  );
  const patch = (prototype, name, label) => {
    const own = Object.getOwnPropertyDescriptor(prototype, name);
    const original = prototype[name];
    prototype[name] = function (...args) {
      trace("patched", label, name, args[0]);
      return original.apply(this, args);
    };
    defer(() => {
      if (own) Object.defineProperty(prototype, name, own);
      else delete prototype[name];
    });
  };
  patch(lib.Server.prototype, "on", "server");
  patch(lib.Namespace.prototype, "emit", "namespace");
  patch(lib.Socket.prototype, "emit", "socket");
  patch(BroadcastOperator.prototype, "emit", "operator");
  io.on("connection", () => {});
  const { client, socket } = await pair();
  const heard = until(client, "four");
  io.emit("one");
  io.to(socket.id).emit("two");
  socket.emit("three");
  io.of("/").emit("four");
  await heard;
  assert.ok(io.to("x") instanceof BroadcastOperator);
  trace("names", socket.nsp.adapter.nsp.name, [...io.to("x").rooms], io.to("x").adapter.nsp.name);
});

scenario(
  "contract: paths that are required by name",
  { server: false },
  async ({ lib, ...stage }) => {
    const root = require("node:path").dirname(stage.implementation.path).replace(/dist$/, "");
    const load = (file) => require(require("node:path").join(root, "dist", file));
    assert.equal(load("socket.js").Socket, lib.Socket);
    assert.equal(load("namespace.js").Namespace, lib.Namespace);
    assert.equal(load("index.js").Server, lib.Server);
    assert.equal(typeof load("index.js"), "function");
    for (const [file, name] of [
      ["broadcast-operator.js", "BroadcastOperator"],
      ["broadcast-operator.js", "RemoteSocket"],
      ["client.js", "Client"],
      ["parent-namespace.js", "ParentNamespace"],
    ]) {
      assert.equal(typeof load(file)[name], "function", file);
    }
    stage.trace("reserved", load("namespace.js").RESERVED_EVENTS);
  },
);

scenario(
  "contract: namespaces made on demand",
  { modes: ["websocket"], options: { cleanupEmptyChildNamespaces: true } },
  async ({ io, lib, pair, client, trace, connected }) => {
    assert.throws(() => io.of(/x/g), { message: "stateful regular expressions are not supported" });
    assert.throws(() => io.of(/x/y), { message: "stateful regular expressions are not supported" });
    io.on("new_namespace", (nsp) => trace("new", nsp.name, nsp instanceof lib.Namespace));
    const parent = io.of(/^\/dynamic-\d+$/);
    parent.use((socket, next) => {
      trace("middleware", socket.nsp.name);
      next(socket.handshake.auth.refuse ? new Error("refused") : undefined);
    });
    parent.on("connection", (socket) => trace("connection", socket.nsp.name));
    const chosen = io.of((name, auth, next) => {
      trace("asked", name, auth);
      next(null, name === "/chosen");
    });
    const one = await pair("/dynamic-1");
    const two = await pair("/dynamic-1");
    trace(
      "children",
      [...parent.children].map(({ name }) => name),
      chosen.children.size,
    );
    const heard = [until(one.client, "x"), until(two.client, "x")];
    assert.equal(parent.emit("x", 1), true);
    trace("heard", await Promise.all(heard));
    assert.equal(io.of("/dynamic-1"), one.socket.nsp);
    trace("by hand", io.of("/dynamic-2").name, parent.children.size);
    await pair("/chosen");
    for (const { client: leaving, socket } of [one, two]) {
      const gone = until(socket, "disconnect");
      leaving.disconnect();
      await gone;
      trace("left", parent.children.size, io._nsps.has("/dynamic-1"));
    }
    const refused = client("/dynamic-3", { auth: { refuse: true } });
    trace("refused", await until(refused, "connect_error"));
    await eventually(() => !io._nsps.has("/dynamic-3"), "the empty namespace to go");
    const unknown = client("/unknown");
    trace("unknown", await until(unknown, "connect_error"));
    trace("again", (await pair("/dynamic-1")).socket.nsp !== one.socket.nsp);
    assert.throws(() => parent.fetchSockets(), {
      message: "fetchSockets() is not supported on parent namespaces",
    });
    await connected(client("/chosen"));
    trace("names", [...io._nsps.keys()]);
  },
);

scenario("contract: what DEBUG tells", { modes: ["websocket"] }, async (stage) => {
  const { io, pair, trace, defer } = stage;
  const { log } = debug;
  const lines = new Set();
  defer(() => {
    debug.disable();
    debug.log = log;
  });
  debug.log = (...args) => {
    const line = /(socket\.io:(?!border)[\s\S]*)$/.exec(format(...args));
    if (line) lines.add(line[1].replace(/ \+\d+m?s/, ""));
  };
  debug.enable("socket.io:*");
  const { client, socket } = await pair();
  const { id } = socket;
  io.use((_socket, next) => next(new Error("no")));
  socket.on("up", (value, reply) => reply(value));
  await client.emitWithAck("up", 1);
  client.on("ask", (reply) => reply(2));
  await socket.emitWithAck("ask");
  await io.timeout(5_000).emitWithAck("ask");
  socket.join("r");
  socket.leave("r");
  socket.use((event, next) => next());
  const used = until(socket, "used");
  client.emit("used");
  await used;
  const refused = stage.client("/");
  await until(refused, "connect_error");
  const unknown = stage.client("/unknown");
  await until(unknown, "connect_error");
  const conn = socket.conn.id;
  const gone = until(socket, "disconnect");
  socket.client.ondata("9");
  await gone;
  await turns(2);
  const told = [...lines].map((line) =>
    line
      .replaceAll(id, "<id>")
      .replaceAll(conn, "<sid>")
      .replaceAll(/\[ '[\w-]{20}' \]|[\w-]{20}$/g, "<id>"),
  );
  trace("lines", [...new Set(told)].sort());
});
