"use strict";

/** Drains a server whose `progress()` throws, and tells what has become of it, and of what was thrown. */

const http = require("node:http");
const { io: connect } = require("socket.io-client");
const { Server } = require(process.argv[2]);

const thrown = [];
process.on("uncaughtException", ({ message }) => thrown.push(message));

const httpServer = http.createServer();
const io = new Server(httpServer);
io.on("connection", async () => {
  const drained = await io.drain({
    over: 0,
    progress() {
      throw new Error("the program's");
    },
  });
  process.send({ drained, thrown, listening: httpServer.listening }, () => process.exit());
});
httpServer.listen(0, "127.0.0.1", () => {
  connect(`http://127.0.0.1:${httpServer.address().port}`, { reconnection: false });
});
