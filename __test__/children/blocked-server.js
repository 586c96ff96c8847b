"use strict";

/**
 * A server whose JavaScript stands still when told to. It serves a page, too.
 *
 * Arguments: the library, a file that ends the block when it is there, and as JSON the options of the server, how many
 * `middlewares` its engine has, the `keepAliveTimeout` of its HTTP server, and whether that is `secure`: of HTTPS.
 */

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");

const [, , library, release, settings = "{}"] = process.argv;
const { middlewares = 0, keepAliveTimeout, secure, ...options } = JSON.parse(settings);
const { Server } = require(library);

const PAGE = `<!doctype html><link rel="icon" href="data:,"><title>a page</title>
<script src="/socket.io/socket.io.js"></script>`;
/** Events for all that wait to leave when a client has it blocked. */
const QUEUED = 100;

const app = (req, res) => {
  res.setHeader("content-type", "text/html; charset=utf-8");
  res.end(PAGE);
};
const fixture = (name) => fs.readFileSync(path.join(__dirname, "..", "fixtures", name));
const httpServer = secure
  ? https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") }, app)
  : http.createServer(app);
if (keepAliveTimeout !== undefined) httpServer.keepAliveTimeout = keepAliveTimeout;
const io = new Server(httpServer, options);
for (let n = 0; n < middlewares; n++) {
  io.engine.use((req, res, next) => {
    res.setHeader("x-middleware", String(n));
    next();
  });
}
const flag = new Int32Array(new SharedArrayBuffer(4));
/** @type {string[]} why clients have gone */
const lost = [];

io.on("connection", (socket) => {
  const got = [];
  socket.on("n", (n) => {
    got.push(n);
    socket.emit("seen", n);
  });
  socket.on("got", (reply) => reply(got, lost));
  socket.on("disconnect", (reason) => lost.push(reason));
  socket.on("block", () => {
    for (let n = 0; n < QUEUED; n++) io.emit("queued", n); // they leave when this tick ends: after the block
    block();
  });
});

function block() {
  process.send("blocked");
  while (!fs.existsSync(release)) Atomics.wait(flag, 0, 0, 5);
  process.send("released");
}

process.on("message", async (message) => {
  if (message === "block") return block();
  if (message.blockWith !== undefined) {
    if (io.engine.clientsCount === message.blockWith) return block();
    return process.send("late");
  }
  await io.close();
  process.disconnect();
});
httpServer.listen(0, "127.0.0.1", () => {
  // a worker accepts from the next turn on, and who comes before that with TLS stays with Node.js
  setImmediate(() => process.send({ port: httpServer.address().port }));
});
