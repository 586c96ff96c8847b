"use strict";

/** A server of a cluster by Redis, in a worker thread: `workerData` is the URL of Redis. It posts its port. */

const { createServer } = require("node:http");
const { parentPort, workerData } = require("node:worker_threads");
const { Server } = require("../..");
const { createAdapter } = require("../../redis");

const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(workerData) });
io.on("connection", (socket) => socket.on("tell", (...args) => io.emit("event", ...args)));
const { redis } = io.of("/").adapter;
const listen = () =>
  httpServer.listen(0, "127.0.0.1", () => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    parentPort.postMessage(httpServer.address().port);
  });
if (redis.state === "ready") listen();
else redis.once("state", listen);
