"use strict";

// A server as it runs in production: with what an orchestrator and a monitor ask for, and an orderly end.

const { createServer } = require("node:http");
const { monitorEventLoopDelay } = require("node:perf_hooks");
const { Server } = require("socket.io");

/** Connections by the way they came, since the start. */
const doors = { takeover: 0, polling: 0, bridge: 0 };
const delay = monitorEventLoopDelay();
delay.enable();

const httpServer = createServer((request, response) => {
  if (request.url === "/healthz") {
    response.end("ok\n");
  } else if (request.url === "/metrics") {
    response.setHeader("Content-Type", "text/plain; version=0.0.4");
    response.end(metrics());
  } else {
    response.statusCode = 404;
    response.end();
  }
});

const io = new Server(httpServer, {
  maxBufferedBytes: 8 * 1024 * 1024, // of what waits for one client that does not read; then it is disconnected
});

io.on("connection", (socket) => {
  doors[socket.conn.door] += 1;
  socket.on("echo", (value, reply) => reply(value));
});

/** The metrics of this process, as Prometheus reads them. */
function metrics() {
  const lines = [
    `socketio_sessions ${io.engine.clientsCount}`,
    `socketio_sockets ${io.sockets.sockets.size}`,
    `socketio_rooms ${io.sockets.adapter.rooms.size}`,
    ...Object.entries(doors).map(
      ([door, count]) => `socketio_connections_total{door="${door}"} ${count}`,
    ),
    `nodejs_eventloop_delay_p99_seconds ${delay.percentile(99) / 1e9}`,
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
  ];
  delay.reset();
  return `${lines.join("\n")}\n`;
}

httpServer.listen(Number(process.env.PORT ?? 3000), () => {
  console.log("listening on", httpServer.address());
});

// Clients are told ("server shutting down"), and come back to another server; then nothing keeps the process.
process.once("SIGTERM", () => io.close());
