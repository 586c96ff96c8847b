"use strict";

/** A server and one client in this process, ended as `process.argv[3]` says; then the process has to end by itself. */

const { io: connect } = require("socket.io-client");
const { Server } = require(process.argv[2]);

const how = process.argv[3];
const io = new Server(0);
const transports = process.argv[4] === "polling" ? ["polling"] : ["websocket"];

process.on("message", async (order) => {
  if (order === "io.close") await io.close();
  if (order === "httpServer.close") {
    io.httpServer.close(() => process.connected && process.send("closed"));
    process.send("closing");
  }
  if (order === "disconnect") io.disconnectSockets(true);
  if (order === "release") process.disconnect();
});

if (how === "idle") {
  io.close();
  process.disconnect();
} else if (how === "never") {
  // Made, never attached: nothing that could keep a process.
  io.close();
  new Server();
  process.disconnect();
} else {
  const { port } = io.httpServer.address();
  const client = connect(`http://127.0.0.1:${port}`, { transports, reconnection: false });
  io.on("connection", (socket) => {
    socket.on("ping me", (reply) => reply());
    process.send("connected");
  });
  client.on("disconnect", () => client.close());
}
