"use strict";

/**
 * Who comes while the event loop is blocked: workers accept the connections, so nobody is kept out, and nobody who was there
 * is lost.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ours } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { spawn } = require("./support/child");
const { until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";
const NEWCOMERS = 100; // by each transport
/** ms */
const HEARTBEAT = { pingInterval: 1000, pingTimeout: 1000 };
/** Pings that a client gets during the block, so that it takes longer than any silence that is allowed. */
const PINGS = 3;
const TRANSPORTS = ["websocket", "polling"];

/** A client, and how often it has been pinged. */
function dial(t, port, transport) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  t.after(() => agent.destroy());
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports: [transport],
    agent, // connections are kept, as a browser does it
  });
  t.after(() => client.disconnect());
  client.label = transport + " " + (dial.n = (dial.n ?? 0) + 1);
  return client;
}

/** Waits until the client has been pinged so often, and has not left. */
function sitOut(client) {
  let pings = 0;
  return within(
    new Promise((resolve, reject) => {
      client.once("disconnect", (reason) => reject(new Error(`${reason}, after ${pings} pings`)));
      client.io.on("ping", () => ++pings === PINGS && resolve());
    }),
    `${PINGS} pings`,
    60_000,
  );
}

/** What of a client has come to the server, and how many clients that has lost. */
function ask(client) {
  const answer = new Promise((resolve) => client.emit("got", (...args) => resolve(args)));
  return within(answer, "what came of " + client.label + " " + client.connected, 20_000);
}

test(
  "a blocked event loop keeps nobody out, and loses nobody",
  { timeout: 120_000, skip: !LINUX && "Node.js accepts there" },
  async (t) => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "blocked-"));
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const release = path.join(directory, "release");
    const server = spawn("blocked-server", ours, { args: [release, JSON.stringify(HEARTBEAT)] });
    t.after(server.kill);
    const { port } = await server.message();

    const before = TRANSPORTS.map((transport) => dial(t, port, transport));
    for (const client of before) await until(client, "connect");
    await Promise.all(before.map(ask)); // both connections of a polling client have been used
    const stay = before.map(sitOut);
    before[0].emit("block");
    assert.equal(await server.message(), "blocked");

    // somebody else's request waits for the event loop
    const other = await KeptConnection.open(port);
    t.after(() => other.destroy());
    const answered = other.ask("/app");

    const dialAll = (transport) =>
      Array.from({ length: NEWCOMERS }, () => dial(t, port, transport));
    const clients = TRANSPORTS.flatMap(dialAll);
    const stayed = clients.map(sitOut);
    const connected = clients.map((client) => until(client, "connect", 60_000));
    await Promise.all(clients.map((client) => until(client.io, "open", 60_000)));
    await Promise.all([...stay, ...stayed]);
    assert.ok(clients.every(({ connected: isIn }) => !isIn));
    for (const client of clients) client.emit("n", 0); // kept until it is in
    fs.writeFileSync(release, "");

    await Promise.all(connected);
    assert.match((await answered).head, /^HTTP\/1.1 404/);
    for (const client of clients) assert.deepEqual(await ask(client), [[0], 0]);
    for (const client of before) assert.deepEqual(await ask(client), [[], 0]);
    for (const client of [...before, ...clients]) client.disconnect();
    server.send("close");
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },
);
