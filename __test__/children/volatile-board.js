"use strict";

/**
 * A cursor board: each of thirty clients sends to all others, and three of them to one, all in the same moment; plain or
 * over TLS (argument "tls"). Reports what each reader has got.
 */

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const tls = require("node:tls");
const { RawWebSocket } = require("../support/raw-websocket");
const { relay } = require("../support/board");
const { until, within } = require("../support/waiting");

const { Server } = require(process.argv[2]);
const secure = process.argv[3] === "tls";
const fixture = (name) => fs.readFileSync(path.join(__dirname, "..", "fixtures", name));

async function main() {
  const httpServer = secure
    ? https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") })
    : http.createServer();
  const io = new Server(httpServer);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const pair = async () => {
    const connection = until(io, "connection");
    const where = { port, host: "127.0.0.1", rejectUnauthorized: false };
    const raw = new RawWebSocket(secure ? tls.connect(where) : net.connect(where));
    raw.request("/socket.io/?EIO=4&transport=websocket");
    await within(raw.answered, "the answer to the upgrade");
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    return { raw, socket };
  };
  const all = [];
  while (all.length < 30) all.push(await pair());
  const board = await relay({
    io,
    senders: all,
    readers: all,
    rounds: 5,
    each: 2,
    pass: (socket, ...args) => socket.broadcast.volatile.emit("v", ...args),
  });
  for (const { socket } of all) socket.removeAllListeners("v");
  const [reader, ...others] = all;
  const [unicast] = await relay({
    io,
    senders: others.slice(0, 3),
    readers: [reader],
    rounds: 100,
    each: 2,
    pass: (_socket, ...args) => reader.socket.volatile.emit("v", ...args),
  });
  process.send({ door: reader.socket.conn.door, board, unicast });
  for (const { raw } of all) raw.destroy();
  await io.close();
  process.disconnect();
}

main();
