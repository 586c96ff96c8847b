"use strict";

/** An HTTPS server with `tls: "native"` where workers do not accept: "thread", a worker thread; "cluster", a worker of a cluster. */

const cluster = require("node:cluster");
const fs = require("node:fs");
const https = require("node:https");
const path = require("node:path");
const { isMainThread, parentPort, Worker } = require("node:worker_threads");

const [, , implementation, where, options] = process.argv;

const read = (name) => fs.readFileSync(path.join(__dirname, "..", "fixtures", name));

function serve(told) {
  const { Server } = require(implementation);
  const httpServer = https.createServer(
    { key: read("key.pem"), cert: read("cert.pem") },
    (req, res) => res.end(String(req.socket.encrypted)),
  );
  const io = new Server(httpServer, JSON.parse(options));
  io.on("connection", (socket) => {
    socket.on("echo", (value, reply) =>
      reply(value, socket.handshake.secure, socket.conn.doorReason),
    );
  });
  httpServer.listen(0, "127.0.0.1", () => told(httpServer.address().port));
}

if (!isMainThread) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  serve((port) => parentPort.postMessage(port));
} else if (where === "thread") {
  const argv = process.argv.slice(2);
  new Worker(__filename, { argv }).on("message", (port) => process.send(port));
} else if (cluster.isWorker) {
  serve((port) => process.send(port));
} else {
  const worker = cluster.fork();
  worker.on("message", (port) => process.send(port));
  process.on("disconnect", () => worker.kill());
}
process.on("disconnect", () => process.exit());
