"use strict";

/** A server whose JavaScript blocks when told to, while a client floods it; then tells what arrived and at what cost. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);

const io = new Server(0);
const flag = new Int32Array(new SharedArrayBuffer(4));
let count = 0;
let ordered = true;
let peak = 0;

/** Resident memory of this process now, in bytes. */
function resident() {
  return Number(fs.readFileSync("/proc/self/statm", "latin1").split(" ")[1]) * 4096;
}

io.on("connection", (socket) => {
  socket.on("n", (n) => {
    if (n !== count) ordered = false;
    count++;
    if (count % 500 === 0) peak = Math.max(peak, resident());
  });
  socket.on("end", (reply) => reply({ count, ordered, peak }));
  socket.on("block", () => {
    const before = resident();
    process.send({ blocked: true });
    // JavaScript stands still, as in an application that computes: the wait is on the file the test writes.
    while (!fs.existsSync(process.argv[3])) {
      peak = Math.max(peak, resident());
      Atomics.wait(flag, 0, 0, 20);
    }
    peak = Math.max(peak, resident());
    process.send({ before, peak });
  });
});
process.on("message", async () => {
  await io.close();
  process.disconnect();
});
process.send({ port: io.httpServer.address().port });
