"use strict";

/** Adapters built on `socket.io-adapter` 1.x, which write to each socket by itself and know of no workers. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { gather, until, within } = require("../support/waiting");
const { ONLY_V2, old } = require("./harness");

/** The one that npm `socket.io` 2.5.1 has. */
const Adapter = require(
  require.resolve("socket.io-adapter", { paths: [path.dirname(require.resolve("socket.io-2"))] }),
);

/** What a function that takes a callback gives to it. */
const called = (fn) =>
  within(new Promise((resolve) => fn((...args) => resolve(args))), "a callback");

/** An adapter as they were written: a constructor, `__proto__`, calls of the base. */
function recording(trace) {
  function Recording(nsp) {
    Adapter.call(this, nsp);
    trace("made for", nsp.name, nsp.server.encoder === this.encoder);
  }
  Object.setPrototypeOf(Recording.prototype, Adapter.prototype);
  Recording.prototype.addAll = function (id, rooms, callback) {
    trace("addAll", rooms);
    Adapter.prototype.addAll.call(this, id, rooms, callback);
  };
  Recording.prototype.del = function (id, room, callback) {
    trace("del", room);
    if (room === "kept") process.nextTick(callback, new Error("not that one"));
    else Adapter.prototype.del.call(this, id, room, callback);
  };
  Recording.prototype.delAll = function (id, callback) {
    trace("delAll", Object.keys(this.sids[id] ?? {}));
    Adapter.prototype.delAll.call(this, id, callback);
  };
  Recording.prototype.broadcast = function (packet, opts) {
    trace("broadcast", packet.type, packet.data, opts.rooms, opts.except ?? [], opts.flags);
    Adapter.prototype.broadcast.call(this, packet, opts);
  };
  return Recording;
}

old("an adapter that extends the one of 1.x", ONLY_V2, async ({ serve, pair, trace, quiet }) => {
  const io = await serve({ adapter: recording(trace) });
  const [one, two, three] = [await pair(), await pair(), await pair()];
  for (const [name, { client }] of Object.entries({ one, two, three }))
    client.on("event", (...data) => trace(name, ...data));
  const all = [one, two, three].map(({ client }) => until(client, "last"));
  await called((done) => one.socket.join(["a", "b"], done));
  await called((done) => two.socket.join("b", done));
  trace("rooms", Object.keys(one.socket.rooms), Object.keys(two.socket.rooms));
  const { adapter } = io.sockets;
  assert.ok(adapter instanceof Adapter);
  trace("adapter", adapter.rooms.b, adapter.sids[one.socket.id]);

  io.emit("event", "all");
  io.in("a").in("b").emit("event", "a and b");
  io.to("nobody").emit("event", "nobody");
  one.socket.to("b").emit("event", "b without one");
  one.socket.broadcast.emit("event", "all without one");
  io.to(three.socket.id).emit("event", "three");
  io.emit("event", "bytes", { bytes: Buffer.from([1, 2, 3]) });
  await quiet([one, two, three]);
  io.volatile.compress(false).emit("event", "flags");
  two.socket.emit("event", "only two");

  trace("clients", await called((done) => io.clients(done)));
  trace("clients", await called((done) => io.in("b").clients(done)));
  trace("clientRooms", await called((done) => adapter.clientRooms(one.socket.id, done)));
  await called((done) => two.socket.leave("b", done));
  trace("left", Object.keys(two.socket.rooms), adapter.rooms.b);
  const [error] = await called((done) => one.socket.leave("kept", done));
  trace("refused", error.message, Object.keys(one.socket.rooms));
  io.to("b").emit("event", "b without two");
  io.emit("last");
  await Promise.all(all);

  const gone = until(one.socket, "disconnect");
  one.client.close();
  await gone;
  trace("gone", adapter.rooms, adapter.sids[one.socket.id], Object.keys(adapter.sids).length);
});

old("sockets that it does not find are passed over", ONLY_V2, async ({ serve, pair, trace }) => {
  const io = await serve({ adapter: Adapter });
  const [one, two] = [await pair("/n"), await pair("/n")];
  const nsp = io.of("/n");
  for (const [name, { client }] of Object.entries({ one, two }))
    client.on("event", (what) => trace(name, what));
  delete nsp.connected[one.socket.id];
  nsp.emit("event", "without one");
  trace("clients", await called((done) => nsp.clients(done)));
  nsp.connected[one.socket.id] = one.socket;
  const last = [one, two].map(({ client }) => until(client, "last"));
  nsp.emit("event", "all");
  nsp.emit("last");
  await Promise.all(last);
});

old("an adapter that is chosen while clients are there", ONLY_V2, async (stage) => {
  const { serve, pair, trace } = stage;
  const io = await serve();
  await pair();
  io.adapter(Adapter);
  assert.ok(io.sockets.adapter instanceof Adapter);
  const { client, socket } = await pair();
  await called((done) => socket.join("room", done));
  const events = gather(client, "event", 2);
  io.emit("event", 1);
  io.to("room").emit("event", 2);
  trace("events", await events);
  trace("clients", (await called((done) => io.clients(done)))[1].length);
});

for (const transports of [["websocket"], ["polling"]]) {
  old(`packets to many over ${transports}`, ONLY_V2, async ({ serve, pair, trace }) => {
    const io = await serve({ adapter: Adapter });
    const pairs = [];
    for (let i = 0; i < 5; i++) pairs.push(await pair("/", { transports }));
    const events = pairs.map(({ client }) => gather(client, "event", 4));
    io.emit("event", 1);
    pairs[0].socket.emit("event", 2);
    io.emit("event", Buffer.from([3]), { more: Buffer.from([4]) });
    for (const { socket } of pairs.slice(1)) socket.emit("event", 5);
    io.emit("event", 6);
    for (const received of events) trace("events", await received);
  });
}
