"use strict";

/** A server with connection state recovery whose JavaScript stands still when told to. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);

const io = new Server(0, { connectionStateRecovery: {} });
const flag = new Int32Array(new SharedArrayBuffer(4));

io.on("connection", (socket) => {
  socket.emit("hello");
  process.send({ recovered: socket.recovered });
  socket.on("block", () => {
    process.send("blocked");
    while (!fs.existsSync(process.argv[3])) Atomics.wait(flag, 0, 0, 5);
  });
});
process.on("message", async () => {
  await io.close();
  process.disconnect();
});
process.send({ port: io.httpServer.address().port });
