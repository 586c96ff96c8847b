"use strict";

// A server as it runs in production: with what an orchestrator and a monitor ask for, and an orderly end.

const { createServer } = require("node:http");
const { Server } = require("socket.io");

const httpServer = createServer((request, response) => {
  if (request.url === "/healthz") {
    const { ready, status, reasons } = io.health();
    response.statusCode = ready ? 200 : 503;
    response.end(`${[status, ...reasons].join("\n")}\n`);
  } else {
    response.statusCode = 404;
    response.end();
  }
});

const io = new Server(httpServer, {
  maxBufferedBytes: 8 * 1024 * 1024, // of what waits for one client that does not read; then it is disconnected
  metrics: true, // for Prometheus: /metrics, from private networks and not by a proxy
  shutdown: { signals: ["SIGTERM"], over: 20_000 }, // clients go one by one and come back to another server; then nothing keeps the process
});

io.on("connection", (socket) => {
  socket.on("echo", (value, reply) => reply(value));
});

httpServer.listen(Number(process.env.PORT ?? 3000), () => {
  console.log("listening on", httpServer.address());
});
