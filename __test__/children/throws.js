"use strict";

/**
 * Programs that throw wherever they are called while a client is served: each row of the table throws once, in one place.
 *
 * What is told of each: where the error landed, what became of the client, whether another client noticed, and what stays
 * counted when the client has gone.
 *
 *     node throws.js IMPLEMENTATION DOOR TRANSPORT      DOOR: "fast"; "node": Node.js reads all connections; "tls": it decrypts them
 */

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { join } = require("node:path");
const { once } = require("node:events");
const { io: connect } = require("socket.io-client");
// The older client takes the WebSocket of Node.js, where there is one; that trusts no certificate of ours.
delete globalThis.WebSocket;
const connectOld = require("socket.io-client-2");
const { table } = require("../support/throwing-programs");
const { turns, within } = require("../support/waiting");

const [, , path, door, transport, only] = process.argv;
const lib = require(path);

/** Round trips of the other client: a clock that runs as slowly as the machine does. */
const LONG = 120;

const fixture = (name) => fs.readFileSync(join(__dirname, "..", "fixtures", name));

const nothing = (_req, res) => res.writeHead(404).end();

const landed = [];
process.on("uncaughtException", (error) => landed.push(`uncaught: ${error?.message}`));
process.on("unhandledRejection", (error) => landed.push(`unhandled: ${error?.message}`));

/** Throws once, when the bad client has begun. */
function makeFault() {
  const fault = () => {
    if (!fault.armed) return;
    fault.armed = false;
    fault.fired = true;
    throw new Error("fault");
  };
  fault.armed = false;
  fault.fired = false;
  return fault;
}

async function play(row) {
  landed.length = 0;
  const fault = makeFault();
  const secure = door === "tls";
  const httpServer = secure
    ? https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") }, nothing)
    : http.createServer(nothing);
  if (door === "node") httpServer.on("connection", () => {});
  const options = row.options?.(fault, lib) ?? {};
  const io = new lib.Server(httpServer, { transports: ["polling", "websocket"], ...options });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http${secure ? "s" : ""}://127.0.0.1:${httpServer.address().port}`;
  io.of("/canary").on("connection", (socket) => socket.on("alive", (reply) => reply("alive")));
  io.on("connection", (socket) => socket.on("alive", (reply) => reply("alive")));
  row.setup?.({ io, fault, engine: io.engine, lib });

  const canary = connect(`${url}/canary`, {
    transports: ["websocket"],
    forceNew: true,
    rejectUnauthorized: !secure,
  });
  await within(once(canary, "connect"), `the other client of "${row.name}"`);
  const rounds = async (count, done = () => false) => {
    for (let i = 0; i < count && !done(); i++) await canary.timeout(10_000).emitWithAck("alive");
  };

  const seen = [];
  fault.armed = true;
  const bad = (row.old ? connectOld : connect)(url + (row.namespace ?? "/"), {
    transports: row.upgrade ? ["polling", "websocket"] : [transport],
    forceNew: true,
    rejectUnauthorized: !secure,
    reconnection: false,
    query: { bad: 1, ...row.query },
    auth: { bad: 1 },
  });
  bad.on("connect", () => seen.push("connect"));
  bad.on("connect_error", (error) => seen.push(`connect_error: ${error.message ?? error}`));
  bad.on("disconnect", (reason) => seen.push(`disconnect: ${reason}`));
  bad.on("ask", (...args) => args.at(-1)?.("answer"));
  await rounds(LONG, () => seen.length > 0);
  if (bad.connected) await row.act?.({ bad, io, rounds, fault });
  if (row.act === undefined && bad.connected) bad.emit("ev", "x", () => {});
  await rounds(LONG, () => fault.fired || seen.some((what) => what.startsWith("disconnect")));
  await rounds(5);
  let alive = "silent";
  if (bad.connected) bad.emit("alive", () => (alive = "alive"));
  await rounds(LONG, () => alive === "alive" || !bad.connected);
  if (!bad.connected) alive = "gone";
  bad.disconnect();
  const count = () => ({
    clients: io.engine.clientsCount - 1,
    listed: Object.keys(io.engine.clients).length - 1,
    sockets: [...io._nsps.values()].reduce((sum, nsp) => sum + nsp.sockets.size, 0) - 1,
    joining: [...io._nsps.values()].reduce((sum, nsp) => sum + nsp._preConnectSockets.size, 0),
  });
  await rounds(LONG, () => Object.values(count()).every((number) => number === 0));
  const result = { fired: fault.fired, landed: [...landed], seen, alive, left: count() };
  fault.armed = false;
  canary.disconnect();
  io.close().catch(() => {});
  httpServer.closeAllConnections();
  await turns(20); // not for "close": a connection whose upgrade nobody answers stays
  return result;
}

(async () => {
  for (const row of table) {
    if (only !== undefined && row.name !== only) continue;
    if (row.transports && !row.transports.includes(transport)) continue;
    process.send({ name: row.name, result: await play(row) });
  }
  process.send(null, () => process.exit(0)); // what upstream leaves behind must not keep the process
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
