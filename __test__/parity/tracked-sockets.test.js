"use strict";

/**
 * Programs that end an HTTP server by the sockets that its "connection" event has shown them, as the packages server-destroy,
 * stoppable, http-terminator and http-graceful-shutdown do, and NestJS with forceCloseConnections.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const net = require("node:net");

const { ALL, scenario } = require("./harness");
const { eventually, until, within } = require("../support/waiting");

/** A server whose sockets are tracked from its first connection on. */
async function serve(stage, { track = "connection" } = {}) {
  const httpServer = http.createServer((req, res) => res.end("app"));
  const sockets = new Set();
  const ends = [];
  httpServer.on(track, (socket) => {
    sockets.add(socket);
    socket.once("close", (hadError) => {
      ends.push(hadError);
      sockets.delete(socket);
    });
  });
  const io = new stage.lib.Server(httpServer, stage.options);
  stage.defer(() => stage.shut(io, httpServer));
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  return Object.assign(stage, {
    io,
    httpServer,
    port,
    url: `http://127.0.0.1:${port}`,
    sockets,
    ends,
  });
}

const count = (server) =>
  new Promise((resolve, reject) =>
    server.getConnections((error, number) => (error ? reject(error) : resolve(number))),
  );

const closed = (server) => within(new Promise((resolve) => server.close(resolve)), "close()");

/** How the packages end a server. */
const ENDS = {
  "destroy() after close()": ({ httpServer, sockets }) => {
    const end = closed(httpServer);
    for (const socket of sockets) socket.destroy();
    return end;
  },
  "destroy() before close()": ({ httpServer, sockets }) => {
    for (const socket of sockets) socket.destroy();
    return closed(httpServer);
  },
  "end(), then destroy() what is left": ({ httpServer, sockets }) => {
    const end = closed(httpServer);
    for (const socket of sockets) socket.end();
    setImmediate(() => {
      for (const socket of sockets) socket.destroy();
    });
    return end;
  },
};

for (const [how, end] of Object.entries(ENDS)) {
  scenario(`close() comes to an end by ${how}`, { modes: ALL, server: false }, async (stage) => {
    await serve(stage);
    const agent = new http.Agent({ keepAlive: true });
    stage.defer(() => agent.destroy());
    const pairs = await Promise.all(
      Array.from({ length: 10 }, (_, i) => stage.pair(i % 2 === 0 ? { agent } : {})),
    );
    const gone = pairs.map(({ client }) => until(client, "disconnect"));
    const lost = pairs.map(({ socket }) => until(socket, "disconnect"));
    assert.ok(stage.sockets.size >= (stage.mode === "polling" ? 1 : pairs.length));
    await end(stage);
    stage.trace("reasons", new Set((await Promise.all(gone)).map(([reason]) => reason)));
    await Promise.all(lost);
    await eventually(() => stage.sockets.size === 0, "no socket to be left");
    assert.equal(await count(stage.httpServer), 0);
  });
}

scenario(
  "a socket lives as long as its connection",
  { modes: ["websocket"], server: false },
  async (stage) => {
    await serve(stage);
    const { client, socket } = await stage.pair();
    const [tracked] = stage.sockets;
    assert.equal(socket.request.socket, tracked);
    const { destroyed, readyState, readable, writable, remoteAddress, localAddress } = tracked;
    stage.trace("open", { destroyed, readyState, readable, writable, remoteAddress, localAddress });
    stage.trace("open", tracked.bytesRead > 0, tracked.bytesWritten > 0);
    assert.equal(await count(stage.httpServer), 1);
    const end = until(tracked, "close");
    client.disconnect();
    await end;
    stage.trace("closed", tracked.destroyed, tracked.readyState, tracked.remoteAddress, stage.ends);
    assert.equal(await count(stage.httpServer), 0);
    assert.equal(stage.sockets.size, 0);
    tracked.destroy();
  },
);

for (const [end, way] of [
  ["its client goes", ({ client }) => client.disconnect()],
  ["it is destroyed", (_pair, socket) => socket.destroy()],
  ["it is ended", (_pair, socket) => socket.end()],
])
  scenario(
    `a socket that another server has accepted: ${end}`,
    { modes: ["websocket"], server: false },
    async (stage) => {
      await serve(stage, { track: "unused" });
      const accepted = [];
      const front = net.createServer((socket) => {
        accepted.push(socket);
        stage.httpServer.emit("connection", socket);
      });
      front.listen(0, "127.0.0.1");
      await until(front, "listening");
      stage.url = `http://127.0.0.1:${front.address().port}`;
      const pair = await stage.pair();
      const [socket] = accepted;
      assert.deepEqual([await count(front), await count(stage.httpServer)], [1, 0]);
      const gone = [until(pair.client, "disconnect"), until(pair.socket, "disconnect")];
      const close = until(socket, "close");
      way(pair, socket);
      const [[ofClient], [ofSocket]] = await Promise.all(gone);
      stage.trace("reasons", ofClient, ofSocket, await close);
      assert.deepEqual([await count(front), await count(stage.httpServer)], [0, 0]);
      await closed(front);
    },
  );

scenario(
  "the server disconnects, and the socket closes",
  { modes: ["websocket"], server: false },
  async (stage) => {
    await serve(stage);
    const { socket } = await stage.pair();
    const [tracked] = stage.sockets;
    const end = until(tracked, "close");
    socket.disconnect(true);
    await end;
    stage.trace("closed", tracked.destroyed, stage.ends);
  },
);

for (const [how, end, shown] of [
  ["destroyed with an error", (socket) => socket.destroy(new Error("the program's")), true],
  ["destroyed with an error, made late", (socket) => socket.destroy(new Error("mine")), false],
  ["destroyed", (socket) => socket.destroy(), true],
  ["reset", (socket) => socket.resetAndDestroy(), true],
])
  scenario(
    `what a socket tells, and in which order: ${how}`,
    { modes: ["websocket"], server: false },
    async (stage) => {
      await serve(stage, { track: shown ? "connection" : "unused" });
      const { socket } = await stage.pair();
      const tracked = socket.request.socket;
      const told = [];
      tracked.on("error", ({ message }) => told.push(`error: ${message}`));
      const close = new Promise((resolve) => {
        tracked.on("close", (hadError) => resolve(told.push(`close: ${hadError}`)));
      });
      const gone = until(socket, "disconnect");
      end(tracked);
      told.push("ended");
      await close;
      stage.trace("told", told, tracked.errored?.message);
      await gone;
    },
  );

scenario(
  "close() waits for the clients that nobody ends",
  { modes: ["websocket"], server: false },
  async (stage) => {
    await serve(stage);
    const { client } = await stage.pair();
    let ended = false;
    const end = closed(stage.httpServer).then(() => (ended = true));
    stage.httpServer.closeAllConnections(); // those that it knows to be HTTP
    stage.httpServer.closeIdleConnections();
    const answer = new Promise((resolve) => client.once("still", resolve));
    stage.io.emit("still");
    await answer;
    assert.equal(ended, false);
    client.disconnect();
    await end;
  },
);

scenario("listeners come and go", { modes: ["websocket"], server: false }, async (stage) => {
  await serve(stage, { track: "unused" });
  await stage.pair(); // nobody has seen this one
  const seen = new Promise((resolve) => stage.httpServer.once("connection", resolve));
  const { client, socket } = await stage.pair();
  const tracked = await seen;
  assert.equal(stage.httpServer.listenerCount("connection"), 1);
  assert.equal(tracked.destroyed, false);
  const gone = [until(client, "disconnect"), until(socket, "disconnect"), until(tracked, "close")];
  tracked.destroy();
  const [[ofClient], [ofSocket]] = await Promise.all(gone);
  stage.trace("reasons", ofClient, ofSocket);
  await stage.pair();
});

scenario(
  "many sockets, of which some are destroyed at random",
  { modes: ["websocket"], server: false },
  async (stage) => {
    await serve(stage);
    const pairs = await Promise.all(Array.from({ length: 40 }, () => stage.pair()));
    const doomed = pairs.filter((_, i) => i % 3 === 0);
    const rest = pairs.filter((_, i) => i % 3 !== 0);
    const ends = doomed.flatMap(({ client, socket }) => [
      until(client, "disconnect"),
      until(socket, "disconnect"),
    ]);
    for (const { socket } of doomed) {
      socket.emit("last", "x".repeat(100));
      socket.request.socket.destroy();
    }
    await Promise.all(ends);
    const answers = rest.map(({ client }) => until(client, "still"));
    stage.io.emit("still");
    await Promise.all(answers);
    await eventually(() => stage.sockets.size === rest.length, "the destroyed to be gone");
    assert.equal(stage.io.engine.clientsCount, rest.length);
    assert.equal(await count(stage.httpServer), rest.length);
  },
);
