"use strict";

/**
 * A node of a cluster by Redis (`process.argv[3]`: its socket), with recovery. It tells of its port, emits what it is told to, drains,
 * and tells what came of that.
 */

const http = require("node:http");
const { Server } = require(process.argv[2]);
const { ADAPTERS } = require("../cluster/adapters");

async function main() {
  const { connect } = ADAPTERS["redis-streams-adapter, by ioredis"];
  const adapter = await connect(process.argv[3]);
  const httpServer = http.createServer();
  const io = new Server(httpServer, { adapter, connectionStateRecovery: {} });
  process.on("message", async ({ event, drain }) => {
    if (event !== undefined) io.emit("event", event);
    if (drain !== undefined) process.send(await io.drain(drain));
  });
  httpServer.listen(0, "127.0.0.1", () => process.send({ port: httpServer.address().port }));
}

main();
