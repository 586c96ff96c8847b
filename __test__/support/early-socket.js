"use strict";

/**
 * A TCP client that is ahead of the server in this thread: what it writes has come when the server accepts it.
 *
 * It lives in a thread of its own, and `write` blocks this one until the kernel has the bytes.
 */

/* oxlint-disable unicorn/require-post-message-target-origin -- a thread, not a window */

const { once } = require("node:events");
const net = require("node:net");
const { Duplex } = require("node:stream");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const DEADLINE = 20_000; // ms

class EarlySocket extends Duplex {
  /** One that is ready to connect, which it does with its first write. */
  static async prepare(port, host = "127.0.0.1") {
    const written = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(__filename, { workerData: { port, host, written } });
    await once(worker, "online");
    return new EarlySocket(worker, written);
  }

  constructor(worker, written) {
    super();
    this.worker = worker;
    this.written = written;
    this.exited = once(worker, "exit");
    worker.on("message", (chunk) => this.push(chunk && Buffer.from(chunk)));
  }

  _read() {}

  _write(chunk, _encoding, done) {
    Atomics.store(this.written, 0, 0);
    this.worker.postMessage(chunk);
    const waited = Atomics.wait(this.written, 0, 0, DEADLINE);
    done(waited === "timed-out" ? new Error("still waiting for a write") : null);
  }

  _destroy(error, done) {
    this.worker.once("exit", () => done(error));
    this.worker.postMessage(null);
  }
}

/** The other side: a thread with one connection. */
function main() {
  const { port, host, written } = workerData;
  let socket;
  const tell = () => {
    Atomics.store(written, 0, 1);
    Atomics.notify(written, 0);
  };
  parentPort.on("message", (chunk) => {
    if (chunk === null) {
      socket?.destroy();
      parentPort.close();
      return;
    }
    if (socket === undefined) {
      socket = net.connect(port, host);
      socket.on("data", (bytes) => parentPort.postMessage(bytes));
      socket.on("end", () => parentPort.postMessage(null));
      socket.on("error", tell);
    }
    socket.write(chunk, tell);
  });
}

if (!isMainThread && workerData?.written) main();

module.exports = { EarlySocket };
