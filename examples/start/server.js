"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");

const httpServer = createServer();
const io = new Server(httpServer);

io.on("connection", (socket) => {
  socket.join("lobby");
  socket.on("message", (text, reply) => {
    socket.to("lobby").emit("message", socket.id, text);
    reply({ ok: true });
  });
});

httpServer.listen(Number(process.env.PORT ?? 3000), () => {
  console.log("listening on", httpServer.address());
});
