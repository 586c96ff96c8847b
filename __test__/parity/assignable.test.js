"use strict";

/** What a program may assign: every property that is plain upstream, or not there at all, is the program's to set here, too. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Adapter } = require("socket.io-adapter");
const { oracle, ours } = require("../support/implementations");
const { spawn } = require("../support/child");
const { eventually, until } = require("../support/waiting");
const { ALL, DIRECT, scenario } = require("./harness");

const two = { path: require.resolve("../../v2/index.js") };
const oracleOfTwo = { path: require.resolve("socket.io-2") };

/** An option that can't be used is refused where it is given, and not with the next request. */
const REFUSED = {
  "engine.transports, odd":
    'throws: option transports can\'t be [object Object]: give an array, as in ["polling", "websocket"]',
  "engine.allowRequest, odd":
    "throws: option allowRequest can't be [object Object]: give a function, or leave it out",
};

/** What is assigned is taken over entry by entry: the table that is shown stays a view of what the server knows. */
const VIEWS = {
  "io.nsps, copy": "else",
  "nsp.connected, copy": "else",
  "parent.connected, copy": "else",
  "client.nsps, copy": "else",
  "client.sockets, copy": "else",
};

/** Where we differ on purpose. */
const EXCEPTIONS = { 4: REFUSED, 2: { ...REFUSED, ...VIEWS } };

/** @returns {Promise<object>} what came of all that was assigned, see the script */
async function assigned(implementation, version, transport, more) {
  const script = spawn("assignable", implementation, { args: [version, transport] });
  try {
    const ready = await script.message();
    assert.equal(ready.error, undefined);
    script.send(more);
    const results = await script.message();
    assert.equal(results.error, undefined);
    return results;
  } finally {
    script.kill();
  }
}

/** @returns {Record<string, string[]>} what it has looked at */
function namesOf({ echo: _echo, ...subjects }) {
  return Object.fromEntries(
    Object.entries(subjects).map(([subject, names]) => [subject, Object.keys(names)]),
  );
}

for (const [version, upstream, here] of [
  ["4", oracle, ours],
  ["2", oracleOfTwo, two],
]) {
  for (const transport of ["polling", "websocket"]) {
    test(`what is assignable in ${version}.x, over ${transport}`, async () => {
      const theirs = await assigned(upstream, version, transport, {});
      const found = await assigned(here, version, transport, namesOf(theirs));
      assert.equal(theirs.echo, "still here");
      assert.equal(found.echo, "still here");
      const differences = {};
      for (const [subject, names] of Object.entries(found)) {
        if (subject === "echo") continue;
        for (const [name, results] of Object.entries(names)) {
          const known = theirs[subject][name];
          if (known === undefined && name.startsWith("_")) continue; // ours alone
          for (const [how, result] of Object.entries(results)) {
            const expected = known === undefined ? "ok" : known[how];
            if (expected === "ok" && result !== "ok")
              differences[`${subject}.${name}, ${how}`] = result;
          }
        }
      }
      assert.deepEqual(differences, EXCEPTIONS[version]);
    });
  }
}

scenario("an id that a middleware gives", { modes: DIRECT }, async ({ io, client, trace }) => {
  const ids = ["first", "second"];
  io.use((socket, next) => {
    socket.id = ids.shift();
    next();
  });
  const one = client();
  await until(one, "connect");
  const two = client();
  await until(two, "connect");
  trace("ids", one.id, two.id, [...io.sockets.sockets.keys()]);
  const heard = until(one, "to me");
  two.on("to me", () => trace("wrong", "two has heard it"));
  io.to("first").emit("to me");
  await heard;
  const fetched = await io.in("second").fetchSockets();
  trace(
    "fetched",
    fetched.map(({ id }) => id),
  );
  const socket = io.sockets.sockets.get("first");
  const gone = until(socket, "disconnect");
  one.disconnect();
  await gone;
  trace("left", [...io.sockets.sockets.keys()], [...io.sockets.adapter.rooms.keys()]);
});

scenario("an id that is given when connected", { modes: DIRECT }, async ({ io, pair, trace }) => {
  const { client, socket } = await pair();
  const other = await pair();
  socket.id = "renamed";
  const heard = until(client, "still me");
  socket.emit("still me");
  await heard;
  const all = [until(client, "all"), until(other.client, "all")];
  io.emit("all");
  await Promise.all(all);
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  const heardAgain = until(other.client, "after");
  io.emit("after");
  await heardAgain;
  trace("connected", socket.connected, other.socket.connected);
});

scenario(
  "data, handshake, acks and request are what a program makes of them",
  { modes: ALL },
  async ({ io, pair, trace }) => {
    io.use((socket, next) => {
      socket.handshake = { ...socket.handshake, address: "192.0.2.7" };
      socket.data = new Proxy({ seen: 0 }, {});
      next();
    });
    const { client, socket } = await pair();
    socket.data.seen++;
    const [fetched] = await io.fetchSockets();
    trace("data", socket.data.seen, fetched.data.seen, fetched.handshake.address);
    const request = Object.create(socket.request);
    socket.conn.request = request;
    trace("request", socket.conn.request === request);
    client.on("q", (answer) => answer("a"));
    const dropped = [];
    socket.emit("q", () => dropped.push("dropped"));
    class Watched extends Map {
      get(id) {
        trace("acks", "looked for");
        return super.get(id);
      }
    }
    socket.acks = new Watched();
    trace("acks", await new Promise((resolve) => socket.emit("q", resolve)), dropped);
  },
);

scenario("tables and adapters of a namespace", { modes: DIRECT }, async (stage) => {
  const { io, pair, trace } = stage;
  const nsp = io.of("/");
  const seen = [];
  class Own extends Adapter {
    addAll(id, rooms) {
      seen.push(rooms.size);
      return super.addAll(id, rooms);
    }
  }
  nsp.adapter = new Own(nsp);
  nsp.sockets = new Map(nsp.sockets);
  const table = nsp.sockets;
  const { client, socket } = await pair();
  trace("adapter", socket.adapter === nsp.adapter, seen, table.has(socket.id));
  socket.join("room");
  const heard = until(client, "here");
  io.to("room").emit("here");
  await heard;
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  trace("gone", table.size, nsp.adapter.rooms.size);
});

scenario("an id of a connection leaves nothing behind", { modes: DIRECT }, async (stage) => {
  const { io, pair, trace } = stage;
  const { client, socket } = await pair();
  socket.conn.id = "another";
  trace("id", socket.conn.id);
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  await eventually(() => io.engine.clientsCount === 0, "the connection to end");
  trace("clients", Object.keys(io.engine.clients));
});

scenario("the sessions of an engine, by their ids", { modes: DIRECT }, async (stage) => {
  const { io, pair, trace } = stage;
  const { client, socket } = await pair();
  const { conn } = socket;
  const { clients } = io.engine;
  const names = [];
  for (const name in clients) names.push(name);
  trace("found", clients[conn.id] === conn, conn.id in clients, Object.hasOwn(clients, conn.id));
  trace("listed", names.length, names[0] === conn.id, Object.values(clients)[0] === conn);
  trace("copied", { ...clients }[conn.id] === conn, clients.nobody, clients === io.engine.clients);
  clients.other = conn;
  trace("assigned", Object.keys(clients).length, clients.other === conn);
  delete clients.other;
  trace("deleted", Object.keys(clients).length, "other" in clients);
  const gone = until(socket, "disconnect");
  client.disconnect();
  await gone;
  await eventually(() => io.engine.clientsCount === 0, "the connection to end");
  trace("gone", Object.keys(clients), conn.id in clients);
  io.engine.clients = { of: "the program" };
  trace("replaced", io.engine.clients);
  io.engine.clients = {};
});

scenario("options that are replaced, or set later", { modes: DIRECT }, async (stage) => {
  const { io, pair, trace, http } = stage;
  io.engine.opts = { ...io.engine.opts, pingInterval: 12_345, maxHttpBufferSize: 4321 };
  trace("opts", io.engine.opts.pingInterval);
  const { body } = await http("GET", "/socket.io/?EIO=4&transport=polling");
  const { pingInterval, maxPayload } = JSON.parse(String(body).slice(1));
  trace("handshake", pingInterval, maxPayload);
  await pair();
  io.connectTimeout(50);
  const session = await stage.polling();
  const answer = await session.get();
  trace("connectTimeout", answer.status, String(answer.body)); // and not a ping
});

scenario(
  "what a program keeps under names of 2.x",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    for (const [object, names] of [
      [io, ["nsps", "json", "flags"]],
      [io.of("/"), ["connected", "json"]],
      [socket, ["json"]],
      [socket.client, ["root2", "nsps"]],
      [socket.conn, ["remoteAddress", "bufferedAmount"]],
    ])
      for (const name of names) {
        object[name] = name;
        trace("kept", object[name]);
      }
    const heard = [until(client, "a"), until(client, "b")];
    io.emit("a");
    socket.emit("b");
    await Promise.all(heard);
  },
);
