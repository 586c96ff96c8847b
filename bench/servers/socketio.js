"use strict";

// The server that is measured, for any implementation with the API of Socket.IO.
//
//   node socketio.js MODULE [wsEngine module]
//
// Prints "listening PORT" once it is. The handlers are what the load generator expects: `echo` comes back
// as an event, `ack` as an acknowledgement, `go` goes to everybody as `b`.

const { createServer } = require("node:http");

const [implementation, wsEngine] = process.argv.slice(2);
const { Server } = require(implementation);

const httpServer = createServer();
const io = new Server(httpServer, {
  serveClient: false,
  ...(wsEngine && { wsEngine: require(wsEngine).Server }),
});

io.on("connection", (socket) => {
  socket.on("echo", (text) => {
    socket.emit("echo", text);
  });
  socket.on("ack", (text, callback) => {
    callback(text);
  });
  socket.on("go", (text) => {
    io.emit("b", text);
  });
});

httpServer.listen(0, "127.0.0.1", () => {
  console.log(`listening ${httpServer.address().port}`);
});
