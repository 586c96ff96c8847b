"use strict";

const { io } = require("socket.io-client");

const socket = io(process.argv[2] ?? "http://localhost:3000");

socket.on("message", (from, text) => console.log(`${from}: ${text}`));
socket.on("connect", async () => {
  const answer = await socket.emitWithAck("message", "hello");
  console.log("the server says", answer);
});
