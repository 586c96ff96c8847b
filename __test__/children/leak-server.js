"use strict";

/** A server that reports its memory and its file descriptors after a collection, when asked. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);

const io = new Server(0);
io.httpServer.keepAliveTimeout = 0; // on a machine with much to do, clients would ask by connections that have just been closed
io.on("connection", (socket) => {
  socket.join(["room", `own ${socket.id}`]);
  socket.on("x", (reply) => reply());
});

process.on("message", async (order) => {
  if (order === "measure") {
    // Twice with a turn between: finalizers of the first collection free what the second collects.
    for (let i = 0; i < 4; i++) {
      global.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.send({
      clients: io.engine.clientsCount,
      sockets: io.sockets.sockets.size,
      rooms: io.sockets.adapter.rooms.size,
      fds: fs.readdirSync("/proc/self/fd").length,
      heap: process.memoryUsage().heapUsed,
      external: process.memoryUsage().external,
    });
  }
  if (order === "close") {
    await io.close();
    process.disconnect();
  }
});
process.send({ port: io.httpServer.address().port });
