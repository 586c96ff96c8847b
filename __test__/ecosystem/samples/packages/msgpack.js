"use strict";

// socket.io-msgpack-parser on both sides.

const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const parser = require("socket.io-msgpack-parser");

const httpServer = createServer();
const io = new Server(httpServer, { parser });
io.on("connection", (socket) => {
  socket.join("room");
  socket.on("echo", (value, reply) => reply(value));
  socket.on("all", (value) => io.to("room").emit("all", value));
});

httpServer.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = connect(url, { parser, transports, forceNew: true });
    const value = { text: "Grüße", bytes: Buffer.from([1, 2, 3]), at: 1.5, none: null };
    console.log(transports.join(), JSON.stringify(await client.emitWithAck("echo", value)));
    const all = new Promise((resolve) => client.once("all", resolve));
    client.emit("all", value);
    console.log(JSON.stringify(await all));
    client.disconnect();
  }
  await io.close();
  console.log("closed");
});
