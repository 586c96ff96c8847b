"use strict";

/**
 * Fifty worker_threads, each with a server of its own that a client talks to.
 *
 * One in three ends by itself, one in three is terminated in the middle of the traffic, one in three exits.
 */

const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const library = isMainThread ? process.argv[2] : workerData.library;
const HOW = ["close", "terminate", "exit"];

if (isMainThread) main();
else worker();

async function main() {
  const count = Number(process.argv[3]);
  const atOnce = 5;
  let next = 0;
  const outcomes = { close: 0, terminate: 0, exit: 0 };
  const lane = async () => {
    while (next < count) {
      const how = HOW[next++ % HOW.length];
      await run(how);
      outcomes[how]++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  process.send(outcomes);
  process.disconnect();
}

function run(how) {
  return new Promise((resolve, reject) => {
    const thread = new Worker(__filename, { workerData: { library, how } });
    thread.on("message", (message) => {
      if (message === "talking" && how === "terminate") thread.terminate();
    });
    thread.on("error", reject);
    thread.on("exit", resolve);
  });
}

function worker() {
  const { io: connect } = require("socket.io-client");
  const { Server } = require(library);
  const io = new Server(0);
  io.on("connection", (socket) => socket.on("n", (n, reply) => reply(n)));
  const client = connect(`http://127.0.0.1:${io.httpServer.address().port}`, {
    transports: ["websocket"],
    reconnection: false,
  });
  client.on("connect", async () => {
    for (let n = 0; n < 20; n++) await client.emitWithAck("n", n);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    parentPort.postMessage("talking");
    if (workerData.how === "close") {
      client.close();
      await io.close();
    } else if (workerData.how === "exit") {
      client.emit("n", -1);
      io.emit("x");
      process.exit(0);
    } else {
      // Talks on until it is terminated.
      for (let n = 0; ; n++) await client.emitWithAck("n", n);
    }
  });
}
