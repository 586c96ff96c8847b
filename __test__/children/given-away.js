"use strict";

/**
 * A program that emits bytes whose memory it has given away: what becomes of the call, of the process and of the client.
 *
 *     node given-away.js IMPLEMENTATION KIND TRANSPORT
 */

const http = require("node:http");
const { once } = require("node:events");
const { io: connect } = require("socket.io-client");

const [, , path, kind, transport] = process.argv;
const { Server } = require(path);

const made = {
  ArrayBuffer: (memory) => memory,
  Uint8Array: (memory) => new Uint8Array(memory),
  Uint16Array: (memory) => new Uint16Array(memory),
  DataView: (memory) => new DataView(memory),
};

async function main() {
  const httpServer = http.createServer().listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const io = new Server(httpServer);
  const connected = once(io, "connection");
  const client = connect(`http://127.0.0.1:${httpServer.address().port}`, {
    transports: [transport],
  });
  client.on("alive", (reply) => reply());
  const [socket] = await connected;
  const uncaught = new Promise((resolve) => process.on("uncaughtException", resolve));
  const memory = new ArrayBuffer(8);
  const bytes = made[kind](memory);
  structuredClone(memory, { transfer: [memory] });
  let emitted = "nothing";
  try {
    socket.emit("x", bytes);
  } catch (error) {
    ({ name: emitted } = error);
  }
  const goesOn = await Promise.race([
    socket.emitWithAck("alive").then(() => true),
    uncaught.then(() => false),
  ]);
  const { name } = goesOn ? { name: "nothing" } : await uncaught;
  process.send({ emitted, uncaught: name, goesOn }, () => process.exit());
}

main();
