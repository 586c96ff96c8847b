"use strict";

/** A server for `reading.test.js`: handlers that throw, block, close and exit, and what it can tell of who reads the sockets. */

const fs = require("node:fs");
const { AsyncLocalStorage } = require("node:async_hooks");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const module_ = isMainThread ? process.argv[2] : workerData;
const { Server } = require(module_);
const { getBorder } = require("../../lib/border");

const flag = new Int32Array(new SharedArrayBuffer(4));
const context = new AsyncLocalStorage();
/** @type {any} */
let io;
/** @type {Worker | undefined} */
let thread;

function open() {
  io = context.run(
    "where the server was made",
    () =>
      new Server(0, { pingInterval: 300, pingTimeout: Number(process.env.PING_TIMEOUT ?? 60_000) }),
  );
  io.on("connection", (socket) => {
    socket.on("echo", (n, reply) => reply(n));
    socket.on("ask", (text, reply) => socket.emit("question", text, (...answer) => reply(answer)));
    socket.on("to all", (n) => io.emit("all", n));
    socket.on("context", (reply) => reply(context.getStore() ?? "none"));
    socket.on("throw", (n, reply) => {
      reply(n);
      throw new Error(`thrown ${n}`);
    });
    socket.on("tick", (n, reply) => {
      process.nextTick(() => {
        Promise.resolve().then(() => reply(n, "microtask"));
        throw new Error(`thrown ${n}`);
      });
    });
    socket.on("reject", (n, reply) => {
      reply(n);
      Promise.reject(new Error(`rejected ${n}`));
    });
    socket.on("busy", (ms) => Atomics.wait(flag, 0, 0, ms));
    socket.on("block", (file) => {
      process.send("blocked");
      while (!fs.existsSync(file)) Atomics.wait(flag, 0, 0, 2);
    });
    socket.onAny((...all) => {
      const [name, reply] = [all[0], all.pop()];
      if (socket.listenerCount(name) === 0) reply(all);
    });
    socket.on("close", () => io.close());
    socket.on("exit", () => process.exit(7));
  });
  return io.httpServer.address().port;
}

const orders = {
  open: () => open(),
  close: () => io.close(),
  stats: () => getBorder().stats(),
  descriptors: () => fs.readdirSync("/proc/self/fd").length,
  async thread() {
    thread = new Worker(__filename, { workerData: module_ });
    return new Promise((resolve) => thread.once("message", resolve));
  },
  end: () => thread.terminate(),
};

if (isMainThread) {
  const errors = [];
  process.on("uncaughtException", (error) => errors.push(error.message));
  process.on("unhandledRejection", (error) => errors.push(error.message));
  process.on("message", async (order) => {
    if (order === "errors") process.send(errors.splice(0));
    else if (order === "release") process.disconnect();
    else
      try {
        process.send((await orders[order]()) ?? null);
      } catch (error) {
        process.send(error.message);
      }
  });
} else {
  const port = open();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort.postMessage(port);
}
