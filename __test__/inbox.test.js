"use strict";

/**
 * What waits for JavaScript is bounded, whichever way it comes and however many send it; then all of it arrives, in order,
 * and the program goes on meanwhile.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const tls = require("node:tls");
const zlib = require("node:zlib");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { OPCODE, RawWebSocket, frame } = require("./support/raw-websocket");
const { spawn } = require("./support/child");
const { until, within } = require("./support/waiting");

const MIB = 1024 * 1024;
const PATIENCE = 120_000;
/** What may wait, and what of it is read before anybody sees that it is too much: one read of each worker and a message. */
const LIMIT = 64 * MIB;
const SLACK = 8 * MIB;
/** Bytes of each message: as many as fit into the default of `maxHttpBufferSize`. */
const LENGTH = 990_000;
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const POLLING = "/socket.io/?EIO=4&transport=polling";

const text = (n) => `42["n",${n},"${"x".repeat(LENGTH)}"]`;
/** Small on the wire, 28 bytes of heap for each byte. */
const nested = (n) => `42["n",${n},${"[".repeat(LENGTH / 2)}${"]".repeat(LENGTH / 2)}]`;

/** A WebSocket that has joined. */
async function openWebSocket(port, door = "workers") {
  let raw;
  const headers = { "Sec-WebSocket-Extensions": "permessage-deflate" };
  const options = door.endsWith("deflate") ? { headers } : {};
  if (door.startsWith("tls")) {
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    raw = new RawWebSocket(socket);
    await until(socket, "secureConnect");
    raw.request(WEBSOCKET, options);
    await within(raw.answered, "the upgrade");
  } else {
    raw = await RawWebSocket.open(port, WEBSOCKET, options);
  }
  await raw.next();
  await raw.join();
  return raw;
}

/** A message that is compressed by itself. */
function compressed(body) {
  const bytes = zlib.deflateRawSync(body, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return frame(OPCODE.text, bytes.subarray(0, -4), { rsv: 4 });
}

/** Sends messages by a WebSocket, whatever the server takes. */
function flood(raw, messages) {
  for (const message of messages) raw.socket.write(message);
}

/** A polling client that has joined, by a connection that it keeps. */
async function openPolling(port) {
  const kept = await KeptConnection.open(port);
  const { body } = await kept.ask(POLLING);
  const target = `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`;
  assert.equal((await kept.ask(target, { body: "40" })).body, "ok");
  assert.match((await kept.ask(target)).body, /^40/);
  return { kept, target };
}

/** Posts messages one after the other, as a client does. */
async function post({ kept, target }, bodies) {
  for (const body of bodies) {
    kept.send(target, { body });
    const answer = await new Promise((resolve, reject) => {
      const look = () => {
        const taken = kept.take();
        if (taken !== undefined) resolve(taken);
        else if (kept.ended) reject(new Error("the connection has ended"));
      };
      kept.onChange = look;
      look();
    });
    assert.equal(answer.body, "ok");
  }
}

/** Clients, and how many messages each of them sends. */
const WAYS = {
  "compressed WebSockets, a thousand bytes for each": {
    door: "deflate",
    transport: "websocket",
    clients: 6,
    messages: 40,
  },
  "compressed WebSockets over TLS, a thousand bytes for each": {
    door: "tls-deflate",
    transport: "websocket",
    clients: 6,
    messages: 40,
  },
  "WebSockets that workers read": { door: "workers", transport: "websocket" },
  "polling by connections that workers read": { door: "workers", transport: "polling" },
  "both at once": { door: "workers", transport: "both" },
  "polling requests that Node.js reads": { door: "forwarded", transport: "polling" },
  "WebSockets over TLS": { door: "tls", transport: "websocket" },
};
const CLIENTS = 60;
const MESSAGES = 2;

for (const [way, { door, transport, ...counts }] of Object.entries(WAYS)) {
  const { clients = CLIENTS, messages = MESSAGES } = counts;
  test(`ours: what waits is bounded: ${way}`, { timeout: 2 * PATIENCE }, async (t) => {
    const server = spawn("inbox-server", ours, { args: [door, String(clients * messages)] });
    t.after(server.kill);
    const { port } = await server.message();
    const blocker = await openWebSocket(port, door);
    const webSockets = [];
    const polling = [];
    for (let i = 0; i < clients; i++) {
      if (transport === "websocket" || (transport === "both" && i % 2 === 0))
        webSockets.push(await openWebSocket(port, door));
      else polling.push(await openPolling(port));
    }
    const sockets = [blocker, ...webSockets, ...polling.map(({ kept }) => kept)];
    t.after(() => sockets.forEach(({ socket }) => socket.destroy()));
    const bodies = Array.from({ length: messages }, (_, n) => text(n));
    const frames = bodies.map((body) =>
      door.endsWith("deflate") ? compressed(body) : frame(OPCODE.text, body),
    );

    blocker.text('42["block"]');
    assert.equal(await server.message(), "blocked");
    for (const raw of webSockets) flood(raw, frames);
    const posted = Promise.all(polling.map((client) => post(client, bodies)));
    const seen = await server.message(PATIENCE);
    await within(posted, "the answers to the POSTs", PATIENCE);
    t.diagnostic(
      `${Math.round(seen.peak / MIB)} MiB waited, ${seen.atTimer} events before a timer`,
    );
    assert.deepEqual(
      { count: seen.count, disordered: seen.disordered, lost: seen.lost },
      { count: clients * messages, disordered: 0, lost: 0 },
    );
    assert.ok(seen.peak <= LIMIT + SLACK, `${seen.peak} bytes waited`);
    assert.ok(seen.peak > 8 * MIB, `only ${seen.peak} bytes waited: it was no flood`);
    assert.ok(seen.atTimer >= 0 && seen.atTimer < seen.count, "a timer has its turn meanwhile");
    server.send("close");
    for (const { socket } of sockets) socket.destroy();
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });
}

for (const implementation of selected()) {
  const name = "many messages that are large as values, at once, in a small heap";
  test(`${implementation.name}: ${name}`, { timeout: 2 * PATIENCE }, async (t) => {
    const [clients, messages] = [10, 3];
    const server = spawn("inbox-server", implementation, {
      args: ["workers", String(clients * messages)],
      execArgv: ["--max-old-space-size=300"],
    });
    t.after(server.kill);
    const { port } = await server.message();
    const frames = Array.from({ length: messages }, (_, n) => frame(OPCODE.text, nested(n)));
    const all = [];
    for (let i = 0; i < clients; i++) all.push(await openWebSocket(port));
    if (implementation === ours) {
      const blocker = await openWebSocket(port);
      all.push(blocker);
      blocker.text('42["block"]');
      assert.equal(await server.message(), "blocked");
    }
    t.after(() => all.forEach(({ socket }) => socket.destroy()));
    for (const raw of all.slice(0, clients)) flood(raw, frames);
    const { count, disordered } = await server.message(PATIENCE);
    assert.deepEqual({ count, disordered }, { count: clients * messages, disordered: 0 });
    server.kill();
  });
}

test("a WebTransport session is read again when nothing speaks against it any more", () => {
  const { WebTransportBridge } = require("../lib/ingress/webtransport");
  let room = true;
  const door = Object.assign(Object.create(WebTransportBridge.prototype), {
    border: { bodies: { gather: () => room } },
    gathered: 0,
  });
  const reads = () => door.paused === undefined;
  assert.ok(reads());
  room = false;
  door.count(10); // no room for more of a packet …
  assert.ok(!reads());
  door.pause(); // … and the worker wants no more either
  door.readOn();
  assert.ok(!reads());
  door.resume();
  assert.ok(reads());
  door.count(20);
  door.pause();
  door.resume();
  assert.ok(!reads());
  door.readOn();
  assert.ok(reads());
});
