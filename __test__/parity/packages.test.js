"use strict";

/** Packages that others have written for npm `socket.io`, unchanged: they reach into sockets in ways that no document lists. */

const assert = require("node:assert/strict");
const { instrument } = require("@socket.io/admin-ui");
const wildcard = require("socketio-wildcard");
const { ALL, scenario } = require("./harness");
const { until } = require("../support/waiting");

scenario("socketio-wildcard: a listener for all events", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  io.use(wildcard());
  const { client, socket } = await stage.pair();
  socket.on("*", ({ data, nsp, type }) => trace("*", data, nsp, type));
  socket.on("named", (value, reply) => reply(value));
  assert.equal(await client.timeout(5000).emitWithAck("named", 1), 1);
  client.emit("unnamed", Buffer.from("bytes"));
  assert.equal(await client.timeout(5000).emitWithAck("named", 2), 2);
});

/** Instruments a server; hands back what the package calls every two seconds. */
function instrumented(io) {
  const { setInterval } = globalThis;
  let emitStats;
  globalThis.setInterval = (run, ...rest) => {
    emitStats = run;
    return setInterval(run, ...rest);
  };
  instrument(io, { auth: false, mode: "development", serverId: "server" });
  globalThis.setInterval = setInterval;
  return emitStats;
}

scenario("@socket.io/admin-ui: what it shows and does", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const emitStats = instrumented(io);
  const admin = stage.client("/admin");
  const sockets = until(admin, "all_sockets");
  await stage.connected(admin);
  trace("sockets", (await sockets)[0].length);

  const next = (event) => until(admin, event);
  const connected = next("socket_connected");
  const { client, socket } = await stage.pair();
  const [shown] = await connected;
  trace("connected", shown.nsp, shown.id === client.id, shown.rooms.length, Object.keys(shown));
  socket.on("question", (value, reply) => reply(value));
  const received = next("event_received");
  await client.emitWithAck("question", 1);
  trace("received", (await received)[2]);
  const sent = next("event_sent");
  io.emit("to all", 5);
  trace("sent", (await sent)[2]);
  const joined = next("room_joined");
  admin.emit("join", "/", "room", client.id);
  trace("joined", (await joined)[1], socket.rooms.has("room"));
  const stats = next("server_stats");
  emitStats();
  const [{ clientsCount, namespaces, aggregatedEvents }] = await stats;
  const types = new Set(aggregatedEvents.map(({ type, subType }) => `${type} ${subType ?? ""}`));
  trace("stats", clientsCount, namespaces, [...types].sort());
  const gone = next("socket_disconnected");
  admin.emit("_disconnect", "/", false, client.id);
  trace("gone", (await gone)[2]);
});
