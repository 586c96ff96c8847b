"use strict";

/** `socket.conn` of a client that does not read: what is buffered, and when "drain" tells that it is not any more. */

const assert = require("node:assert/strict");
const { scenario } = require("./harness");
const { eventually, turns, until } = require("../support/waiting");

/** More than the kernel holds for a connection. */
const LARGE = "x".repeat(32 << 20);

scenario("conn: drain and flush wait for a client that does not read", async (stage) => {
  const { io, webSocket, trace } = stage;
  const connection = until(io, "connection");
  const raw = await webSocket();
  await raw.next();
  await raw.join();
  const [{ conn }] = await connection;
  raw.socket.pause();
  for (const event of ["flush", "drain"])
    conn.on(event, (packets) => trace("conn", event, packets?.length, conn.writeBuffer.length));

  const left = [];
  conn.send(LARGE, () => left.push("large"));
  trace("conn", "sent", conn.transport.writable, conn.writeBuffer.length);
  await turns(20);
  conn.send("second", () => left.push("second"));
  conn.send("third", () => left.push("third"));
  trace("conn", "waiting", conn.transport.writable, conn.writeBuffer.length);
  await turns(20);
  assert.deepEqual(left, []);

  raw.socket.resume();
  await eventually(() => left.length === 3, "everything to leave");
  trace("conn", "left", left, conn.writeBuffer.length);
});

scenario("conn: what waits for a client that goes is dropped", async (stage) => {
  const { io, webSocket, trace } = stage;
  const connection = until(io, "connection");
  const raw = await webSocket();
  await raw.next();
  await raw.join();
  const [socket] = await connection;
  raw.socket.pause();
  let left = 0;
  socket.conn.send(LARGE, () => left++);
  await turns(20);
  const gone = until(socket, "disconnect");
  raw.destroy();
  const [reason] = await gone;
  trace("conn", reason, left);
});
