"use strict";

// Tests of a server as socket.io's guide has them, for each runner.

const assert = require("node:assert");
const { once } = require("node:events");
const { createServer } = require("node:http");

/**
 * @param {{ describe: Function, it: Function, first: Function, last: Function }} runner
 * @param {typeof import("socket.io").Server} Server
 * @param {typeof import("socket.io-client").io} connect
 */
module.exports = ({ describe, it, first, last }, Server, connect) => {
  for (const transports of [["websocket"], ["polling"]]) {
    describe(`a server, by ${transports[0]}`, () => {
      let io, serverSocket, clientSocket;

      first(async () => {
        const httpServer = createServer();
        io = new Server(httpServer);
        httpServer.listen(0, "127.0.0.1");
        await once(httpServer, "listening");
        const connection = new Promise((resolve) => io.once("connection", resolve));
        const { port } = httpServer.address();
        clientSocket = connect(`http://127.0.0.1:${port}`, { transports });
        serverSocket = await connection;
      });

      last(async () => {
        const closed = new Promise((resolve) => serverSocket.conn.once("close", resolve));
        clientSocket.disconnect();
        await closed;
        await io.close();
      });

      it("emits", async () => {
        const heard = new Promise((resolve) => clientSocket.once("hello", resolve));
        serverSocket.emit("hello", "world");
        assert.equal(await heard, "world");
      });

      it("answers", async () => {
        serverSocket.once("hi", (callback) => callback("hola"));
        assert.equal(await clientSocket.emitWithAck("hi"), "hola");
      });

      it("has values of this realm", async () => {
        serverSocket.once("object", (value, callback) => {
          assert.ok(Buffer.isBuffer(value.bytes));
          callback({ isArray: Array.isArray(value.list), ...value });
        });
        const value = { list: [1, null], bytes: Buffer.from([1, 2]), at: 1.5 };
        const back = await clientSocket.emitWithAck("object", value);
        assert.deepEqual(
          { ...back, bytes: [...new Uint8Array(back.bytes)] },
          {
            ...value,
            bytes: [1, 2],
            isArray: true,
          },
        );
      });

      it("broadcasts", async () => {
        serverSocket.join("room");
        const heard = new Promise((resolve) => clientSocket.once("to all", resolve));
        io.to("room").emit("to all", 1);
        assert.equal(await heard, 1);
      });
    });
  }
};
