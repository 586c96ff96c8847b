"use strict";

/**
 * A server of a cluster by Redis, whose JavaScript stands still when told to.
 *
 * Arguments: the library, the URL of Redis, a file that ends the block when it is there, options of the adapter as JSON, and
 * "shown" if its sockets listen to what goes out.
 *
 * It sends its port, then answers "block" with "blocked" before it does, "tell" with what its link has counted and what
 * those listeners were shown, "close" with "closed".
 */

const fs = require("node:fs");
const { createServer } = require("node:http");
const { createAdapter } = require("../../redis");

const [, , library, url, release, options, shown] = process.argv;
const { Server } = require(library);

const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(url, JSON.parse(options)) });
const { redis } = io.of("/").adapter;
const flag = new Int32Array(new SharedArrayBuffer(4));
/** What was shown of what went out. @type {unknown[][]} */
const outgoing = [];

io.on("connection", (socket) => {
  socket.join(socket.handshake.auth.rooms ?? []);
  if (shown) socket.onAnyOutgoing((...args) => outgoing.push(args));
});

process.on("message", async (what) => {
  if (what === "block") {
    process.send("blocked");
    while (!fs.existsSync(release)) Atomics.wait(flag, 0, 0, 5);
  } else if (what === "tell") {
    process.send({ stats: redis.stats(), outgoing });
  } else {
    await io.close();
    process.send("closed");
    process.disconnect(); // it ends by itself, if nothing is left
  }
});

const listen = () =>
  httpServer.listen(0, "127.0.0.1", () => process.send({ port: httpServer.address().port }));
if (redis.state === "ready") listen();
else redis.once("state", listen);
