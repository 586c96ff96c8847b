"use strict";

/** `socket.conn`: the events and fields of an Engine.IO connection. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { ALL, DIRECT, scenario } = require("./harness");
const { gather, turns, until, within } = require("../support/waiting");

scenario(
  "conn: packetCreate inside emit and broadcast",
  { modes: ALL },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    let inside = false;
    socket.conn.on("packetCreate", (packet) => {
      if (packet.type !== "message") return;
      assert.ok(inside, "synchronously");
      const frame = packet.options.wsPreEncodedFrame;
      if (frame !== undefined) {
        assert.ok(frame instanceof Array);
        assert.equal(frame[1].toString(), `4${packet.data}`);
        trace("frame", frame[0], frame[1].length, frame.length);
      }
      const options = { ...packet.options, wsPreEncodedFrame: frame !== undefined };
      trace("server", packet.type, packet.data.slice(0, 20), options, Object.keys(packet));
    });
    const done = gather(client, "a", 8);
    inside = true;
    socket.emit("a", 1);
    socket.compress(false).emit("a", 3);
    socket.emit("a", Buffer.from("binary"));
    io.emit("a", "é".repeat(200));
    io.compress(false).emit("a", "x".repeat(70_000));
    io.emit("a", Buffer.from("binary"));
    io.timeout(1000).emit("a", "with ack", () => {});
    socket.emit("a", "last");
    inside = false;
    await done;
  },
);

scenario(
  "conn: packet for each kind of packet",
  { options: { pingInterval: 300 } },
  async ({ io, webSocket, trace }) => {
    const connection = until(io.engine, "connection");
    const raw = await webSocket(undefined, { autoPong: false });
    const [conn] = await connection;
    const heartbeat = until(conn, "heartbeat");
    const pinged = until(conn, "packetCreate");
    conn.on("packet", (packet) => trace("packet", packet, Object.keys(packet)));
    conn.on("data", (data) => trace("data", data));
    conn.on("message", (data) => trace("message", data));
    conn.on("heartbeat", (...args) => trace("heartbeat", args));
    const [ping] = await pinged;
    trace("out", ping, Object.keys(ping));
    raw.text("3");
    await heartbeat;
    const closed = until(conn, "close");
    raw.text("6");
    await raw.next();
    await raw.next();
    trace("wire", await raw.join());
    raw.text('42["a",1]');
    raw.text('451-["a",{"_placeholder":true,"num":0}]');
    raw.binary(Buffer.from("xyz"));
    raw.text("2probe");
    const [reason, description] = await closed;
    trace("close", reason, description);
  },
);

scenario("conn: packet over polling", async ({ io, polling, trace }) => {
  const connection = until(io.engine, "connection");
  const session = await polling();
  const [conn] = await connection;
  conn.on("packet", (packet) => trace("packet", packet));
  await session.post("6");
  const messages = gather(conn, "message", 2);
  await session.post('40\x1e42["a"]');
  trace("messages", await messages);
});

scenario(
  "conn: flush and drain, of the connection and of the engine",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    io.engine.on("flush", (conn, packets) =>
      trace("engine", "flush", packets.length > 0, conn.id === packetsOf.id),
    );
    const packetsOf = {};
    const { client, socket } = await pair();
    const { conn } = socket;
    packetsOf.id = conn.id;
    await turns(3);
    io.engine.removeAllListeners("flush");
    const seen = [];
    conn.on("flush", (packets) =>
      seen.push(["flush", packets.map(({ type, data }) => [type, data])]),
    );
    conn.on("drain", (...args) => seen.push(["drain", ...args]));
    const drained = until(conn, "drain");
    const arrived = until(client, "a");
    if (conn.transport.name === "polling" && !conn.transport.writable)
      await within(pollParked(conn), "a poll");
    socket.emit("a", 1);
    await Promise.all([drained, arrived]);
    trace("server", seen.slice(0, 2));
  },
);

scenario(
  "conn: a packet is written before its flush and drain are told",
  { modes: DIRECT },
  async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const { conn } = socket;
    const ways = {
      emit: (name) => socket.emit(name),
      broadcast: (name) => io.emit(name),
      message: (name) => conn.send(`2["${name}"]`),
    };
    for (const event of ["flush", "drain"]) {
      for (const [way, send] of Object.entries(ways)) {
        const names = [];
        client.onAny((name) => names.push(name));
        await within(pollParked(conn), "a writable transport");
        conn.once(event, () => socket.emit("told"));
        const told = gather(client, "told", 1);
        send("sent");
        await told;
        await within(pollParked(conn), "a writable transport");
        conn.once(event, () => {
          throw new Error(`from ${event}`);
        });
        const last = until(client, "last");
        assert.throws(() => send("thrown"), { message: `from ${event}` });
        socket.emit("last");
        await last;
        client.offAny();
        trace("server", event, way, names);
      }
    }
  },
);

/** Until a poll of the connection waits, or what was sent by WebSocket has left. */
async function pollParked(conn) {
  while (!conn.transport.writable) await turns();
}

scenario(
  "conn: send and write call back when the packet has left",
  { modes: ALL },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const { conn } = socket;
    const calls = [];
    const arrived = gather(client, "a", 4);
    const left = new Promise((resolve) => {
      conn.send('2["a",1]', undefined, (transport) =>
        calls.push([1, transport === conn.transport]),
      );
      conn.write('2["a",2]', { compress: false }, () => calls.push([2]));
      conn.write('2["a",3]', () => calls.push([3]));
      socket.emit("a", 4);
      conn.sendPacket("message", '2["b"]', {}, () => resolve());
    });
    assert.deepEqual(calls, [], "not at once");
    await Promise.all([arrived, within(left, "the callback")]);
    trace("server", calls);
    trace("client", await arrived);
  },
);

scenario("conn: writeBuffer holds what a poll has to fetch", async ({ io, polling, trace }) => {
  const connection = until(io.engine, "connection");
  const session = await polling();
  const [conn] = await connection;
  trace("buffer", conn.writeBuffer.length, conn.transport.writable);
  const left = new Promise((resolve) => {
    conn.send("one");
    conn.send("two", resolve);
  });
  trace("buffer", conn.writeBuffer);
  trace("wire", (await session.get()).body);
  await within(left, "the callback");
  trace("buffer", conn.writeBuffer);
  conn.send("three");
  const closed = once(conn, "close").then(([reason]) => [reason, conn.writeBuffer.length]);
  conn.close(true);
  trace("close", await closed, conn.readyState);
  await turns();
  trace("buffer", conn.writeBuffer);
});

scenario(
  "conn: upgrading and upgrade give one transport",
  { modes: ["upgrade"] },
  async ({ io, client, connected, trace }) => {
    const connection = until(io.engine, "connection");
    const socket = client();
    const [conn] = await connection;
    const [first] = await until(conn, "upgrading");
    trace("server", first.name, conn.upgrading, conn.upgraded, conn.transport.name);
    const [second] = await until(conn, "upgrade");
    trace(
      "server",
      first === second,
      conn.transport === second,
      conn.upgrading,
      conn.upgraded,
      second.readyState,
    );
    await connected(socket);
  },
);

scenario("conn: the request can be deleted", { modes: DIRECT }, async ({ io, pair, trace }) => {
  io.engine.on("connection", (conn) => {
    trace("own", Object.hasOwn(conn, "request"));
    delete conn.request;
  });
  const { socket } = await pair();
  const { headers, query, secure, url, xdomain } = socket.handshake;
  trace("handshake", { headers, query, secure, url, xdomain });
});
