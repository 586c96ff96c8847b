"use strict";

/** `io.attachApp()`: an application of uWebSockets.js. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { fetch } = require("./support/raw-http");
const { until, within } = require("./support/waiting");
const { Server } = require("..");

/** The binary of uWebSockets.js is one for each version of Node.js, and wants a C library of today. */
function load() {
  try {
    return { uws: require("uwebsockets") };
  } catch (error) {
    const reason = /version `GLIBC_\S+' not found|Cannot find module '\.\/uws_\S+'/.exec(
      error.message,
    );
    if (reason === null) throw error;
    return { missing: `uWebSockets.js does not run here: ${reason[0]}` };
  }
}
const { uws, missing = false } = load();

test("attachApp: clients, broadcasts, client files", { skip: missing }, async (t) => {
  const io = new Server();
  const app = uws.App();
  io.attachApp(app);
  const listening = await new Promise((resolve) => app.listen(0, resolve));
  t.after(async () => {
    await io.close();
    uws.us_listen_socket_close(listening);
  });
  const port = uws.us_socket_local_port(listening);
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("echo", (data, reply) => reply(data));
  });
  for (const transport of ["polling", "websocket"]) {
    const client = connect(`http://127.0.0.1:${port}`, {
      transports: [transport],
      forceNew: true,
      reconnection: false,
    });
    await until(client, "connect");
    assert.deepEqual(
      await within(client.emitWithAck("echo", Buffer.from("abc")), "the echo"),
      Buffer.from("abc"),
    );
    const hello = until(client, "hello");
    io.to("room").emit("hello", transport);
    assert.deepEqual(await hello, [transport]);
    client.disconnect();
  }
  const file = await fetch(port, "GET", "/socket.io/socket.io.js");
  assert.equal(file.status, 200);
  assert.equal(file.headers.etag, '"4.8.4"');
  const cached = await fetch(port, "GET", "/socket.io/socket.io.js", {
    headers: { "if-none-match": '"4.8.4"' },
  });
  assert.equal(cached.status, 304);
  assert.equal((await fetch(port, "GET", "/socket.io/package.json")).status, 404);
});
