"use strict";

/**
 * Rounds of all that clients do, and of all ways to go: afterwards nothing is held for them. `leak.test.js` looks at heap
 * and descriptors after many more, plainer clients; `npm run bench -- --case soak` at resident memory.
 */

const assert = require("node:assert/strict");
const os = require("node:os");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ours } = require("./support/implementations");
const { PollingSession } = require("./support/raw-http");
const { RawWebSocket } = require("./support/raw-websocket");
const { spawn } = require("./support/child");
const { turns, until, within } = require("./support/waiting");

const ROUNDS = 4;
const CLIENTS = 12; // of each kind
const KINDS = [["websocket"], ["polling"], ["polling", "websocket"]];
const BYTES = Buffer.alloc(50_000, 7);

/** The ways in which a client goes. */
const ENDS = [
  (client) => client.disconnect(),
  (client) => client.io.engine.close(),
  (client) => client.emit("leave"),
];

async function open(port, transports, n) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports,
    auth: { room: `room ${n % 3}` },
  });
  await until(client, "connect");
  // the way to go must not begin in the middle of an upgrade: then the client waits for its end
  if (transports.length > 1 && client.io.engine.transport.name === "polling")
    await until(client.io.engine, "upgrade");
  return client;
}

async function round(port) {
  const opening = KINDS.flatMap((kind) =>
    Array.from({ length: CLIENTS }, (_, n) => open(port, kind, n)),
  );
  const clients = await Promise.all(opening);
  const heard = clients.map((client) => until(client, "heard"));
  for (const client of clients) {
    const echoes = ["text", { a: [1] }, BYTES].map((data) => client.emitWithAck("echo", data));
    await within(Promise.all(echoes), "the echoes");
  }
  clients[0].emit("all");
  await Promise.all(heard);
  const gone = clients.map((client) => until(client, "disconnect"));
  for (const [n, client] of clients.entries()) ENDS[n % ENDS.length](client);
  await Promise.all(gone);
}

/** Clients by hand that go in the middle of something. */
async function rudeRound(port) {
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  await raw.next();
  await raw.join();
  raw.text('42["fill"]'); // and does not read
  raw.socket.pause();
  const half = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  half.socket.write(Buffer.from([0x81])); // a half of a header
  const session = await PollingSession.open(port);
  await session.join();
  const waiting = session.startGet();
  const probing = await RawWebSocket.open(
    port,
    `/socket.io/?EIO=4&transport=websocket&sid=${session.sid}`,
  );
  probing.text("2probe");
  await probing.next();
  for (const wire of [raw, half, probing]) wire.destroy();
  waiting.abort(); // the poll is closed in the middle: so is the session
}

test(
  "nothing is held for clients that have gone",
  { skip: process.platform !== "linux" && "it counts in /proc", timeout: 120_000 },
  async (t) => {
    const server = spawn("soak-server", ours);
    t.after(server.kill);
    const { port } = await server.message();
    const count = async () => {
      server.send("count");
      return server.message();
    };
    await round(port); // what is made once is made now
    const { held } = await count();
    const zero = Object.fromEntries(Object.keys(held).map((name) => [name, 0]));

    /** Counts until nothing is held: the last ends may be on their way. */
    const settled = async () => {
      let counted = await count();
      for (let n = 0; n < 2_000 && JSON.stringify(counted.held) !== JSON.stringify(zero); n++) {
        await turns(5);
        counted = await count();
      }
      assert.deepEqual(counted.held, zero);
      return counted;
    };
    const base = await settled();
    for (let n = 0; n < ROUNDS; n++) {
      await round(port);
      await rudeRound(port);
    }
    let after = await settled();
    for (let n = 0; n < 2_000 && after.fds > base.fds; n++) after = await settled();
    assert.ok(after.fds <= base.fds, `descriptors ${base.fds} → ${after.fds}`);
    const watched = os.availableParallelism(); // a queue of each worker, at most
    assert.ok(
      after.queues <= base.queues + watched,
      `event queues ${base.queues} → ${after.queues}`,
    );
    server.send("close");
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  },
);
