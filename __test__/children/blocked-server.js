"use strict";

/** A server whose JavaScript stands still when told to, for far longer than its clients may be silent. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);

const heartbeat = JSON.parse(process.argv[4] ?? '{ "pingInterval": 300, "pingTimeout": 1500 }');
const io = new Server(0, heartbeat);
const flag = new Int32Array(new SharedArrayBuffer(4));
let lost = 0;

io.on("connection", (socket) => {
  const got = [];
  socket.on("n", (n) => {
    got.push(n);
    socket.emit("seen", n);
  });
  socket.on("got", (reply) => reply(got, lost));
  socket.on("disconnect", () => lost++);
  socket.on("block", () => {
    for (let n = 0; n < 100; n++) io.emit("queued", n); // it leaves when this tick ends: after the block
    process.send("blocked");
    while (!fs.existsSync(process.argv[3])) Atomics.wait(flag, 0, 0, 5);
  });
});
process.on("message", async () => {
  await io.close();
  process.disconnect();
});
process.send({ port: io.httpServer.address().port });
