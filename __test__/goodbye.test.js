"use strict";

/** A connection that nobody reads any more ends, whatever its peer has sent, and whether or not the peer ends it. */

const assert = require("node:assert/strict");
const net = require("node:net");
const { test } = require("node:test");
const { endUnread } = require("../lib/http/end-unread");
const { WebSocketBridge } = require("../lib/ingress/websocket");
const { until } = require("./support/waiting");

/** Both ends of a connection, as Node.js has those of HTTP servers; by that of the server something waits to be read. */
async function connect(t) {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0);
  await until(server, "listening");
  const client = net.connect({ port: server.address().port, allowHalfOpen: true });
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.write("unread");
  const [socket] = await until(server, "connection");
  await until(client, "connect");
  return { client, socket };
}

for (const [name, end] of [
  ["an unanswered one", (socket) => endUnread(socket, 2 ** 30)],
  [
    "the stream of a WebSocket, which is paused",
    (socket) => WebSocketBridge.prototype.shut.call({ socket }, false),
  ],
]) {
  test(`the peer has ended: ${name}`, async (t) => {
    const { client, socket } = await connect(t);
    const closed = until(socket, "close");
    client.end();
    end(socket);
    await closed;
  });
}

test("the peer never ends, and has all that was left for it", async (t) => {
  const { client, socket } = await connect(t);
  const [closed, chunk] = [until(socket, "close"), until(client, "data")];
  endUnread(socket, 100, Buffer.from("last"));
  assert.equal(String((await chunk)[0]), "last");
  await closed;
});
