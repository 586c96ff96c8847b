"use strict";

// A server while the runner has replaced the timers.

const assert = require("node:assert");
const { once } = require("node:events");
const { createServer } = require("node:http");

/**
 * @param {{ it: Function, fake: () => void, advance: (ms: number) => unknown, real: () => void }} runner
 * @param {typeof import("socket.io").Server} Server
 * @param {typeof import("socket.io-client").io} connect
 */
module.exports = ({ it, fake, advance, real }, Server, connect) => {
  it("serves with timers that stand still", async () => {
    const httpServer = createServer();
    const io = new Server(httpServer);
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    const connection = new Promise((resolve) => io.once("connection", resolve));
    const { port } = httpServer.address();
    const client = connect(`http://127.0.0.1:${port}`, { transports: ["websocket"] });
    const socket = await connection;
    socket.on("echo", (value, reply) => reply(value));
    fake();
    try {
      assert.equal(await client.emitWithAck("echo", 1), 1);
      const late = assert.rejects(socket.timeout(10_000).emitWithAck("nobody answers"));
      await advance(10_000);
      await late;
      assert.equal(await client.emitWithAck("echo", 2), 2);
    } finally {
      real();
    }
    const gone = new Promise((resolve) => socket.once("disconnect", resolve));
    client.disconnect();
    assert.equal(await gone, "client namespace disconnect");
    await io.close();
  });
};
