"use strict";

/** The option `admission`: who comes while there is too much to do is told to come again; who is there goes on. */

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");

const { ours } = require("./support/implementations");
const { startBlocking, WELL } = require("./support/blocking");
const { until, within } = require("./support/waiting");

const CLIENTS = require("./support/client-versions");
const { Server } = require(ours.path);
const options = { timeout: 60_000, skip: process.platform !== "linux" };

const POLLING = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
const WEBSOCKET =
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async function start(t, admission, prepare) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, { serveClient: false, admission });
  prepare?.(io, httpServer);
  t.after(() => io.close());
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  return { io, port: httpServer.address().port };
}

/** What is answered to a request. */
async function ask(port, request) {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    answer += chunk;
    if (answer.includes("\r\n\r\n")) socket.end();
  });
  socket.write(request);
  await within(new Promise((resolve) => socket.once("close", resolve)), "an answer");
  return answer;
}

/** Ways by which a handshake comes. */
const WAYS = {
  "a worker accepts": undefined,
  "a middleware of the engine": (io) => io.engine.use((req, res, next) => next()),
  allowRequest: (io) => (io.engine.opts.allowRequest = (_req, done) => done(null, true)),
};

for (const [name, prepare] of Object.entries(WAYS))
  test(`too much memory, ${name}: 503, and who is there goes on`, options, async (t) => {
    const admission = { memory: 2 ** 50 };
    const { io, port } = await start(t, admission, prepare);
    assert.match(await ask(port, POLLING), /^HTTP\/1.1 200 /);
    assert.equal(io.health().status, "ready");

    const full = await start(t, { memory: 1 }, prepare);
    for (const request of [POLLING, WEBSOCKET]) {
      const answer = await ask(full.port, request);
      assert.match(answer, /^HTTP\/1.1 503 Service Unavailable\r\n/, name);
      assert.match(answer, /\r\nRetry-After: 2\r\n/i);
    }
    const { status, reasons } = full.io.health();
    assert.equal(status, "overloaded");
    assert.match(reasons.join(), /memory is past what the option admission allows/);
  });

test(
  "a blocked event loop: 503 until it goes on, and who is there stays",
  { ...options, timeout: 120_000 },
  async (t) => {
    const server = await startBlocking(t, ours, { admission: { inboxAge: 200 } });
    const client = connect(`http://127.0.0.1:${server.port}`, { transports: ["websocket"] });
    t.after(() => client.disconnect());
    await until(client, "connect");
    client.on("disconnect", (reason) => assert.fail(`it has lost its connection: ${reason}`));
    client.emit("block");
    client.emit("what waits");
    for (const request of [POLLING, WEBSOCKET])
      while (!/^HTTP\/1.1 503 /.test(await ask(server.port, request)));
    await until(client.io, "ping"); // a worker goes on with it
    server.release();
    while (!/^HTTP\/1.1 200 /.test(await ask(server.port, POLLING)));
    client.removeAllListeners("disconnect");
    client.disconnect();
    assert.deepEqual(await server.close(), WELL);
  },
);

test(
  "clients of each version come again by themselves",
  { ...options, timeout: 120_000 },
  async (t) => {
    const server = await startBlocking(t, ours, {
      admission: { inboxAge: 200 },
      allowEIO3: true,
    });
    const url = `http://127.0.0.1:${server.port}`;
    const first = connect(url, { transports: ["websocket"], forceNew: true });
    t.after(() => first.disconnect());
    await until(first, "connect");
    first.emit("block");
    first.emit("what waits");
    while (!/^HTTP\/1.1 503 /.test(await ask(server.port, POLLING)));
    const newcomers = Object.entries(CLIENTS).flatMap(([version, dial]) =>
      [["polling"], ["websocket"], ["polling", "websocket"]].map((transports) => {
        const client = dial(url, { transports, forceNew: true, reconnectionDelay: 100 });
        t.after(() => client.disconnect());
        const hears = (event) => {
          const message = `"${event}" of ${version} by ${transports}`;
          return within(new Promise((resolve) => client.once(event, resolve)), message);
        };
        return { refused: hears("connect_error"), connected: hears("connect"), client };
      }),
    );
    for (const { refused } of newcomers) await refused;
    server.release();
    for (const { connected } of newcomers) await connected;
    for (const { client } of newcomers) client.disconnect();
    first.disconnect();
    assert.deepEqual(await server.close(), WELL);
  },
);
