"use strict";

/** `conn.transport`: what can be seen of it, for each kind of client. */

const { scenario } = require("./harness");
const { park } = require("./raw-pairs");
const { eventually, until } = require("../support/waiting");

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
