"use strict";

/** The many ways a connection ends: reasons and order of events on both sides. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { eventually, turns, until, within } = require("../support/waiting");
const { OPCODE, RawWebSocket } = require("../support/raw-websocket");
const { ALL, DIRECT, scenario } = require("./harness");

/** Traces every closing event of a socket and its connection, and waits for the last of them. */
function watch({ trace }, socket) {
  socket.on("disconnecting", (reason) => trace("server", "disconnecting", reason, socket.connected, socket.rooms.size));
  socket.on("disconnect", (reason) => trace("server", "disconnect", reason, socket.connected, socket.rooms.size));
  const closed = until(socket.conn, "close").then(([reason]) => reason);
  const disconnect = until(socket, "disconnect").then(([reason]) => reason);
  closed.catch(() => {});
  disconnect.catch(() => {});
  return { closed, disconnect };
}

/** A raw WebSocket that has joined "/", and the server's socket for it. */
async function rawPair({ io, webSocket }, options) {
  const connection = until(io, "connection");
  const raw = await webSocket(undefined, options);
  await raw.next();
  await raw.join();
  const [socket] = await connection;
  return { raw, socket };
}

/** A raw polling session that has joined "/", and the server's socket for it. */
async function pollingPair({ io, polling }) {
  const connection = until(io, "connection");
  const session = await polling();
  await session.join();
  const [socket] = await connection;
  return { session, socket };
}

scenario("disconnect: by the client", { modes: ALL }, async (stage) => {
  const { client, socket } = await stage.pair();
  const { disconnect } = watch(stage, socket);
  const atClient = until(client, "disconnect");
  client.disconnect();
  assert.equal((await atClient)[0], "io client disconnect");
  assert.equal(await disconnect, "client namespace disconnect");
});

scenario("disconnect: by the server, the connection stays", { modes: ALL }, async (stage) => {
  const { io, pair, connected, trace } = stage;
  io.of("/stay");
  const { client, socket } = await pair();
  const stay = await connected(client.io.socket("/stay"));
  watch(stage, socket);
  const atClient = until(client, "disconnect");
  assert.equal(socket.disconnect(), socket);
  assert.equal(socket.connected, false);
  assert.equal(socket.disconnect(), socket, "twice is harmless");
  assert.equal((await atClient)[0], "io server disconnect");
  assert.equal(stay.connected, true);
  assert.equal(socket.conn.readyState, "open");
  trace("client", client.connected, stay.connected);
});

scenario("disconnect: by the server with the connection", { modes: ALL }, async (stage) => {
  const { io, pair, connected, trace } = stage;
  io.of("/both");
  const { client, socket } = await pair();
  const both = await connected(client.io.socket("/both"));
  const other = [...io.of("/both").sockets.values()][0];
  other.on("disconnect", (reason) => trace("other", reason));
  const { closed } = watch(stage, socket);
  const ends = [until(client, "disconnect"), until(both, "disconnect")];
  assert.equal(socket.disconnect(true), socket);
  assert.equal(await closed, "forced close");
  const reasons = (await Promise.all(ends)).map(([reason]) => reason);
  assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);
  assert.equal(io.engine.clientsCount, 0);
});

scenario("disconnect: in the connection handler, packets in order", { modes: ALL }, async ({ io, client, trace }) => {
  io.on("connection", (socket) => {
    socket.emit("bye", 1);
    socket.disconnect(true);
  });
  const kicked = client();
  kicked.on("connect", () => trace("client", "connect"));
  kicked.on("bye", (n) => trace("client", "bye", n));
  const [reason] = await until(kicked, "disconnect");
  assert.equal(reason, "io server disconnect");
});

scenario("disconnect: the TCP connection is cut", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  const { closed, disconnect } = watch(stage, socket);
  raw.destroy();
  assert.equal(await disconnect, "transport close");
  assert.equal(await closed, "transport close");
});

scenario("disconnect: the TCP connection is reset", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  const { disconnect } = watch(stage, socket);
  raw.socket.resetAndDestroy();
  // An ECONNRESET is an error of the wire to upstream, an end of it to others: both are the transport's.
  assert.match(await disconnect, /^transport (close|error)$/);
});

scenario("disconnect: a close frame of the client", async (stage) => {
  for (const payload of [Buffer.alloc(0), Buffer.from([0x03, 0xe8]), Buffer.from([0x0b, 0xb8, 0x68, 0x69])]) {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.send(OPCODE.close, payload);
    assert.equal(await disconnect, "transport close");
    stage.trace("wire", await raw.rest());
  }
});

scenario("disconnect: the client library closes its engine", { modes: ALL }, async (stage) => {
  const { client, socket } = await stage.pair();
  const { disconnect } = watch(stage, socket);
  const atClient = until(client, "disconnect");
  client.io.engine.close();
  stage.trace("client", (await atClient)[0]);
  assert.equal(await disconnect, "transport close");
});

scenario("disconnect: an Engine.IO close packet", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  raw.text("1");
  // Over a WebSocket upstream takes no notice of it.
  socket.on("x", (reply) => reply("alive"));
  raw.text('421["x"]');
  stage.trace("wire", await raw.next());
});

scenario("disconnect: an Engine.IO close packet over polling", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const { disconnect } = watch(stage, socket);
  const parked = session.get();
  const post = await session.post("1");
  assert.equal(await disconnect, "transport close");
  stage.trace("wire", post.status, post.body, (await parked).body);
});

scenario(
  "disconnect: ping timeout",
  { options: { pingInterval: 30, pingTimeout: 50 } },
  async (stage) => {
    const { raw, socket } = await rawPair(stage, { autoPong: false });
    const { closed, disconnect } = watch(stage, socket);
    assert.equal(await disconnect, "ping timeout");
    assert.equal(await closed, "ping timeout");
    stage.trace("wire", (await raw.rest()).filter((packet) => packet !== "2"));
  },
);

scenario(
  "disconnect: ping timeout over polling",
  { options: { pingInterval: 30, pingTimeout: 50 } },
  async (stage) => {
    const { session, socket } = await pollingPair(stage);
    const { disconnect } = watch(stage, socket);
    assert.equal(await session.next(), "2");
    const last = session.get();
    assert.equal(await disconnect, "ping timeout");
    const { status, body } = await last;
    stage.trace("wire", status, body);
  },
);

scenario(
  "heartbeat: pongs keep the connection",
  { options: { pingInterval: 15, pingTimeout: 1_000 } },
  async (stage) => {
    const { raw, socket } = await rawPair(stage, { autoPong: false });
    for (let i = 0; i < 5; i++) {
      assert.equal(await raw.next(), "2");
      raw.text("3");
    }
    assert.equal(socket.connected, true);
    const session = await pollingPair(stage);
    for (let i = 0; i < 5; i++) {
      assert.equal(await session.session.next(), "2");
      await session.session.post("3");
    }
    assert.equal(session.socket.connected, true);
  },
);

scenario("disconnect: a ping in the wrong direction", async (stage) => {
  for (const packet of ["2", "2probe"]) {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text(packet);
    assert.equal(await disconnect, "transport error");
    stage.trace("wire", await raw.rest());
  }
});

scenario("packets a client has no reason to send are ignored", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  for (const packet of ["0", "3", "5", "6", "6x", '0{"sid":"x"}']) raw.text(packet);
  socket.on("x", (reply) => reply("alive"));
  raw.text('421["x"]');
  assert.equal(await raw.next(), '431["alive"]');
});

scenario("disconnect: a bad Engine.IO packet", async (stage) => {
  for (const packet of ["9", "x", "", "é", "/"]) {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text(packet);
    assert.equal(await disconnect, "parse error", JSON.stringify(packet));
    stage.trace("wire", packet, await raw.rest());
  }
});

scenario("disconnect: a bad Engine.IO packet over polling", async (stage) => {
  for (const body of ["9", "x", "", "\x1e", '42["a"]\x1e9']) {
    const { session, socket } = await pollingPair(stage);
    socket.on("a", () => stage.trace("server", "a"));
    const { disconnect } = watch(stage, socket);
    const parked = session.startGet();
    const post = await session.post(body);
    assert.equal(await disconnect, "parse error", JSON.stringify(body));
    stage.trace("wire", body, post.status, post.body);
    const answer = await parked.response;
    stage.trace("wire", answer.status, answer.body);
  }
});

scenario("disconnect: a bad Socket.IO packet", async (stage) => {
  const bad = [
    "4", "49", "4x", "4é", "42", "42{}", "42[]", "42[true]", "42[null]", '42[{"toString":"foo"}]', "42[[]]", '42["a"', "42abc",
    '42["connect"]', '42["connect_error"]', '42["disconnect"]', '42["disconnecting"]', '42["newListener"]',
    '42["removeListener"]', '42["\\u0063onnect"]', "43", "43{}", '43"a"', "430{}", '41["x"]', "40[]", '40"x"', "401", "40x",
    '42["a"]]', '42 ["a"]', "42undefined", '42["\x01"]', '42["a",]', "42[01]", "42[.5]", "42['a']", "42[NaN]",
    '44{"message":"x"}', '45["a"]', '451["a"]', '45-["a"]', '450-["a"]', '45-1-["a"]', '451.5-["a"]', '45x-["a"]', '4511-["a"]',
    '46["a"]',
  ];
  for (const packet of bad) {
    const { raw, socket } = await rawPair(stage);
    const reasons = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    // For an empty packet upstream only stumbles over it: its message says nothing.
    socket.on("error", ({ message }) => stage.trace("error event", packet, packet === "4" ? "" : message));
    socket.on("x", (reply) => reply("alive"));
    raw.text(packet);
    raw.text('421["x"]');
    const answer = await raw.next();
    raw.destroy();
    await eventually(() => !socket.connected, "the end of the socket");
    stage.trace("outcome", packet, answer, reasons);
  }
});

scenario("disconnect: attachments that do not fit", async (stage) => {
  const bad = [
    ['451-["a",{"_placeholder":true,"num":"splice"}]'],
    ['451-["a",{"_placeholder":true,"num":1}]'],
    ['451-["a",{"_placeholder":true,"num":-1}]'],
    ['451-["a",{"_placeholder":true,"num":null}]'],
    ['451-["a",{"_placeholder":true,"num":"0"}]'],
    ['451-["a",{"_placeholder":true}]'],
  ];
  for (const [packet] of bad) {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    socket.on("a", () => stage.trace("server", "never"));
    raw.text(packet);
    raw.binary(Buffer.from("x"));
    assert.equal(await disconnect, "forced close", packet);
    stage.trace("wire", packet, await raw.rest());
  }
});

scenario("disconnect: text while attachments are awaited, binary while none are", async (stage) => {
  {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text('451-["a",{"_placeholder":true,"num":0}]');
    raw.text('42["b"]');
    assert.equal(await disconnect, "forced close");
  }
  {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.binary(Buffer.from("nobody asked"));
    assert.equal(await disconnect, "forced close");
  }
});

scenario("attachments: odd but valid", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  socket.on("a", (...args) => {
    const reply = args.pop();
    stage.trace("server", args);
    reply();
  });
  const send = async (packet, ...buffers) => {
    raw.text(packet);
    for (const buffer of buffers) raw.binary(buffer);
    stage.trace("wire", await raw.next());
  };
  const b = Buffer.from("b");
  await send('451-1["a",{"_placeholder":true,"num":0}]', b);
  await send('452-2["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', b, Buffer.from("c"));
  await send('451-3["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', b);
  await send('451-4["a","no placeholder"]', b);
  await send('451-5["a",{"_placeholder":true,"num":0,"extra":1}]', b);
  await send('451-6["a",{"_placeholder":1,"num":0}]', b);
  await send('451-7["a",[[{"x":{"_placeholder":true,"num":0}}]]]', Buffer.alloc(0));
  await send('427["a",{"_placeholder":true,"num":0}]');
});

scenario("disconnect: packets for a namespace not joined", async (stage) => {
  stage.io.of("/other");
  for (const packet of ['42/other,["x"]', '42/nowhere,["x"]', "41/other,", '43/other,0["x"]', '44{"message":"x"}']) {
    const { raw, socket } = await rawPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text(packet);
    const reason = await disconnect;
    assert.equal(reason, "forced close", packet);
    stage.trace("wire", packet, reason, await raw.rest());
  }
});

scenario("disconnect: an event before CONNECT", async ({ io, webSocket, trace }) => {
  const opened = until(io.engine, "connection");
  const raw = await webSocket();
  const [conn] = await opened;
  const closed = until(conn, "close");
  await raw.next();
  raw.text('42["x"]');
  trace("close", (await closed)[0]);
  trace("wire", await raw.rest());
});

scenario("disconnect: a message too large for a WebSocket", { options: { maxHttpBufferSize: 1_000 } }, async (stage) => {
  const { raw, socket } = await rawPair(stage);
  const { disconnect } = watch(stage, socket);
  raw.text(`42["x","${"y".repeat(1_000)}"]`);
  assert.equal(await disconnect, "transport error");
  const wire = await raw.rest();
  assert.deepEqual(wire, [{ close: 1009 }]);
});

scenario("disconnect: a message of exactly the limit is fine", { options: { maxHttpBufferSize: 1_000 } }, async (stage) => {
  const { raw, socket } = await rawPair(stage);
  socket.on("x", (text) => socket.emit("length", text.length));
  const text = "y".repeat(1_000 - '42["x",""]'.length);
  raw.text(`42["x","${text}"]`);
  assert.equal(await raw.next(), `42["length",${text.length}]`);
});

scenario("disconnect: a POST too large", { options: { maxHttpBufferSize: 1_000 } }, async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const answer = await session.post(`42["x","${"y".repeat(1_000)}"]`);
  assert.equal(answer.status, 413);
  stage.trace("wire", answer);
  stage.trace("socket", socket.connected, socket.conn.readyState);
});

scenario("disconnect: a poll the client aborts", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const { disconnect } = watch(stage, socket);
  const parked = session.startGet();
  await within(once(parked.request, "finish"), "the request to be sent");
  // The request has to be parked before it can be aborted.
  for (; !socket.conn.transport.writable; ) await turns();
  parked.abort();
  assert.equal(await disconnect, "transport error");
});

scenario("disconnect: a POST the client aborts", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const { disconnect } = watch(stage, socket);
  const post = session.startPost(null, { headers: { "content-length": "100" } });
  post.request.write('42["half');
  await within(new Promise((resolve) => stage.httpServer.once("request", resolve)), "the request");
  post.abort();
  assert.equal(await disconnect, "transport error");
});

scenario("disconnect: description of a transport error", async (stage) => {
  const { raw, socket } = await rawPair(stage);
  const gone = until(socket, "disconnect");
  raw.text("2");
  const [reason, description] = await gone;
  assert.equal(reason, "transport error");
  stage.trace("description", description instanceof Error, description?.message);
});

scenario("disconnect: io.close()", { modes: ALL }, async (stage) => {
  const { io, pair, trace } = stage;
  const { client, socket } = await pair();
  watch(stage, socket);
  const gone = until(client, "disconnect");
  await io.close();
  const [reason] = await gone;
  trace("client", reason);
  assert.equal(io.engine.clientsCount, 0);
  assert.equal(socket.connected, false);
});

scenario("disconnect: packets after a disconnect are not sent", { modes: DIRECT }, async ({ pair, trace }) => {
  const { client, socket } = await pair();
  client.on("x", () => trace("client", "never"));
  const gone = until(client, "disconnect");
  socket.disconnect();
  assert.equal(socket.emit("x"), true);
  await gone;
});

scenario("disconnect: conn.close() by the application", { modes: ALL }, async (stage) => {
  const { client, socket } = await stage.pair();
  const { closed } = watch(stage, socket);
  const atClient = until(client, "disconnect");
  socket.conn.close();
  stage.trace("client", (await atClient)[0]);
  assert.equal(await closed, "forced close");
});

scenario("conn: what it tells", { modes: ALL }, async ({ pair, trace, mode }) => {
  const { client, socket } = await pair();
  const { conn } = socket;
  assert.equal(conn.transport.name, mode === "polling" ? "polling" : "websocket");
  assert.equal(conn.readyState, "open");
  assert.equal(conn.remoteAddress, "127.0.0.1");
  assert.equal(conn.protocol, 4);
  assert.equal(conn.id, socket.client.id);
  assert.equal(conn, socket.client.conn);
  assert.equal(conn.server, socket.server.engine);
  const closed = until(conn, "close");
  client.disconnect();
  const [reason] = await closed;
  trace("conn", conn.readyState, reason);
  assert.equal(conn.readyState, "closed");
});

scenario("conn: upgrade", { modes: ["upgrade"] }, async ({ io, client, trace }) => {
  const connection = until(io, "connection");
  client();
  const [socket] = await connection;
  const { conn } = socket;
  trace("conn", conn.transport.name, conn.upgraded);
  assert.equal(conn.transport.name, "polling");
  const [transport] = await until(conn, "upgrade");
  assert.equal(transport.name, "websocket");
  assert.equal(conn.transport.name, "websocket");
  assert.equal(conn.transport, transport);
  trace("conn", conn.transport.name, conn.upgraded, conn.readyState);
});
