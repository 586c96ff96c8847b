"use strict";

/**
 * A plain engine that echoes messages: in the main thread, or in a worker_thread. Blocks when told to, until a file is there.
 *
 * Arguments: the library, that file, and whether it is to be in a worker_thread.
 */

const fs = require("node:fs");
const http = require("node:http");
const { isMainThread, parentPort, Worker, workerData } = require("node:worker_threads");

const [library, release, threaded] = isMainThread ? process.argv.slice(2) : workerData;

if (isMainThread && threaded === "thread") {
  const worker = new Worker(__filename, { workerData: [library, release, threaded] });
  worker.on("message", (message) => process.send(message));
  process.on("message", (message) => worker.postMessage(message, []));
  worker.on("exit", () => process.disconnect());
} else {
  const tell = isMainThread ? process.send.bind(process) : parentPort.postMessage.bind(parentPort);
  serve(require(library), isMainThread ? process : parentPort, tell);
}

function serve({ attach }, parent, tell) {
  const httpServer = http.createServer();
  // as in the other tests of a blocked event loop: no client is given up because the machine is busy
  const engine = attach(httpServer, { pingInterval: 300, pingTimeout: 600_000 });
  const lost = [];
  engine.on("connection", (conn) => {
    conn.on("message", (data) => {
      if (data === "block") block(tell);
      else if (data === "lost") conn.send(JSON.stringify(lost));
      else conn.send(data);
    });
    conn.on("close", (reason) => lost.push(reason));
  });
  httpServer.listen(0, "127.0.0.1", () => tell({ port: httpServer.address().port }));
  parent.once("message", () => {
    engine.close();
    httpServer.close();
    if (isMainThread) process.disconnect();
  });
}

function block(tell) {
  if (isMainThread) tell("blocked");
  else fs.writeFileSync(`${release}.blocked`, "");
  const flag = new Int32Array(new SharedArrayBuffer(4));
  while (!fs.existsSync(release)) Atomics.wait(flag, 0, 0, 5);
}
