"use strict";

/** The many ways a connection ends: reasons and order of events on both sides. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { Socket: EngineClient } = require("engine.io-client");
const { turns, until, within } = require("../support/waiting");
const { OPCODE, frame } = require("../support/raw-websocket");
const { ALL, DIRECT, scenario } = require("./harness");
const { pollingPair, watch, webSocketPair } = require("./raw-pairs");

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

scenario(
  "disconnect: in the connection handler, packets in order",
  { modes: ALL },
  async ({ io, client, trace }) => {
    io.on("connection", (socket) => {
      socket.emit("bye", 1);
      socket.disconnect(true);
    });
    const kicked = client();
    kicked.on("connect", () => trace("client", "connect"));
    kicked.on("bye", (n) => trace("client", "bye", n));
    const [reason] = await until(kicked, "disconnect");
    assert.equal(reason, "io server disconnect");
  },
);

scenario("disconnect: the TCP connection is cut", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const { closed, disconnect } = watch(stage, socket);
  raw.destroy();
  assert.equal(await disconnect, "transport close");
  assert.equal(await closed, "transport close");
});

scenario("disconnect: the TCP connection is reset", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const { disconnect } = watch(stage, socket);
  raw.socket.resetAndDestroy();
  // An ECONNRESET is an error of the wire to upstream, an end of it to others: both are the transport's.
  assert.match(await disconnect, /^transport (close|error)$/);
});

scenario("disconnect: a close frame of the client", async (stage) => {
  for (const payload of [
    Buffer.alloc(0),
    Buffer.from([0x03, 0xe8]),
    Buffer.from([0x0b, 0xb8, 0x68, 0x69]),
  ]) {
    const { raw, socket } = await webSocketPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.send(OPCODE.close, payload);
    assert.equal(await disconnect, "transport close");
    stage.trace("wire", await raw.rest());
  }
});

scenario(
  "disconnect: what a program puts off to ticks and promises comes before it, in one chunk with the end",
  async (stage) => {
    const middlewares = {
      none: undefined,
      sync: (_event, next) => next(),
      tick: (_event, next) => process.nextTick(next),
      async: async (_event, next) => {
        await null;
        process.nextTick(async () => {
          await null;
          next();
        });
      },
    };
    const close = frame(OPCODE.close, Buffer.from([0x03, 0xe8]));
    for (const [name, middleware] of Object.entries(middlewares)) {
      for (const last of [close, undefined]) {
        const { raw, socket } = await webSocketPair(stage);
        const order = [];
        if (middleware !== undefined) socket.use(middleware);
        socket.on("a", async () => {
          order.push("a");
          await null;
          order.push(`later, connected: ${socket.connected}`);
        });
        const gone = until(socket, "disconnect");
        socket.on("disconnect", (reason) => order.push(reason));
        const event = frame(OPCODE.text, '42["a"]');
        if (last === undefined) raw.socket.end(event);
        else raw.socket.write(Buffer.concat([event, last]));
        await gone;
        const expected = ["a", "later, connected: true", "transport close"];
        assert.deepEqual(order, expected, `${name}, ${last === undefined ? "end" : "close frame"}`);
      }
    }
  },
);

scenario("disconnect: the client library closes its engine", { modes: ALL }, async (stage) => {
  const { client, socket } = await stage.pair();
  const { disconnect } = watch(stage, socket);
  const atClient = until(client, "disconnect");
  client.io.engine.close();
  stage.trace("client", (await atClient)[0]);
  assert.equal(await disconnect, "transport close");
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
  { options: { pingInterval: 30, pingTimeout: 1_000 } }, // a slow machine has to join within that
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage);
    raw.autoPong = false;
    const { closed, disconnect } = watch(stage, socket);
    assert.equal(await disconnect, "ping timeout");
    assert.equal(await closed, "ping timeout");
    stage.trace(
      "wire",
      (await raw.rest()).filter((packet) => packet !== "2"),
    );
  },
);

scenario(
  "disconnect: ping timeout over polling",
  { options: { pingInterval: 30, pingTimeout: 1_000 } },
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
  { options: { pingInterval: 15, pingTimeout: 60_000 } },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage, { autoPong: false });
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
    const { raw, socket } = await webSocketPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text(packet);
    assert.equal(await disconnect, "transport error");
    stage.trace("wire", await raw.rest());
  }
});

scenario(
  "disconnect: a message too large for a WebSocket",
  { options: { maxHttpBufferSize: 1_000 } },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage);
    const { disconnect } = watch(stage, socket);
    raw.text(`42["x","${"y".repeat(1_000)}"]`);
    assert.equal(await disconnect, "transport error");
    const wire = await raw.rest();
    assert.deepEqual(wire, [{ close: 1009 }]);
  },
);

scenario(
  "disconnect: a message of exactly the limit is fine",
  { options: { maxHttpBufferSize: 1_000 } },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage);
    socket.on("x", (text) => socket.emit("length", text.length));
    const text = "y".repeat(1_000 - '42["x",""]'.length);
    raw.text(`42["x","${text}"]`);
    assert.equal(await raw.next(), `42["length",${text.length}]`);
  },
);

scenario(
  "disconnect: a POST too large",
  { options: { maxHttpBufferSize: 1_000 } },
  async (stage) => {
    const { session, socket } = await pollingPair(stage);
    const { disconnect } = watch(stage, socket);
    const answer = await session.post(`42["x","${"y".repeat(1_000)}"]`);
    assert.equal(answer.status, 413);
    assert.equal(await disconnect, "transport error");
    stage.trace("wire", answer);
    stage.trace("socket", socket.connected, socket.conn.readyState);
  },
);

scenario("disconnect: a poll the client aborts", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const { disconnect } = watch(stage, socket);
  const parked = session.startGet();
  await within(once(parked.request, "finish"), "the request to be sent");
  // The request has to be parked before it can be aborted.
  for (; !socket.conn.transport.writable;) await turns();
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
  const { raw, socket } = await webSocketPair(stage);
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

scenario("disconnect: io.close() right behind a newcomer", async (stage) => {
  const { io, httpServer } = stage;
  httpServer.on("upgrade", () => setImmediate(() => io.close()));
  const client = new EngineClient(stage.url, { path: "/socket.io/", transports: ["websocket"] });
  stage.trace("client", (await until(client, "close"))[0]);
  assert.equal(io.engine.clientsCount, 0);
});

scenario(
  "disconnect: packets after a disconnect are not sent",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    client.on("x", () => trace("client", "never"));
    const gone = until(client, "disconnect");
    socket.disconnect();
    assert.equal(socket.emit("x"), true);
    await gone;
  },
);

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

for (const order of [
  ["/", "/a", "/b"],
  ["/a", "/", "/b"],
  ["/a", "/b", "/"],
]) {
  scenario(
    `disconnect: the sockets of a client end in the order in which they came (${order})`,
    { modes: ["websocket"] },
    async ({ io, pair, connected, trace }) => {
      for (const name of order)
        io.of(name).on("connection", (socket) =>
          socket.on("disconnect", (reason) => trace("server", name, reason)),
        );
      const join = async () => {
        const first = await pair(order[0]);
        for (const name of order.slice(1)) await connected(first.client.io.socket(name));
        trace("server", [...first.socket.client.nsps.keys()]);
        return first;
      };
      const gone = (client, nsps) =>
        Promise.all(nsps.map((name) => until([...io.of(name).sockets.values()][0], "disconnect")));
      const { client } = await join();
      let ended = gone(client, order);
      client.io.engine.close();
      await ended;
      const { client: other, socket } = await join();
      ended = gone(other, order);
      socket.disconnect(true);
      await ended;
      const { socket: third } = await join();
      const [, left] = order;
      const again = third.client.nsps.get(left);
      again.disconnect();
      trace("server", [...third.client.nsps.keys()], third.client.sockets.size);
      third.disconnect(true);
    },
  );
}
