"use strict";

/** A server that drains at SIGTERM, over `process.argv[3]` ms, and tells of its port, and of its health right after the signal. */

const http = require("node:http");
const { Server } = require(process.argv[2]);

const httpServer = http.createServer();
const io = new Server(httpServer, {
  shutdown: { signals: ["SIGTERM"], over: Number(process.argv[3] ?? 0) },
});
process.once("SIGTERM", () => process.send({ status: io.health().status }));
httpServer.listen(0, "127.0.0.1", () => process.send({ port: httpServer.address().port }));
httpServer.on("close", () => process.disconnect());
