"use strict";

// A chat that is restarted without anybody noticing: it takes the clients of the process before it over, and hands them to the next
// one whenever that comes.

const { createServer } = require("node:http");
const fs = require("node:fs");
const path = require("node:path");
const { Server } = require("../..");

const { HANDOVER = "/tmp/restart-example.socket", VERSION = "1", PORT = "3000" } = process.env;
const PAGE = fs.readFileSync(path.join(__dirname, "public", "index.html"));

const httpServer = createServer((_request, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end(PAGE);
});
const io = new Server(httpServer, { takeOver: HANDOVER });

io.on("connection", (socket) => {
  if (!socket.recovered) socket.join(socket.handshake.auth.room ?? "lobby");
  socket.emit("served", { version: VERSION, pid: process.pid, recovered: socket.recovered });
  socket.on("say", (message) => {
    const [, room] = socket.rooms; // the first one is its own
    io.to(room).emit("said", message);
  });
});

httpServer.listen(Number(PORT), "127.0.0.1", async () => {
  const { clients } = await io.takenOver;
  const { port } = httpServer.address();
  console.log(
    `version ${VERSION} (pid ${process.pid}): port ${port}, ${clients} clients taken over`,
  );
  process.send?.({ port });
  for (;;) {
    try {
      const { moved } = await io.handOver(HANDOVER, { within: Infinity });
      console.log(`version ${VERSION} (pid ${process.pid}): ${moved} clients handed over`);
      process.exit();
    } catch (error) {
      if (error.code === "SIO_ERR_SERVER_CLOSED") return;
      if (error.code !== "SIO_ERR_HANDOVER_FAILED") throw error;
      console.log(`version ${VERSION} (pid ${process.pid}): the next one has not started`);
    }
  }
});
