"use strict";

/** When a client of Socket.IO 2.x is told that it is in "/": with the handshake, unless somebody has to let it in first. */

const assert = require("node:assert/strict");
const { createServer } = require("node:http");
const { test } = require("node:test");
const { PollingSession } = require("../support/raw-http");
const { RawWebSocket } = require("../support/raw-websocket");
const { eventually, until } = require("../support/waiting");
const { BOTH, ONLY_V2, old } = require("./harness");

const POLLING = "/socket.io/?EIO=3&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=3&transport=websocket";

/** What of an answer stands behind the handshake. */
const behindHandshake = ({ body }) => {
  const [, length] = /^(\d+):0\{/.exec(body);
  return body.slice(length.length + 1 + Number(length));
};

/** What comes first by a WebSocket. */
async function greeted({ port, defer }, count = 2) {
  const raw = await RawWebSocket.open(port, WEBSOCKET, { autoPong: false });
  defer(() => raw.destroy());
  const packets = [];
  while (packets.length < count) packets.push(await raw.next());
  assert.match(packets[0], /^0\{/);
  return { raw, packets: packets.slice(1) };
}

old("the handshake says that the client is in /", ONLY_V2, async (stage) => {
  const io = await stage.serve();
  const connection = until(io, "connection");
  assert.equal(behindHandshake(await stage.get(POLLING)), "2:40");
  await connection;
  const another = until(io, "connection");
  const { raw, packets } = await greeted(stage);
  assert.deepEqual(packets, ["40"]);
  const [socket] = await another;
  socket.emit("next");
  assert.equal(await raw.next(), '42["next"]'); // it is not told twice
});

old("nobody is let in before the middlewares", ONLY_V2, async (stage) => {
  const io = await stage.serve();
  const waiting = [];
  io.use((_socket, next) => waiting.push(next));
  assert.equal(behindHandshake(await stage.get(POLLING)), "");
  const { raw } = await greeted(stage, 1);
  await eventually(() => waiting.length === 2, "both at the middleware");
  waiting.pop()();
  assert.equal(await raw.next(), "40");
  const refused = await greeted(stage, 1);
  await eventually(() => waiting.length === 2, "another one at the middleware");
  waiting.pop()(new Error("no"));
  assert.equal(await refused.raw.next(), '44"no"');
});

old("a middleware that is added later counts for those who come later", ONLY_V2, async (stage) => {
  const io = await stage.serve();
  assert.equal(behindHandshake(await stage.get(POLLING)), "2:40");
  io.of("/other").use((_socket, next) => next());
  assert.equal(behindHandshake(await stage.get(POLLING)), "2:40");
  io.use((_socket, next) => next());
  assert.equal(behindHandshake(await stage.get(POLLING)), "");
});

old("what a client sends right behind the handshake arrives", ONLY_V2, async (stage) => {
  const io = await stage.serve();
  io.on("connection", (socket) => {
    socket.on("a", (n, reply) => {
      stage.trace("a", n);
      reply(n);
    });
  });
  io.of("/other").on("connection", (socket) => stage.trace("other", Object.keys(socket.rooms)));
  const { raw } = await greeted(stage, 1);
  for (let n = 0; n < 3; n++) raw.text(`42${n}["a",${n}]`);
  raw.text("40/other");
  const packets = [];
  while (packets.length < 5) packets.push(await raw.next());
  stage.trace("packets", packets.sort());
});

test("a client of today is told when it has asked", async (t) => {
  const httpServer = createServer();
  const io = require("../../v2")(httpServer);
  t.after(() => io.close());
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const session = await PollingSession.open(httpServer.address().port);
  assert.deepEqual(session.unread, []);
  assert.match(await session.join(), /^40\{"sid"/);
  io.emit("next");
  assert.equal(await session.next(), '42["next"]');
});

for (const transport of ["websocket", "polling"]) {
  old(`a client that reconnects by hand, over ${transport}`, BOTH, async (stage) => {
    const io = await stage.serve();
    let connections = 0;
    io.on("connection", (socket) => {
      connections++;
      socket.on("echo", (n) => socket.emit("echo", n));
    });
    const client = stage.client("/", { transports: [transport] });
    let connected = until(client, "connect");
    for (let round = 1; round <= 3; round++) {
      await connected;
      const echo = until(client, "echo");
      client.emit("echo", round);
      assert.deepEqual(await echo, [round]);
      assert.equal(connections, round);
      const gone = until(client, "disconnect");
      const closed = until(client.io.engine, "close");
      client.disconnect();
      await gone;
      await closed; // before that, this client mixes its connections up
      connected = until(client, "connect");
      client.connect();
    }
    await connected;
  });
}
