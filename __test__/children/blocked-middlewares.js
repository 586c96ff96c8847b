"use strict";

/**
 * A server whose engine has a middleware, and whose JavaScript stands still when told to, for far longer than its clients may be
 * silent.
 *
 * Arguments: the library, a file that ends the block when it is there, and as JSON the options of the server.
 */

const fs = require("node:fs");
const http = require("node:http");

const [, , library, release, settings = "{}"] = process.argv;
const { Server } = require(library);

const httpServer = http.createServer((req, res) => res.end(`app ${req.url}`));
const io = new Server(httpServer, JSON.parse(settings));
/** Requests that the middleware has seen, by what they are. */
const seen = { GET: 0, POST: 0, open: 0, upgrade: 0 };
/** Those that are asked to think until they are to refuse. */
const thinking = [];
io.engine.use((req, res, next) => {
  if (req.headers.upgrade) seen.upgrade++;
  else if (!req._query.sid) seen.open++;
  else seen[req.method]++;
  res.setHeader("x-middleware", "seen");
  if (req.headers["x-think"]) thinking.push(next);
  else setImmediate(next); // as one that asks somebody
});
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
});

process.on("message", async (message) => {
  if (message === "refuse") {
    for (const next of thinking) next(new Error("no"));
    return;
  }
  if (message === "seen") {
    process.send({ ...seen });
    return;
  }
  if (message === "blocks") {
    // one after the other, with a moment in between: about as long as it takes until workers step in
    for (let n = 0; n < 12; n++) {
      Atomics.wait(flag, 0, 0, 350 + 35 * n);
      io.emit("round", n);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    process.send("over");
    return;
  }
  if (message === "limit" || message === "take") {
    if (message === "limit") httpServer.maxRequestsPerSocket = 1;
    else {
      httpServer.removeAllListeners("request");
      httpServer.on("request", (_req, res) => res.writeHead(503).end());
    }
    process.send("done");
    return;
  }
  if (message === "bypass") {
    // another listener answers by the head alone, in place of ours; then this thread is blocked
    httpServer.removeAllListeners("request");
    httpServer.on("request", (_req, res) => {
      res.end("another");
      setImmediate(() => process.emit("message", "block"));
    });
    process.send("done");
    return;
  }
  if (message === "long") {
    io.emit("long", "x".repeat(8e6));
    // the workers get it in the tick before, and this thread does not see what they answer
    process.nextTick(() => process.nextTick(() => process.emit("message", "block")));
    return;
  }
  if (message === "block") {
    process.send("blocked");
    while (!fs.existsSync(release)) Atomics.wait(flag, 0, 0, 5);
    fs.rmSync(release); // it may be blocked again
    process.send("released");
    return;
  }
  await io.close();
  process.disconnect();
});
httpServer.listen(0, "127.0.0.1", () => {
  // by then a worker accepts
  setImmediate(() => setImmediate(() => process.send({ port: httpServer.address().port })));
});
