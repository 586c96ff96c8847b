"use strict";

/** A server that ends its process as soon as somebody says "end", in the way of `process.argv[3]`; what it has sent before is to arrive. */

const { Server } = require(process.argv[2]);

const how = process.argv[3];
if (how === "in an exit listener") process.on("exit", () => io.emit("last", "words"));
const io = new Server(0);
if (how === "in a later exit listener") process.on("exit", () => io.emit("last", "words"));

const ends = {
  "process.exit()": (socket) => {
    socket.emit("last", "words");
    process.exit();
  },
  "an error": (socket) => {
    socket.emit("last", "words");
    throw new Error("of a handler");
  },
  "a broadcast": () => {
    io.emit("last", "words", "long".repeat(10_000));
    process.exit();
  },
  "many packets": (socket) => {
    for (let n = 0; n < 100; n++) socket.emit("n", n, "x".repeat(100));
    socket.emit("last", "words");
    process.exit();
  },
  "what adapters call": () => {
    const packet = ['2["last","words"]'];
    process.on("exit", () => {
      for (const { client } of io.sockets.sockets.values()) client.writeToEngine(packet, {});
    });
    process.exit();
  },
};
io.on("connection", (socket) => {
  socket.on("end", () => (ends[how] ?? (() => process.exit()))(socket));
  socket.on("other", () => {});
});
process.send(io.httpServer.address().port);
