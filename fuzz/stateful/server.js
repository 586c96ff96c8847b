"use strict";

// The server that is attacked, in a process of its own: two of them, one behind TLS. Tells its ports, and what it holds when
// it is asked.

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { Server } = require("../..");

const FIXTURES = path.join(__dirname, "..", "..", "__test__", "fixtures");
const read = (name) => fs.readFileSync(path.join(FIXTURES, name));

const OPTIONS = {
  allowEIO3: true,
  pingInterval: 1_000,
  pingTimeout: 8_000,
  upgradeTimeout: 1_000,
  connectTimeout: 1_000,
  maxHttpBufferSize: 50_000,
  perMessageDeflate: { threshold: 64 },
  connectionStateRecovery: { maxDisconnectionDuration: 10_000, maxStoredBytes: 1 << 20 },
  cleanupEmptyChildNamespaces: true,
  httpRequestBodyTimeout: 2_000,
};

function serve(httpServer) {
  const io = new Server(httpServer, OPTIONS);
  for (const nsp of [io.of("/"), io.of("/chat"), io.of(/^\/dyn-\d$/)]) {
    nsp.use((socket, next) => {
      const { slow, deny } = socket.handshake.auth ?? {};
      const answer = () => next(deny ? new Error("no") : undefined);
      if (slow) setImmediate(answer);
      else answer();
    });
    nsp.on("connection", onconnection);
  }
  httpServer.listen(0, "127.0.0.1");
  return io;
}

/** @returns {string} the room of that name, which no canary is in */
const room = (name) => `guests ${String(name).slice(0, 10)}`;

/** What guests have reached, so that it shows when they reach nothing. */
const reached = { connections: 0, events: 0, recovered: 0 };

function onconnection(socket) {
  const { nsp } = socket;
  reached.connections++;
  if (socket.recovered) reached.recovered++;
  socket.onAny((name) => {
    if (name !== "canary") reached.events++;
  });
  socket.on("join", (name) => socket.join(room(name)));
  socket.on("leave", (name) => socket.leave(room(name)));
  socket.on("say", (name, ...args) => nsp.to(room(name)).emit("said", ...args));
  socket.on("passing", (name, ...args) => nsp.volatile.to(room(name)).emit("said", ...args));
  socket.on("ack", (...args) => {
    const answer = args.pop();
    if (typeof answer === "function") answer(...args);
  });
  socket.on("ask", (value) => socket.timeout(1_000).emit("asked", value, () => {}));
  socket.on("bye", (close) => socket.disconnect(close === true));
  // that of the canaries
  socket.on("canary", (secret, nonce, answer) => {
    if (typeof answer !== "function") return;
    const own = `canary ${secret}`;
    socket.join(own);
    nsp.to(own).emit("tick", secret, nonce);
    answer(secret, nonce);
  });
}

const insecure = http.createServer();
const secure = https.createServer({ key: read("key.pem"), cert: read("cert.pem") });
const servers = [serve(insecure), serve(secure)];

const count = (directory) => (fs.existsSync(directory) ? fs.readdirSync(directory).length : 0);

function stats() {
  let [clients, sockets, rooms, pending] = [0, 0, 0, 0];
  for (const io of servers) {
    clients += io.engine.clientsCount;
    for (const nsp of io._nsps.values()) {
      sockets += nsp.sockets.size;
      rooms += nsp.adapter.rooms.size;
      pending += nsp._preConnectSockets.size;
    }
  }
  const { rss } = process.memoryUsage();
  const threads = count("/proc/self/task");
  return { clients, sockets, rooms, pending, rss, threads, fds: count("/proc/self/fd"), reached };
}

process.on("message", (what) => {
  if (what === "stats") process.send({ stats: stats() });
});
process.on("disconnect", () => process.exit());
const ready = [insecure, secure].map((one) => new Promise((done) => one.once("listening", done)));
Promise.all(ready).then(() =>
  process.send({ port: insecure.address().port, tlsPort: secure.address().port }),
);
