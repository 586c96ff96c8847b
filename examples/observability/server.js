"use strict";

// A server to look at: clients of its own come and go, talk, and now and then the event loop is blocked.

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

const PORT = Number(process.env.PORT ?? 3000);
const CLIENTS = 20;

const httpServer = createServer();
const io = new Server(httpServer, { metrics: true, pingInterval: 2000 });

io.on("connection", (socket) => {
  socket.join(`room ${Math.floor(Math.random() * 4)}`);
  socket.on("echo", (value, reply) => reply(value));
  socket.on("say", (text) => {
    const [, room] = socket.rooms;
    io.to(room).emit("said", text);
  });
  socket.on("block", (milliseconds) => {
    const end = Date.now() + milliseconds;
    while (Date.now() < end);
  });
});

/** A client that talks, leaves after a while, and is followed by another. */
function visit(port) {
  const transports = Math.random() < 0.8 ? ["websocket"] : ["polling"];
  const client = connect(`http://127.0.0.1:${port}`, { forceNew: true, transports });
  const talk = setInterval(() => {
    client.emit("say", "x".repeat(Math.random() * 500));
    client.emit("echo", Date.now(), () => {});
  }, 200);
  setTimeout(
    () => {
      clearInterval(talk);
      client.disconnect();
      visit(port);
    },
    5000 + Math.random() * 20_000,
  );
}

httpServer.listen(PORT, "127.0.0.1", () => {
  const { port } = httpServer.address();
  console.log(`http://127.0.0.1:${port}/metrics`);
  for (let i = 0; i < CLIENTS; i++) visit(port);
  const blocker = connect(`http://127.0.0.1:${port}`, { forceNew: true });
  setInterval(() => blocker.emit("block", 50 + Math.random() * 600), 15_000);
});

if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) require("./opentelemetry").start(io);
