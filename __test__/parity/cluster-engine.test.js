"use strict";

/** `io.bind()` of an engine that subclasses npm `engine.io` and shares its sessions with other nodes. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { scenario } = require("./harness");
const { ClusterEngine } = require("../support/cluster-engine");
const { PollingSession, fetch } = require("../support/raw-http");
const { RawWebSocket } = require("../support/raw-websocket");
const { eventually, until } = require("../support/waiting");

/** Two nodes, each with an engine and a Socket.IO server bound to it. */
async function openCluster({ lib, defer }) {
  const cluster = new Set();
  const nodes = [];
  for (let i = 0; i < 2; i++) {
    const httpServer = http.createServer();
    const engine = new ClusterEngine(cluster, { pingInterval: 20_000 });
    // its timer for a session that ends while no GET waits would keep the process
    engine.on("connection", ({ transport }) => {
      transport.closeTimeout = 1_000;
    });
    engine.attach(httpServer, { path: "/socket.io/" });
    const io = new lib.Server();
    assert.equal(io.bind(engine), io);
    assert.equal(io.engine, engine);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    defer(() => {
      io.close();
      engine.close();
      httpServer.closeAllConnections();
      httpServer.close();
    });
    nodes.push({ engine, io, port: httpServer.address().port });
  }
  return nodes;
}

/** A session that was opened at the first node, and the server's socket for it; its requests go to the second. */
async function openAcross([first, second]) {
  const connection = until(first.io, "connection");
  const session = await PollingSession.open(first.port);
  session.port = second.port;
  const joined = await session.join();
  const [socket] = await connection;
  return { session, socket, joined };
}

const SETTINGS = { server: false };

scenario(
  "cluster engine: a session at one node, its requests at another",
  SETTINGS,
  async (stage) => {
    const { trace } = stage;
    const nodes = await openCluster(stage);
    const [{ engine, io }, { engine: other }] = nodes;
    const { session, socket, joined } = await openAcross(nodes);
    trace("joined", joined.replace(socket.id, "<socket>"));
    const { conn } = socket;
    trace("clients", engine.clientsCount, other.clientsCount, engine.clients[session.sid] === conn);
    trace("conn", conn.transport.name, conn.upgrading, conn.upgraded, conn.readyState);
    assert.equal(socket.client.conn, conn);
    assert.equal(socket.request, conn.request);

    socket.on("echo", (value, reply) => reply(value));
    await session.post('421["echo",{"a":1}]');
    trace("ack", await session.next());
    await session.post('451-2["echo",{"_placeholder":true,"num":0}]\x1ebAQID');
    trace("binary ack", await session.next(), await session.next());
    socket.join("room");
    io.to("room").emit("hello", "room");
    trace("broadcast", await session.next());
    const answered = socket.timeout(20_000).emitWithAck("question");
    const question = await session.next();
    await session.post(question.replace(/^42(\d+).*$/, '43$1["answer"]'));
    trace("answer", question, await answered);
    conn.sendPacket("noop");
    trace("noop", await session.next());

    // back at the node that has the session
    session.port = nodes[0].port;
    socket.emit("at", "home");
    trace("home", await session.next());

    session.port = nodes[1].port;
    const ended = until(socket, "disconnect");
    await session.post("1");
    trace("end", await ended);
    trace("clients", engine.clientsCount, io.of("/").sockets.size);
    for (const member of ["verify", "createTransport"]) assert.ok(other.used.has(member), member);
    assert.ok(engine.used.has("handshake"));
  },
);

scenario("cluster engine: the server ends the session", SETTINGS, async (stage) => {
  const nodes = await openCluster(stage);
  const { session, socket } = await openAcross(nodes);
  const parked = session.startGet();
  await eventually(() => socket.conn.transport.writable, "the poll at the other node");
  const ended = until(socket, "disconnect");
  socket.disconnect(true);
  stage.trace("end", await ended);
  stage.trace("wire", (await parked.response).body);
});

scenario("cluster engine: an upgrade at another node", SETTINGS, async (stage) => {
  const { trace } = stage;
  const nodes = await openCluster(stage);
  const { session, socket } = await openAcross(nodes);
  const { conn } = socket;
  const target = `/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`;
  const raw = await RawWebSocket.open(nodes[1].port, target);
  stage.defer(() => raw.destroy());
  const parked = session.startGet();
  await eventually(() => conn.transport.writable, "the poll at the other node");
  raw.text("2probe");
  trace("wire", await raw.next(), (await parked.response).body);
  trace("conn", conn.upgrading, conn.upgraded, conn.transport.name);
  const upgraded = until(conn, "upgrade");
  raw.text("5");
  const [transport] = await upgraded;
  trace("conn", conn.upgrading, conn.upgraded, conn.transport.name, transport === conn.transport);
  socket.on("echo", (value, reply) => reply(value));
  raw.text('421["echo","over websocket"]');
  trace("wire", await raw.next());
  socket.emit("bytes", Buffer.from("bytes"));
  trace("wire", await raw.next(), await raw.next());
  const ended = until(socket, "disconnect");
  raw.destroy();
  trace("end", (await ended)[0]);
});

scenario("cluster engine: middlewares, and sessions that no node has", SETTINGS, async (stage) => {
  const { trace } = stage;
  const [{ engine, io, port }] = await openCluster(stage);
  engine.use((req, res, next) => {
    res.setHeader("x-node", "first");
    next(req.headers["x-bad"] ? new Error("bad") : undefined);
  });
  io.engine.on("connection_error", ({ code, message, context }) =>
    trace("error", code, message, context),
  );
  const query = "/socket.io/?EIO=4&transport=polling";
  const opened = await fetch(port, "GET", query);
  trace("wire", opened.status, opened.headers["x-node"]);
  const unknown = await fetch(port, "GET", `${query}&sid=nobody`);
  trace("wire", unknown.status, unknown.body);
  const refused = await fetch(port, "GET", query, { headers: { "x-bad": "yes" } });
  trace("wire", refused.status, refused.body);
});
