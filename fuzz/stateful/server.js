"use strict";

// The server that is attacked, in a process of its own: three of them, one behind TLS of Node.js and one behind that of the
// workers. Tells its ports, and what it holds when it is asked. With the word "thread", all is in a thread of that process.

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { isMainThread, parentPort, Worker } = require("node:worker_threads");
const { Server } = require("../..");

const FIXTURES = path.join(__dirname, "..", "..", "__test__", "fixtures");
const read = (name) => fs.readFileSync(path.join(FIXTURES, name));
const TOLD = { key: read("key.pem"), cert: read("cert.pem") };

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

function serve(httpServer, options) {
  const io = new Server(httpServer, { ...OPTIONS, ...options });
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
const reached = { connections: 0, events: 0, recovered: 0, native: 0, refused: 0 };

function onconnection(socket) {
  const { nsp } = socket;
  reached.connections++;
  if (socket.recovered) reached.recovered++;
  if (socket.handshake.secure && socket.conn.doorReason === undefined) reached.native++;
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

function noop() {}

/** How often the program changes what it tells the server of TLS. */
const CHANGES = 100; // ms

/** A program that has its own requests, and goes on changing what it tells the server: now a worker accepts, now Node.js does. */
function serveNative() {
  const httpServer = https.createServer(
    { ...TOLD, handshakeTimeout: 5_000 },
    (req, res) => void req.pipe(res),
  );
  httpServer.on("tlsClientError", () => reached.refused++);
  const io = serve(httpServer, { tls: "native" });
  httpServer.addContext("*.other.example", {
    key: read("other-key.pem"),
    cert: read("other-cert.pem"),
  });
  const changes = [
    () => httpServer.on("secureConnection", noop),
    () => httpServer.off("secureConnection", noop),
    () => httpServer.setSecureContext(TOLD),
  ];
  let turn = 0;
  setInterval(() => changes[turn++ % changes.length](), CHANGES);
  return io;
}

const count = (directory) => (fs.existsSync(directory) ? fs.readdirSync(directory).length : 0);

function stats(servers) {
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

/** Serves, and tells it by `send`. @returns {() => void} what tells of what it holds */
function main(send) {
  const servers = [serve(http.createServer()), serve(https.createServer(TOLD)), serveNative()];
  const ready = servers.map(
    ({ httpServer }) => new Promise((done) => httpServer.once("listening", done)),
  );
  Promise.all(ready).then(() => {
    const [port, tlsPort, nativePort] = servers.map(({ httpServer }) => httpServer.address().port);
    send({ port, tlsPort, nativePort });
  });
  return () => send({ stats: stats(servers) });
}

if (!isMainThread) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const tell = main((said) => parentPort.postMessage(said));
  parentPort.on("message", tell);
} else {
  process.on("disconnect", () => process.exit());
  if (process.argv[2] === "thread") {
    const thread = new Worker(__filename);
    thread.on("message", (said) => process.send(said));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    process.on("message", (asked) => thread.postMessage(asked));
  } else {
    process.on(
      "message",
      main((said) => process.send(said)),
    );
  }
}
