"use strict";

// socket.io-stream: files both ways.

const { createHash } = require("node:crypto");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const stream = require("socket.io-stream");

const CONTENT = Buffer.alloc(300_000, "content ");
const hash = async (source) => {
  const sum = createHash("sha256");
  for await (const chunk of source) sum.update(chunk);
  return sum.digest("hex").slice(0, 16);
};

const httpServer = createServer();
const io = new Server(httpServer);
io.on("connection", (socket) => {
  stream(socket).on("up", async (source, { name }, reply) => reply(name, await hash(source)));
  stream(socket).on("down", (target) => target.end(CONTENT));
});

httpServer.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  for (const transports of [["websocket"], ["polling"]]) {
    const client = connect(url, { transports, forceNew: true });
    const up = stream.createStream();
    const answer = new Promise((resolve) =>
      stream(client).emit("up", up, { name: "a.txt" }, (...args) => resolve(args)),
    );
    up.end(CONTENT);
    console.log(transports.join(), "up", ...(await answer));
    const down = stream.createStream();
    stream(client).emit("down", down);
    console.log(transports.join(), "down", await hash(down));
    client.disconnect();
  }
  await io.close();
  console.log("closed");
});
