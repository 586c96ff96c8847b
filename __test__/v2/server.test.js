"use strict";

/** What Socket.IO 2.x documents of the server, and what both of our entries keep of it. */

const assert = require("node:assert/strict");
const { deferred, until } = require("../support/waiting");
const { BOTH, old } = require("./harness");

old("getters and setters", BOTH, async ({ lib, trace }) => {
  const io = lib();
  trace("defaults", io.serveClient(), io.path(), io.origins(), typeof io.adapter());
  for (const [name, value] of [
    ["serveClient", false],
    ["path", "/elsewhere/"],
    ["origins", "foo.example:*"],
  ]) {
    assert.equal(io[name](value), io);
    trace(name, io[name]());
  }
  trace("option", lib({ origins: ["foo.example:80"] }).origins());
});

old("ways to make a server", BOTH, async (stage) => {
  const { lib, entry } = stage;
  const options = () => ({ ...entry.options }); // 2.x writes into what it is given
  const make = {
    call: () => lib(0, options()),
    construct: () => Reflect.construct(lib, [0, options()]),
    listen: () => lib.listen(0, options()),
    attach: () => lib(options()).attach(0, options()),
  };
  for (const [name, fn] of Object.entries(make)) {
    const io = fn();
    // 2.x takes the port 0 for none in its constructor
    if (!io.httpServer) io.listen(0, options());
    const { port } = io.httpServer.address();
    const client = stage.client("/", { port });
    await until(client, "connect");
    stage.trace("connected", name, client.connected);
    io.close();
    await until(client, "disconnect");
  }
});

old("set(): resource, origins, and what it does not know", BOTH, async ({ lib, trace, defer }) => {
  const io = lib();
  assert.equal(io.set("resource", "/random/"), io);
  io.set("origins", "foo.example:*");
  trace("set", io.path(), io.origins());
  const { error } = console;
  defer(() => (console.error = error));
  console.error = (...args) => trace("error", ...args);
  io.set("no such thing", 1);
});

old("set('authorization')", BOTH, async ({ serve, client, pair, trace }) => {
  const io = await serve();
  const answers = [[null, true], [null, false], ["no luck"]];
  io.set("authorization", (request, callback) => {
    trace("request", typeof request.headers, request.url.startsWith("/socket.io/"));
    callback(...answers.shift());
  });
  await pair();
  for (let i = 0; i < 2; i++) trace("error", await until(client(), "error"));
});

old("the engine's options as its properties", BOTH, async ({ serve, pair, get, trace }) => {
  const io = await serve({ pingInterval: 12_345, pingTimeout: 23_456, maxHttpBufferSize: 34_567 });
  for (const name of ["pingTimeout", "pingInterval", "maxHttpBufferSize", "transports"]) {
    assert.ok(Object.hasOwn(io.eio, name));
    trace(name, io.eio[name]);
  }
  const { client: first } = await pair();
  trace("handshake", first.io.engine.pingInterval, first.io.engine.pingTimeout);
  io.set("heartbeat interval", 1_234);
  io.eio.pingTimeout = 4_321;
  io.set("destroy buffer size", 2_000);
  trace("set", io.eio.maxHttpBufferSize);
  const { client: second } = await pair();
  trace("handshake", second.io.engine.pingInterval, second.io.engine.pingTimeout);
  io.set("transports", ["websocket"]);
  const { status, body } = await get("/socket.io/?EIO=3&transport=polling");
  trace("transports", io.eio.transports, status, String(body));
  assert.equal(first.connected, true, "sessions that are open go on");
});

old("origins", BOTH, async ({ serve, get, trace, io }) => {
  io = await serve();
  const requests = [
    undefined,
    "null",
    "http://foo.example",
    "http://foo.example:80",
    "https://foo.example",
    "http://foo.example:9090",
    "http://bar.example:9090",
    "not an origin",
  ];
  const table = [
    "*:*",
    "foo.example:*",
    "foo.example:80",
    "*:9090",
    "http://foo.example:80 bar.example:9090",
    ["foo.example:*", "bar.example:9090"],
    ["http://foo.example:80"],
    ["*:*"],
    (origin, callback) => callback(null, origin === "http://foo.example"),
    (origin, callback) => callback(`not ${origin}`, false),
  ];
  for (const [index, origins] of table.entries()) {
    io.origins(origins);
    for (const origin of requests) {
      const headers = origin === undefined ? {} : { origin };
      const { status, body } = await get("/socket.io/?EIO=3&transport=polling", headers);
      trace(`origins ${index}`, origin, status, status === 200 ? "" : String(body));
    }
    const { status } = await get("/socket.io/?EIO=3&transport=polling", {
      referer: "http://foo.example/page",
    });
    trace(`origins ${index}`, "referer", status);
  }
});

old("clients()", BOTH, async ({ serve, pair, trace }) => {
  const io = await serve();
  const ids = (target, name) => {
    const { promise, resolve } = deferred(`clients of ${name}`);
    let sync = true;
    target.clients((error, found) => {
      trace(name, sync, error, found);
      resolve();
    });
    sync = false;
    return promise;
  };
  await ids(io, "nobody");
  const sockets = [];
  for (let i = 0; i < 3; i++) sockets.push((await pair()).socket);
  const { socket: other } = await pair("/other");
  sockets[0].join("a");
  sockets[2].join(["a", "b"]);
  sockets[1].join("b");
  await ids(io, "all");
  await ids(io.of("/other"), "namespace");
  await ids(io.in("a"), "room");
  await ids(io.in("a").in("b"), "rooms");
  await ids(io.sockets.in("b"), "room of the main namespace");
  await ids(io.in("no such room"), "empty");
  trace(
    "names",
    other.id,
    sockets.map(({ id }) => id),
  );
});

old("connected", BOTH, async ({ serve, pair, trace }) => {
  const io = await serve();
  const nsp = io.of("/n");
  const [one, two] = [await pair("/n"), await pair("/n")];
  one.socket.join("room");
  two.socket.join("room");
  const { connected } = nsp;
  trace("keys", Object.keys(connected), connected[one.socket.id] === one.socket);
  trace("none", connected.none, "none" in connected, one.socket.id in connected);

  for (const { client, socket } of [one, two])
    client.on("event", (what) => trace(`to ${socket.id}`, what));
  delete nsp.connected[one.socket.id];
  trace("deleted", Object.keys(nsp.connected));
  nsp.emit("event", "without one");
  nsp.in("room").emit("event", "in the room without one");
  const { promise, resolve } = deferred("clients");
  nsp.clients((_error, found) => resolve(found));
  trace("clients", await promise);

  nsp.connected[one.socket.id] = one.socket;
  trace("again", nsp.connected[one.socket.id] === one.socket);
  const last = [one, two].map(({ client }) => until(client, "last"));
  nsp.emit("event", "all");
  nsp.in("room").emit("event", "the room");
  one.socket.emit("event", "to itself");
  nsp.emit("last");
  await Promise.all(last);
  const gone = until(one.socket, "disconnect");
  one.client.close();
  await gone;
  trace("at the end", Object.keys(nsp.connected));
});

old("nsps", BOTH, async ({ lib, trace }) => {
  const io = lib();
  trace("one", Object.keys(io.nsps), io.nsps["/"] === io.sockets);
  const made = io.of("made");
  trace("two", Object.keys(io.nsps), io.nsps["/made"] === made, io.nsps["/none"]);
  delete io.nsps["/made"];
  trace("deleted", Object.keys(io.nsps), io.of("/made") === made);
});

old("a name in Namespace.events is emitted to listeners only", BOTH, async (stage) => {
  const { serve, pair, trace } = stage;
  const io = await serve();
  const { events } = Object.getPrototypeOf(io.sockets).constructor;
  trace("events", events.slice());
  events.push("authenticated");
  stage.defer(() => events.splice(events.indexOf("authenticated"), 1));
  const { client } = await pair();
  client.on("authenticated", () => trace("client", "authenticated"));
  io.nsps["/"].on("authenticated", (what) => trace("server", what));
  io.nsps["/"].emit("authenticated", { a: 1 });
  const last = until(client, "last");
  io.emit("last");
  await last;
});

old("flags", BOTH, async ({ serve, pair, trace, quiet }) => {
  const io = await serve();
  const [one, two] = [await pair(), await pair()];
  assert.equal(io.json, io);
  trace("flags", { ...io.sockets.flags });
  io.emit("reset");
  trace("reset", { ...io.sockets.flags });
  for (const [name, { client }] of Object.entries({ one, two }))
    for (const event of ["event", "message"]) client.on(event, (what) => trace(name, event, what));
  const all = [one, two].map(({ client }) => until(client, "last"));
  io.json.emit("event", 1);
  io.sockets.json.emit("event", 2);
  one.socket.json.emit("event", 3);
  one.socket.binary(false).compress(false).emit("event", 4);
  one.socket.broadcast.json.emit("event", 5);
  one.socket.json.broadcast.emit("event", 6);
  io.binary(false).emit("event", 7);
  io.to(two.socket.id).json.send(8);
  one.socket.broadcast.send(9);
  await quiet([one, two]);
  io.volatile.json.emit("event", 10);
  io.emit("last");
  await Promise.all(all);
});

old("the port is free after close(), and can be used again", BOTH, async (stage) => {
  const io = await stage.serve();
  const { port } = stage;
  const { client } = await stage.pair();
  const gone = until(client, "disconnect");
  const closed = until(stage.httpServer, "close");
  io.close();
  await Promise.all([gone, closed]);
  io.listen(port, { ...stage.entry.options });
  stage.defer(() => stage.shut(io, io.httpServer));
  const again = await stage.pair();
  stage.trace("again", again.client.connected, io.httpServer.address().port === port);
});

old("connections", BOTH, async ({ serve, pair, trace }) => {
  const io = await serve();
  trace("none", io.engine.clientsCount, Object.keys(io.eio.clients));
  const { socket } = await pair();
  trace("one", io.engine.clientsCount, Object.keys(io.eio.clients));
  assert.equal(socket.client.conn, socket.conn);
  assert.equal(socket.client.request, socket.request);
  socket.disconnect("a reason");
  trace("gone", socket.connected, socket.disconnected);
});
