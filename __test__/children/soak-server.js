"use strict";

/** A server that does what its clients ask, and counts all that it holds for them when asked. */

const { Server } = require(process.argv[2]);
const { getBorder } = require("../../lib/border");
const { descriptors } = require("../support/descriptors");

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

/**
 * Descriptors: `queues` are the system's event queues, of which a worker's is opened once more when the event loop begins to watch
 * it, which it does when it has time first; `fds` are all others.
 */
function countDescriptors() {
  const links = descriptors();
  const queues = links.filter((link) => link === "anon_inode:[eventpoll]").length;
  return { fds: links.length - queues, queues };
}

process.on("message", async (order) => {
  if (order === "count") {
    const held = count();
    // not before: a client's last request may be on its way by a connection that is idle here, and would be lost with it
    if (Object.values(held).every((number) => number === 0)) io.httpServer.closeIdleConnections();
    process.send({ held, ...countDescriptors() });
  } else if (order === "close") {
    await io.close();
    process.disconnect();
  }
});
process.send({ port: io.httpServer.address().port });
