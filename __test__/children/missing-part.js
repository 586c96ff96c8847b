"use strict";

/**
 * Two servers on a Node.js that lacks a private part: one that is alone with its connections, and one that shows them to a program,
 * so that Node.js reads them.
 *
 *     node missing-part.js PATH [PART WAY]   then, by messages, "state" and "close"
 */

const { once } = require("node:events");
const http = require("node:http");
const { MISSING } = require("../support/missing-parts");

const [, , path, part, way] = process.argv;

async function open(Server) {
  const httpServer = http.createServer((req, res) => res.end("the program"));
  const io = new Server(httpServer);
  const state = { doors: [], reasons: [] };
  io.on("connection", (socket) => {
    state.doors.push(socket.conn.door);
    state.reasons.push(socket.conn.doorReason ?? null);
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("seen", (reply) => {
      const { headers, socket: carrier, url } = socket.request;
      reply({ name: headers["x-name"], url, port: carrier.remotePort, open: !carrier.destroyed });
    });
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const closed = once(httpServer, "close");
  return { io, httpServer, state, closed };
}

async function main() {
  if (part !== undefined) await MISSING[part][way].change();
  const { Server } = require(path);
  const { PARTS } = require("../../lib/node");
  const alone = await open(Server);
  const shown = await open(Server);
  shown.httpServer.on("connection", () => {});
  const servers = { alone, shown };
  process.on("message", async (message) => {
    if (message === "state") {
      const states = Object.entries(servers).map(([name, { io, state }]) => {
        const { acceptor, takeover } = io.engine;
        return [name, { ...state, taken: acceptor.taken, moved: takeover.size }];
      });
      process.send(Object.fromEntries(states));
      return;
    }
    for (const { io } of Object.values(servers)) io.close();
    for (const { closed } of Object.values(servers)) await closed;
    process.disconnect();
  });
  const ports = Object.entries(servers).map(([name, { httpServer }]) => [
    name,
    httpServer.address().port,
  ]);
  const missing = PARTS.filter(({ works }) => works === false).map(({ name }) => name);
  process.send({ ports: Object.fromEntries(ports), missing });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
