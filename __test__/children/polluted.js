"use strict";

/**
 * A program in whose `Object.prototype` somebody has put a field that descriptors of properties have, after it was loaded: as by
 * a merge of what a client has sent.
 *
 *     node polluted.js IMPLEMENTATION KEY
 */

const http = require("node:http");
const { io: connect } = require("socket.io-client");

const [, , path, key] = process.argv;
const { Server } = require(path);

Reflect.set(Object.prototype, key, "polluted");

const httpServer = http.createServer();
const io = new Server(httpServer, { connectionStateRecovery: {} });
io.on("connection", (socket) => {
  const serves = socket.nsp.name;
  void [socket.request.socket, socket.handshake, socket.conn.transport, socket.conn.request];
  void [io.sockets.adapter.rooms.get(socket.id), Object.keys(io.engine.clients)];
  socket.on("echo", (value, reply) => {
    socket.join("room");
    io.to("room").emit("seen");
    reply({ echoed: value, serves, rooms: socket.rooms.size });
  });
});
httpServer.listen(0, "127.0.0.1", () => {
  const client = connect(`http://127.0.0.1:${httpServer.address().port}`, { reconnection: false });
  client.on("connect_error", (error) => process.send({ error: error.message }));
  client.emit("echo", "a", (answer) => {
    client.disconnect();
    void io.close();
    process.send(answer, () => process.disconnect());
  });
});
