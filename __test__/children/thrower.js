"use strict";

/** A handler that throws: with an `uncaughtException` listener only its own event is lost. */

const { io: connect } = require("socket.io-client");
const { Server } = require(process.argv[2]);

const errors = [];
process.on("uncaughtException", (error) => errors.push(error.message));

const io = new Server(0);
const seen = [];
io.on("connection", (socket) => {
  socket.on("n", (n) => {
    seen.push(n);
    if (n % 3 === 1) throw new Error(`event ${n}`);
  });
  socket.on("end", (reply) => reply());
});
const client = connect(`http://127.0.0.1:${io.httpServer.address().port}`, {
  transports: [process.argv[3]],
  reconnection: false,
});
client.on("connect", async () => {
  for (let n = 0; n < 9; n++) client.emit("n", n);
  await client.emitWithAck("end");
  process.send({ seen, errors });
  client.close();
  await io.close();
  process.disconnect();
});
