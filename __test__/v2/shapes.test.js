"use strict";

/** Plain objects of Socket.IO 2.x that hold what 4.x has in Maps, and packets of kinds that 4.x does not take. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { inspect } = require("node:util");
const { WebSocket } = require("ws");
const { fetch } = require("../support/raw-http");
const { deferred, gather, until, within } = require("../support/waiting");
const { BOTH, ONLY_V2, old } = require("./harness");

old("the sockets of a client", ONLY_V2, async ({ serve, client, trace }) => {
  const io = await serve();
  const connection = until(io.of("/n"), "connection");
  const one = client("/n");
  const [socket] = await connection;
  if (!one.connected) await until(one, "connect");
  const { nsps, sockets } = socket.client;
  trace("nsps", Object.keys(nsps), nsps["/n"] === socket, nsps["/none"], "/none" in nsps);
  trace("sockets", Object.keys(sockets), sockets[socket.id] === socket, sockets.none);
  const root = nsps["/"];
  assert.equal(sockets[root.id], root);
  for (const name in nsps) trace("for in", name, Object.hasOwn(nsps, name));
  trace("printed", inspect({ ...nsps }, { depth: 0 }).includes("/n"), inspect(nsps).includes("/n"));
  const gone = until(one, "disconnect");
  socket.disconnect();
  await gone;
  trace("left", Object.keys(nsps), Object.keys(sockets));
});

old("what is deleted from a client's namespaces hears nothing more", ONLY_V2, async (stage) => {
  const { serve, pair, trace } = stage;
  const io = await serve();
  io.of("/order").on("connection", (socket) => socket.on("ask", (answer) => answer()));
  const { client, socket } = await pair();
  socket.on("event", (what) => trace("event", what));
  const order = client.io.socket("/order");
  stage.defer(() => order.close());
  await until(order, "connect");
  const { nsps } = socket.client;
  delete nsps["/"];
  trace("deleted", Object.keys(nsps));
  client.emit("event", "not heard");
  const asked = deferred("an answer in the other namespace");
  order.emit("ask", asked.resolve); // the packet before it has been dealt with when this is answered
  await asked.promise;
  nsps["/"] = socket;
  trace("again", nsps["/"] === socket);
  const last = until(socket, "last");
  client.emit("event", "heard");
  client.emit("last");
  await last;
});

old("acknowledgements to come", ONLY_V2, async ({ serve, pair, trace }) => {
  await serve();
  const { client, socket } = await pair();
  trace("none", Object.keys(socket.acks));
  client.on("ask", (n, answer) => answer(n + 1));
  const answered = deferred("an answer");
  socket.emit("ask", 1, answered.resolve);
  const [id] = Object.keys(socket.acks);
  trace("one", id, typeof socket.acks[id], Object.keys(socket.acks).length);
  trace("answer", await answered.promise);
  await new Promise(setImmediate); // the callback runs before it is forgotten
  trace("forgotten", Object.keys(socket.acks));

  const byHand = deferred("an answer to a callback that was put there by hand");
  socket.acks[100] = byHand.resolve;
  socket.acks[101] = () => trace("never", "called");
  delete socket.acks[101];
  client.packet({ type: 3, id: 101, data: ["no"] });
  client.packet({ type: 3, id: 100, data: ["yes"] });
  trace("by hand", await byHand.promise);
});

old("errors that a client tells of", ONLY_V2, async ({ serve, pair, trace }) => {
  await serve();
  const { client, socket } = await pair("/n");
  const errors = gather(socket, "error", 4);
  client.packet({ type: 4, data: "a text" });
  client.packet({ type: 4, data: { code: 1 } });
  client.packet({ type: 4, data: "" });
  client.packet({ type: 4 });
  for (const [error] of await errors) trace("error", error instanceof Error, error.message);
  client.packet({ type: 4, data: "for nobody", nsp: "/elsewhere" });
  client.nsp = "/n";
  const event = until(socket, "event");
  client.emit("event", 1);
  trace("still there", socket.connected, await event);
});

old("bytes, and the flag binary", ONLY_V2, async ({ serve, pair, trace }) => {
  const io = await serve();
  const { client, socket } = await pair();
  const events = gather(client, "event", 8);
  const bytes = Buffer.from([1, 2]);
  socket.emit("event", "found", bytes);
  socket.binary(true).emit("event", "announced", { bytes });
  socket.binary(false).emit("event", "as JSON", bytes);
  io.binary(false).emit("event", "broadcast as JSON", bytes);
  io.emit("event", "broadcast", bytes);
  io.of("/").binary(true).emit("event", "broadcast, announced", bytes);
  trace("flags", { ...socket.flags }, { ...io.sockets.flags });
  socket.packet({ type: 2, data: ["event", "a packet by hand", bytes] });
  socket.packet({ type: 5, data: ["event", "a packet with bytes by hand", bytes] });
  trace("events", await events);
  socket.on("ask", (answer) => answer({ bytes }));
  const answered = deferred("an answer");
  client.emit("ask", answered.resolve);
  trace("answer", await answered.promise);
});

old("ports, and the options that go with them", BOTH, async (stage) => {
  const { lib, entry, trace } = stage;
  const io = lib({ ...entry.options });
  assert.throws(() => io.attach(() => {}), /express/);
  assert.equal(io.attach("0", { ...entry.options, pingInterval: 1_234 }), io);
  stage.defer(() => io.close());
  const { port } = io.httpServer.address();
  const client = stage.client("/", { port });
  await until(client, "connect");
  trace("interval", client.io.engine.pingInterval, io.eio.pingInterval);
  const { adapter } = io.sockets;
  assert.equal(io.adapter(io.adapter()), io);
  trace("another adapter", io.sockets.adapter === adapter, io.sockets.adapter.nsp === io.sockets);
});

const answer = (req, res) => res.writeHead(204, { "x-answer": "by hand" }).end();

old("preflight requests", ONLY_V2, async ({ trace, lib, defer }) => {
  for (const handlePreflightRequest of [undefined, false, answer]) {
    const io = lib().listen(0, { handlePreflightRequest });
    defer(() => io.close());
    const ask = (method, target) => fetch(io.httpServer.address().port, method, target);
    for (const target of ["/socket.io/?EIO=3&transport=polling", "/elsewhere"]) {
      const { status, headers } = await ask("OPTIONS", target);
      trace(`${handlePreflightRequest}`, target, status, headers["x-answer"]);
    }
    trace("others", (await ask("GET", "/socket.io/?EIO=3&transport=polling")).status);
  }
});

old("checkRequest()", BOTH, async ({ lib, trace }) => {
  const io = lib({ origins: ["foo.example:80"] });
  for (const origin of [undefined, "http://foo.example", "http://bar.example"])
    io.checkRequest({ headers: { origin } }, (...args) => trace("origin", origin, ...args));
});

old("a parser that was written for 2.x", ONLY_V2, async (stage) => {
  const { Emitter, parser } = writtenFor2();
  const io = await stage.serve({ parser });
  assert.equal(io.parser, parser);
  const { client, socket } = await stage.pair("/", { parser });
  client.on("ask", (n, answer) => answer(n + 1));
  const event = until(client, "event");
  io.emit("event", { to: "all" });
  stage.trace("event", await event);
  stage.trace("answer", await new Promise((resolve) => socket.emit("ask", 1, resolve)));
  assert.ok(Emitter);
});

/** One JSON array for each packet, given to a callback. */
function writtenFor2() {
  const { EventEmitter: Emitter } = require("node:events");
  const keys = ["type", "nsp", "id", "data"];
  class Encoder {
    encode(packet, callback) {
      callback([JSON.stringify(keys.map((key) => packet[key] ?? null))]);
    }
  }
  class Decoder extends Emitter {
    add(text) {
      const [type, nsp, id, data] = JSON.parse(text);
      this.emit("decoded", { type, nsp, id: id ?? undefined, data: data ?? undefined });
    }
    destroy() {}
  }
  return { Emitter, parser: { Encoder, Decoder } };
}

old("differs: binary(true) without bytes", ONLY_V2, async (stage) => {
  const io = await stage.serve();
  const socket = new WebSocket(`ws://127.0.0.1:${stage.port}/socket.io/?EIO=3&transport=websocket`);
  stage.defer(() => socket.terminate());
  const event = new Promise((resolve) => {
    socket.on("message", (data) => String(data).includes("event") && resolve(String(data)));
  });
  const [connected] = await until(io, "connection");
  connected.binary(true).emit("event", 1);
  const expected = stage.either('450-["event",1]', '42["event",1]');
  assert.equal(await within(event, "the event"), expected);
});

old("differs: a table that is assigned", ONLY_V2, async (stage) => {
  const { either, pair, serve } = stage;
  const io = await serve();
  const { socket } = await pair();
  for (const [object, name] of [
    [io, "nsps"],
    [io.of("/"), "connected"],
    [socket.client, "sockets"],
  ]) {
    const table = { ...object[name] };
    object[name] = table;
    assert.equal(object[name] === table, either(true, false), name);
    assert.deepEqual(Object.keys(object[name]), Object.keys(table), name);
  }
  io.of("/later");
  assert.ok("/later" in io.nsps);
});

test("ours: a child namespace goes with its last socket", async (t) => {
  const io = require("../../v2")(0, { cleanupEmptyChildNamespaces: true });
  t.after(() => io.close());
  const parent = io.of(/^\/child-/);
  const connection = until(parent, "connection");
  if (!io.httpServer.listening) await until(io.httpServer, "listening");
  const { port } = io.httpServer.address();
  const raw = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=3&transport=websocket`);
  await until(raw, "open");
  raw.send("40/child-1,");
  const [socket] = await connection;
  assert.equal(parent.children.size, 1);
  const gone = until(socket, "disconnect");
  raw.terminate();
  await gone;
  assert.equal(parent.children.size, 0);
  assert.equal("/child-1" in io.nsps, false);
});
