"use strict";

/** `conn.transport`: what can be seen of it, for each kind of client. */

const assert = require("node:assert/strict");

const { ALL, scenario } = require("./harness");
const { park } = require("./raw-pairs");
const { eventually, until, within } = require("../support/waiting");

const OPTIONS = { allowEIO3: true };

const shown = ({ name, protocol, readyState, discarded, supportsBinary, writable }) => ({
  name,
  protocol,
  readyState,
  discarded,
  supportsBinary,
  writable,
});

scenario("transport: of each kind of client", { options: OPTIONS }, async (stage) => {
  const { io, http, webSocket, trace } = stage;
  for (const query of ["EIO=4", "EIO=4&b64=1", "EIO=3", "EIO=3&b64=1", "EIO=3&j=0", "EIO=4&b64="]) {
    let connection = until(io.engine, "connection");
    await http("GET", `/socket.io/?${query}&transport=polling`);
    let [conn] = await connection;
    if (query.startsWith("EIO=3")) {
      await http("GET", `/socket.io/?${query}&transport=polling&sid=${conn.id}`);
    }
    trace("polling", query, shown(conn.transport), conn.transport.sid === conn.id);
    connection = until(io.engine, "connection");
    const raw = await webSocket(`/socket.io/?${query}&transport=websocket`);
    [conn] = await connection;
    await raw.next();
    await eventually(() => conn.transport.writable, "the handshake to leave");
    trace("websocket", query, shown(conn.transport), conn.transport.sid === conn.id);
  }
});

scenario("transport: bytes as base64, for those who ask", { options: OPTIONS }, async (stage) => {
  for (const protocol of [4, 3]) {
    const connection = until(stage.io.engine, "connection");
    const target = `/socket.io/?EIO=${protocol}&transport=websocket&b64=1`;
    const raw = await stage.webSocket(target);
    const [conn] = await connection;
    await raw.next();
    if (protocol === 3) await raw.next();
    conn.send(Buffer.from("bytes"));
    stage.trace("wire", await raw.next());
  }
});

scenario("transport: the old and the new one of an upgrade", async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  const old = conn.transport;
  const upgrading = until(conn, "upgrading");
  const raw = await stage.webSocket(
    `/socket.io/?EIO=4&transport=websocket&b64=1&sid=${session.sid}`,
  );
  raw.text("2probe");
  const [next] = await upgrading;
  await raw.next();
  await eventually(() => next.writable, "the answer to the probe to leave");
  stage.trace("upgrading", shown(old), shown(next), conn.transport === old);
  const upgrade = until(conn, "upgrade");
  raw.text("5");
  await upgrade;
  stage.trace("upgraded", shown(old), shown(conn.transport), conn.transport === next);
  const closed = until(conn, "close");
  conn.close();
  await closed;
  stage.trace("closed", conn.transport.discarded, conn.transport === next);
});

scenario("transport: packets sent by the transport itself", async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const session = await stage.polling();
  const [conn] = await connection;
  conn.on("packetCreate", ({ type }) => stage.trace("created", type));
  conn.on("flush", () => stage.trace("flush"));
  const parked = await park(session, { conn });
  conn.transport.send([{ type: "message", data: "one" }, { type: "noop" }]);
  const { status, body } = await parked.response;
  stage.trace("wire", status, body);
});

scenario("transport: it tells of its end", { modes: ALL, options: OPTIONS }, async (stage) => {
  for (const how of ["client.disconnect", "socket.disconnect", "conn.close", "transport.close"]) {
    const { client, socket } = await stage.pair();
    const { conn } = socket;
    const closed = new Promise((resolve) =>
      conn.transport.once("close", (...args) => resolve(args)),
    );
    const lost = until(conn, "close");
    if (how === "client.disconnect") client.disconnect();
    else if (how === "socket.disconnect") socket.disconnect(true);
    else if (how === "conn.close") conn.close();
    else conn.transport.close();
    stage.trace(how, await within(closed, `"close" of the transport, by ${how}`));
    await lost;
    stage.trace(how, conn.readyState, conn.transport.readyState);
  }
});

scenario(
  "transport: the old one closes with the upgrade, one that probes in vain by itself",
  async (stage) => {
    const connection = until(stage.io.engine, "connection");
    const session = await stage.polling();
    const [conn] = await connection;
    conn.transport.once("close", () => stage.trace("events", "close of polling"));
    conn.once("upgrade", () => stage.trace("events", "upgrade"));
    const upgrading = until(conn, "upgrading");
    const target = `/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`;
    const raw = await stage.webSocket(target);
    raw.text("2probe");
    const [first] = await upgrading;
    const gone = until(first, "close");
    raw.destroy();
    await gone;
    stage.trace(
      "events",
      "close of the probe",
      conn.upgrading,
      conn.transport.name,
      conn.readyState,
    );

    const again = until(conn, "upgrading");
    const second = await stage.webSocket(target);
    second.text("2probe");
    const [next] = await again;
    next.once("close", () => stage.trace("events", "close of WebSocket"));
    assert.equal(await second.next(), "3probe");
    const upgrade = until(conn, "upgrade");
    second.text("5");
    await upgrade;
    stage.trace("events", conn.transport === next, conn.upgrading);
    const lost = until(next, "close");
    second.destroy();
    await lost;
    stage.trace("events", conn.readyState);
  },
);

scenario(
  "upgrading is heard of by who listens from the connection on",
  { modes: ["upgrade"] },
  async (stage) => {
    const heard = [];
    stage.io.use((_socket, next) => Promise.resolve().then(() => next()));
    stage.io.on("connection", ({ conn }) => {
      heard.push([conn.transport.name, conn.upgrading, conn.upgraded].join());
      conn.on("upgrading", ({ name }) => heard.push(`upgrading ${name}`));
      conn.on("upgrade", ({ name }) => heard.push(`upgrade ${name}`));
    });
    for (let i = 0; i < 20; i++) {
      const { client } = await stage.pair();
      stage.trace("heard", heard.splice(0));
      client.disconnect();
    }
  },
);
