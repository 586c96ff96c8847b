"use strict";

/** `conn.sendPacket()`: packets of the Engine.IO protocol that the program itself sends. */

const assert = require("node:assert/strict");
const { scenario } = require("./harness");
const { park } = require("./raw-pairs");
const { eventually, until, within } = require("../support/waiting");

const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const OPTIONS = { allowEIO3: true, pingInterval: 20_000 };

/** Sends a packet of each type, bare and with data, and traces what listeners are shown. */
function sendAll(conn, trace) {
  conn.on("packetCreate", (packet) => trace("created", packet, Object.keys(packet)));
  for (const type of TYPES) {
    conn.sendPacket(type);
    conn.sendPacket(type, "data é", { compress: false });
  }
  conn.sendPacket("pong", 42);
  conn.sendPacket("noop", "", { mine: true });
  conn.removeAllListeners("packetCreate");
}

/** Sends the last packet of a test, and waits until it has left. */
function sendLast(conn, trace) {
  const left = new Promise((resolve) => {
    conn.sendPacket("message", "last", (transport) => {
      trace("left", transport === conn.transport);
      resolve();
    });
  });
  return within(left, "the callback of the last packet");
}

for (const protocol of [4, 3]) {
  scenario(
    `sendPacket: each type over WebSocket, protocol ${protocol}`,
    { options: OPTIONS },
    async ({ io, webSocket, trace }) => {
      const connection = until(io.engine, "connection");
      const raw = await webSocket(`/socket.io/?EIO=${protocol}&transport=websocket`, {
        autoPong: false,
      });
      const [conn] = await connection;
      sendAll(conn, trace);
      const left = sendLast(conn, trace);
      for (let packet = await raw.next(); packet !== "4last"; packet = await raw.next())
        trace("wire", packet);
      await left;
      assert.equal(conn.readyState, "open", "none of them changes the session");
    },
  );

  scenario(
    `sendPacket: each type over polling, protocol ${protocol}`,
    { options: OPTIONS },
    async ({ io, http, trace }) => {
      const connection = until(io.engine, "connection");
      const query = `/socket.io/?EIO=${protocol}&transport=polling`;
      await http("GET", query);
      const [conn] = await connection;
      const url = `${query}&sid=${conn.id}`;
      if (protocol === 3) await http("GET", url);
      trace("buffer", conn.writeBuffer.length);
      sendAll(conn, trace);
      const left = sendLast(conn, trace);
      trace("buffer", conn.writeBuffer);
      trace("wire", await http("GET", url));
      await left;
      trace("buffer", conn.writeBuffer);
      assert.equal(conn.readyState, "open");
    },
  );

  scenario(
    `sendPacket: bytes, protocol ${protocol}`,
    { options: OPTIONS },
    async ({ io, webSocket, trace }) => {
      const connection = until(io.engine, "connection");
      const raw = await webSocket(
        `/socket.io/?EIO=${protocol}&transport=websocket${protocol === 3 ? "&b64=1" : ""}`,
      );
      const [conn] = await connection;
      conn.sendPacket("message", Buffer.from("bytes"));
      conn.sendPacket("ping", Buffer.from("bytes"));
      conn.sendPacket("noop", new Uint8Array([1, 2]).buffer);
      const left = sendLast(conn, trace);
      for (let packet = await raw.next(); packet !== "4last"; packet = await raw.next())
        trace("wire", packet);
      await left;
    },
  );
}

scenario("sendPacket: a noop ends the poll that waits", async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  const shown = [];
  for (const event of ["flush", "drain"])
    conn.on(event, (packets) => shown.push([event, packets?.map(({ type }) => type)]));
  const parked = await park(session, { conn });
  conn.sendPacket("noop");
  const { status, body } = await parked.response;
  stage.trace("wire", status, body);
  stage.trace("shown", shown);
  stage.trace("buffer", conn.writeBuffer);
});

scenario(
  "sendPacket: a ping is answered like any other",
  { options: OPTIONS },
  async ({ io, webSocket, trace }) => {
    const connection = until(io.engine, "connection");
    const raw = await webSocket(undefined, { autoPong: false });
    const [conn] = await connection;
    await raw.next();
    const heartbeat = until(conn, "heartbeat");
    conn.sendPacket("ping");
    assert.equal(await raw.next(), "2");
    raw.text("3");
    trace("heartbeat", await heartbeat);
  },
);

scenario("sendPacket: what was sent before the upgrade comes after it", async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  const raw = await stage.webSocket(`/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  conn.sendPacket("pong", "one");
  conn.send("two");
  conn.sendPacket("noop");
  raw.text("5");
  for (let i = 0; i < 3; i++) stage.trace("wire", await raw.next());
});

scenario("sendPacket: nothing leaves a connection that closes", async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  conn.on("packetCreate", ({ type }) => stage.trace("created", type));
  conn.sendPacket("noop", "before");
  conn.close();
  conn.sendPacket("noop", "after");
  stage.trace("state", conn.readyState, conn.writeBuffer.length);
  const bodies = [(await session.get()).body, (await session.get()).body];
  stage.trace("wire", bodies);
  await eventually(() => conn.readyState === "closed", "the end");
});
