"use strict";

// One session from polling to WebSocket, with an event each way: run with DEBUG=… to see what is told of it.
// argv: the server library.

const http = require("node:http");
const { Server } = require(process.argv[2]);
// its client's own scopes, and those of the parser that it shares with the oracle, are not of interest: another process
const { fork } = require("node:child_process");

if (process.argv[3] === "client") {
  const { io: connect } = require("socket.io-client");
  const client = connect(process.argv[4], { reconnection: false });
  client.on("question", (reply) => reply("answer"));
  client.on("bytes", () => {
    const other = client.io.socket("/other", { auth: { token: "secret" } });
    other.on("connect", () => {
      client.emit("blob", Buffer.from("blob"), new Uint8Array([1, 2]), () => client.emit("enough"));
    });
  });
  client.io.engine.on("upgrade", () => client.emit("hello", "you", () => {}));
} else {
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  io.use((socket, next) => next());
  io.of("/other");
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("hello", (text, reply) => {
      reply("hello");
      socket.emit("question", () => {
        socket.leave("room");
        socket.emit("bytes", Buffer.from("bytes"));
      });
    });
    socket.on("blob", (first, second, reply) => {
      io.emit("all", { of: "you" });
      io.of("/other").emit("all", first);
      reply(second);
    });
    socket.on("enough", () => socket.disconnect(true));
    socket.on("disconnect", () => io.close());
  });
  httpServer.listen(0, "127.0.0.1", () => {
    const url = `http://127.0.0.1:${httpServer.address().port}`;
    fork(__filename, [process.argv[2], "client", url], { env: { ...process.env, DEBUG: "" } });
  });
}
