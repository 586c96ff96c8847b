"use strict";

// Run in an app into which a release was installed as `socket.io`: does it load its addon, and serve clients?

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const io = require("socket.io");
const { io: connect } = require("socket.io-client");

async function main() {
  assert.equal(io.implementation, "ferrosocket");
  const { Server } = await import("socket.io");
  assert.equal(Server, io.Server);
  const httpServer = http.createServer();
  const server = new Server(httpServer);
  server.on("connection", (socket) => socket.on("echo", (value, reply) => reply(value)));
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const { port } = httpServer.address();
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = connect(`http://127.0.0.1:${port}`, { transports, forceNew: true });
    const sent = { text: "Grüße", bytes: Buffer.from([1, 2, 3]) };
    const back = await client.timeout(30_000).emitWithAck("echo", sent);
    assert.deepEqual({ ...back, bytes: Buffer.from(back.bytes) }, sent);
    client.disconnect();
  }
  const bundle = await fetch(`http://127.0.0.1:${port}/socket.io/socket.io.js`);
  assert.equal(bundle.status, 200);
  await bundle.arrayBuffer();
  await server.close();
  const addon = Object.keys(require.cache).find((file) => file.endsWith(".node"));
  console.log(`Node.js ${process.versions.node}, ${process.arch}: ${addon}`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
