"use strict";

/** A server that does what its clients ask, and counts all that it holds for them when asked. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);
const { getBorder } = require("../../lib/border");

const io = new Server(0);
io.on("connection", (socket) => {
  socket.join([socket.handshake.auth.room ?? "all", `own ${socket.id}`]);
  socket.on("echo", (data, reply) => reply(data));
  socket.on("all", () => io.emit("heard", Buffer.alloc(1000)));
  socket.on("leave", () => socket.disconnect(true));
  socket.on("fill", () => socket.emit("filler", "x".repeat(32 << 20))); // to one that does not read
});

function count() {
  const border = getBorder();
  const { sessions, rooms, inboxBytes, backlogs } = JSON.parse(border.native.stats());
  return {
    sessions,
    rooms,
    inboxBytes,
    backlogs,
    handles: [...border.sessions()].length,
    requestsAndWires: border.doors.size,
    alive: border.alive,
    polls: io.engine.polls.size,
    clients: io.engine.clientsCount,
    byId: Object.keys(io.engine.clients).length,
    sockets: io.sockets.sockets.size,
    adapterRooms: io.sockets.adapter.rooms.size,
    adapterSids: io.sockets.adapter.sids.size,
  };
}

process.on("message", async (order) => {
  if (order === "count") {
    io.httpServer.closeIdleConnections();
    process.send({ held: count(), fds: fs.readdirSync("/proc/self/fd").length });
  } else if (order === "close") {
    await io.close();
    process.disconnect();
  }
});
process.send({ port: io.httpServer.address().port });
