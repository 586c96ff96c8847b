"use strict";

/** What Socket.IO 2.x does in another way than 4.x: kept by the entry for programs written for it. */

const assert = require("node:assert/strict");
const { deferred, gather, until, within } = require("../support/waiting");
const { ONLY_V2, old } = require("./harness");

/** What a function that takes a callback gives to it. */
const called = (fn) =>
  within(new Promise((resolve) => fn((...args) => resolve(args))), "a callback");

old("the module is the server", ONLY_V2, async ({ lib, trace, defer }) => {
  const io = lib();
  assert.ok(io instanceof lib);
  trace("listen", lib.listen === lib, io.constructor === lib);
  lib.prototype.route = () => "patched";
  defer(() => delete lib.prototype.route);
  trace("patched", io.route());
  trace("sockets", Object.keys(io.nsps["/"].sockets), Object.keys(io.nsps["/"].connected));
});

old("rooms are plain objects", ONLY_V2, async ({ serve, pair, trace }) => {
  const io = await serve();
  const { client, socket } = await pair();
  await called((done) => socket.join("b", done));
  await called((done) => socket.join(["a", "c"], done));
  assert.equal(socket.join("d"), socket);
  await called((done) => socket.join("b", done));
  trace("rooms", Object.keys(socket.rooms), socket.rooms.b);
  const { adapter } = io.nsps["/"];
  trace("adapter", Object.keys(adapter.rooms), adapter.rooms.b, adapter.rooms.none);
  trace("sids", adapter.sids, Object.keys(adapter.sids[socket.id]));
  trace("clientRooms", await called((done) => adapter.clientRooms(socket.id, done)));
  trace("clients", await called((done) => adapter.clients(["b"], done)));
  trace("clients", await called((done) => adapter.clients(done)));
  await called((done) => socket.leave("b", done));
  trace("left", Object.keys(socket.rooms), adapter.rooms.b);
  const gone = until(socket, "disconnect");
  client.close();
  await gone;
  trace("gone", socket.rooms, adapter.rooms, adapter.sids, Object.keys(io.sockets.sockets));
});

old("broadcasts", ONLY_V2, async ({ serve, pair, trace, quiet }) => {
  const io = await serve();
  const [one, two, three] = [await pair(), await pair(), await pair()];
  for (const [name, { client }] of Object.entries({ one, two, three }))
    for (const event of ["event", "message"]) client.on(event, (...data) => trace(name, ...data));
  await called((done) => one.socket.join("a", done));
  await called((done) => two.socket.join(["a", "b"], done));
  const all = [one, two, three].map(({ client }) => until(client, "last"));
  assert.equal(io.emit("event", "all"), io.sockets);
  assert.equal(io.to("a").in("b").emit("event", "a and b"), io.sockets);
  await quiet([one, two, three]);
  assert.equal(io.volatile, io);
  trace("flags", { ...io.sockets.flags });
  io.emit("event", "volatile");
  await quiet([one, two, three]);
  trace("flags", { ...io.sockets.flags });
  assert.equal(one.socket.broadcast.emit("event", "others"), one.socket);
  two.socket.to("a").emit("event", "others in a");
  one.socket.emit("event", "itself", Buffer.from([1, 2]));
  io.local.to("b").send("local", Buffer.from([3]));
  io.to(three.socket.id).emit("event", "three");
  assert.throws(() => io.emit("event", () => {}), {
    message: "Callbacks are not supported when broadcasting",
  });
  assert.throws(() => one.socket.broadcast.emit("event", () => {}), {
    message: "Callbacks are not supported when broadcasting",
  });
  one.socket.emit("event", "after a throw, to others");
  io.emit("last");
  await Promise.all(all);
});

old("reserved names are emitted to the listeners of the object", ONLY_V2, async (stage) => {
  const { serve, pair, trace } = stage;
  const io = await serve();
  const { socket } = await pair();
  for (const name of ["error", "disconnecting", "disconnect"])
    socket.on(name, (what) => trace("socket", name, what));
  assert.equal(socket.emit("error", "an error"), socket);
  socket.emit("disconnect", "not really");
  trace("connected", socket.connected);
  io.sockets.on("connection", (what) => trace("namespace", what));
  io.emit("connection", "not really");
  trace("events", io.sockets.constructor.events, socket.constructor.events);
});

old("errors of middlewares", ONLY_V2, async ({ serve, client, trace }) => {
  const io = await serve();
  const errors = [
    new Error("a message"),
    Object.assign(new Error("not seen"), { data: { code: 1 } }),
    Object.assign(new Error("not seen"), { data: "a string" }),
  ];
  io.use((socket, next) => next(errors.shift()));
  for (let i = 0; i < 3; i++) trace("error", await until(client(), "error"));
  io.of("/n").use((socket, next) => next(new Error("from the namespace")));
  trace("namespace", await until(client("/n"), "error"));
  trace("unknown", await until(client("/unknown"), "error"));
});

old("errors of a socket's middlewares go to the client", ONLY_V2, async (stage) => {
  await stage.serve();
  const { client, socket } = await stage.pair();
  socket.on("error", (error) => stage.trace("server", error.message));
  socket.use((event, next) => {
    if (event[0] === "message only") next(new Error("a message"));
    else if (event[0] === "data") next(Object.assign(new Error("not seen"), { data: { code: 1 } }));
    else next();
  });
  const errors = gather(client, "error", 2);
  client.emit("message only");
  client.emit("data");
  stage.trace("errors", await errors);
  socket.error("by hand");
  stage.trace("error", await until(client, "error"));
});

old(
  "the query of a namespace is part of the handshake's",
  ONLY_V2,
  async ({ serve, pair, trace }) => {
    const io = await serve();
    const { client, socket } = await pair("/n?key=1&other=2", { query: { key: "0", a: "b" } });
    const { key, other, a, EIO, transport } = socket.handshake.query;
    trace("query", key, other, a, EIO, transport);
    const main = Object.values(io.sockets.sockets)[0];
    trace("main", main.handshake.query.key, main.handshake.query.other, main.handshake.query.a);
    trace("ids", socket.id, main.id, client.id, socket.client.id);
    socket.handshake.session = 1;
    trace("kept", socket.handshake.session);
  },
);

old("everyone is in / first", ONLY_V2, async ({ serve, client, trace }) => {
  const io = await serve();
  const asked = [];
  let hold;
  io.use((socket, next) => {
    asked.push(socket.nsp.name);
    hold = next;
  });
  for (const name of ["/", "/n"])
    io.of(name).on("connection", ({ nsp }) => trace("connection", nsp.name));
  io.of("/n").use((socket, next) => {
    asked.push(socket.nsp.name);
    next();
  });
  const connection = until(io.of("/n"), "connection");
  const one = client("/n");
  while (!hold) await new Promise(setImmediate);
  trace("asked", asked.slice());
  hold();
  await connection;
  if (!one.connected) await until(one, "connect");
  trace("asked", asked.slice());
});

old("namespaces made on demand", ONLY_V2, async ({ serve, client, trace }) => {
  const io = await serve();
  const parent = io.of(/^\/dynamic-\d+$/);
  parent.use((socket, next) => {
    trace("middleware", socket.nsp.name);
    next();
  });
  parent.on("connection", (socket) => trace("parent", socket.nsp.name));
  io.of((name, query, next) => {
    trace("asked", name, { ...query });
    next(null, query.allow === "yes");
  });
  io.of("/dynamic-1");
  const connected = client("/dynamic-2");
  await until(connected, "connect");
  trace("nsps", Object.keys(io.nsps));
  const event = until(connected, "event");
  parent.emit("event", 1);
  trace("event", await event);
  trace("refused", await until(client("/asked?allow=no"), "error"));
  const { socket } = await pairOnDemand(client, io, "/asked?allow=yes");
  trace("allowed", socket.nsp.name);
});

/** As `pair`, for a namespace that is not there before. */
async function pairOnDemand(client, io, target) {
  const connected = client(target);
  await until(connected, "connect");
  const [name] = target.split("?");
  return { client: connected, socket: Object.values(io.nsps[name].sockets)[0] };
}

old("why a socket is gone", ONLY_V2, async ({ serve, pair, trace }) => {
  const io = await serve();
  const ends = {
    client: ({ client }) => client.close(),
    server: ({ socket }) => socket.disconnect(),
    "server, all": ({ socket }) => socket.disconnect(true),
    close: () => io.close(),
  };
  for (const [name, end] of Object.entries(ends)) {
    const both = await pair("/", { io });
    const gone = [until(both.socket, "disconnect"), until(both.client, "disconnect")];
    both.socket.on("disconnecting", (reason) =>
      trace(name, "disconnecting", reason, Object.keys(both.socket.rooms)),
    );
    end(both);
    trace(name, ...(await Promise.all(gone)).map(([reason]) => reason));
  }
  trace("at the end", Object.keys(io.sockets.sockets), Object.keys(io.sockets.connected));
});

old("a packet for a namespace that the client is not in is passed over", ONLY_V2, async (stage) => {
  await stage.serve();
  const { client, socket } = await stage.pair();
  client.packet({ type: 2, nsp: "/elsewhere", data: ["event"] });
  client.nsp = "/";
  const { promise, resolve } = deferred("an event");
  socket.on("event", resolve);
  client.emit("event", 1);
  stage.trace("event", await promise);
});

old("the client bundle", ONLY_V2, async ({ serve, get, trace }) => {
  await serve();
  for (const name of ["socket.io.js", "socket.io.js.map", "socket.io.js?v=1"]) {
    const { status, headers, body } = await get(`/socket.io/${name}`);
    trace(name, status, headers["content-type"], headers.etag, headers["cache-control"]);
    assert.ok(body.length > 10_000);
    trace(name, (await get(`/socket.io/${name}`, { "if-none-match": headers.etag })).status);
  }
});

old("cookie and cross-origin headers", ONLY_V2, async ({ serve, get, trace }) => {
  const target = "/socket.io/?EIO=3&transport=polling";
  for (const options of [
    {},
    { cookie: false },
    { cookie: "sid", cookiePath: "/p", cookieHttpOnly: false },
    { cookiePath: false },
  ]) {
    await serve(options);
    const { headers } = await get(target, { origin: "http://foo.example" });
    trace("cookie", String(headers["set-cookie"]).replace(/=[\w-]{20}/, "=<id>"));
    for (const name of ["access-control-allow-origin", "access-control-allow-credentials"])
      trace(name, headers[name], (await get(target)).headers[name]);
  }
});

old("an adapter written for 2.x", ONLY_V2, async ({ serve, pair, trace }) => {
  const Adapter = require("../../v2/adapter");
  const io = await serve();
  const Base = io.adapter();
  assert.ok(Base === Adapter || typeof Base === "function");
  function Recording(nsp) {
    const adapter = Reflect.construct(Base, [nsp]);
    const { broadcast } = adapter;
    adapter.broadcast = function (packet, opts) {
      trace("broadcast", packet.type, packet.data, opts.rooms, opts.except || [], opts.flags);
      broadcast.call(this, packet, opts);
    };
    return adapter;
  }
  io.adapter(Recording);
  const { client, socket } = await pair();
  const event = until(client, "event");
  socket.broadcast.to("a").volatile.emit("others");
  io.to(socket.id).emit("event", 1);
  trace("event", await event);
});

old("differs: join and leave as what forEach calls", ONLY_V2, async ({ serve, pair, either }) => {
  await serve();
  const { socket } = await pair();
  if (either(true, false)) return; // there, the index is called in a later tick, which ends the process
  ["a", "b", "c"].forEach(socket.join, socket);
  socket.join("a", true);
  await called((done) => socket.join("d", done));
  assert.deepEqual(Object.keys(socket.rooms), [socket.id, "a", "b", "c", "d"]);
  ["a", "b"].forEach(socket.leave.bind(socket));
  socket.adapter.clients(["c"], 1);
  socket.adapter.clientRooms(socket.id, {});
  await called((done) => socket.leave("c", done));
  assert.deepEqual(Object.keys(socket.rooms), [socket.id, "d"]);
});
