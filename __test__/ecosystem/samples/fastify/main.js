"use strict";

// Fastify 5 with fastify-socket.io, and with a server of its own beside.

const fastify = require("fastify");
const plugin = require("fastify-socket.io");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");

async function talk(url, path) {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = connect(url, { path, transports, forceNew: true });
    client.on("connect_error", (error) => console.log("connect_error", error.message));
    console.log(transports.join(), await client.timeout(10_000).emitWithAck("echo", "hello"));
    client.disconnect();
  }
}

async function byPlugin() {
  const app = fastify();
  await app.register(plugin.default ?? plugin, { cors: { origin: "*" } });
  app.get("/", (request, reply) => {
    app.io.emit("asked", request.url);
    return reply.send({ clients: app.io.engine.clientsCount });
  });
  app.ready((error) => {
    if (error) throw error;
    app.io.on("connection", (socket) => socket.on("echo", (text, reply) => reply(text)));
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  await talk(url);
  const client = connect(url, { transports: ["websocket"], forceNew: true });
  await new Promise((resolve) => client.once("connect", resolve));
  const asked = new Promise((resolve) => client.once("asked", resolve));
  console.log(await (await fetch(url)).json(), await asked);
  const gone = new Promise((resolve) => client.once("disconnect", resolve));
  await app.close();
  console.log("closed", await gone);
  client.disconnect();
}

async function byHand() {
  const app = fastify({ forceCloseConnections: true });
  const io = new Server(app.server, { path: "/sockets/" });
  app.addHook("preClose", (done) => {
    io.disconnectSockets(true);
    done();
  });
  io.on("connection", (socket) => socket.on("echo", (text, reply) => reply(text)));
  app.get("/", () => "plain");
  app.get("/injected", () => "by inject");
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  await talk(url, "/sockets/");
  console.log(await (await fetch(url)).text(), (await app.inject("/injected")).body);
  await app.close();
  console.log("closed");
}

byPlugin().then(byHand);
