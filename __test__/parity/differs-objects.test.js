"use strict";

/**
 * What is on purpose not as upstream where a program handles an object that stands for what a worker has: what each of the two
 * does. docs/differences.md says why.
 */

const assert = require("node:assert/strict");
const net = require("node:net");
const { spawn } = require("../support/child");
const { fetch } = require("../support/raw-http");
const { deferred, turns, until, within } = require("../support/waiting");
const { scenario } = require("./harness");
const { pollingPair, webSocketPair } = require("./raw-pairs");

const POLLING = "/socket.io/?EIO=4&transport=polling";

/** Ways to take a packet out of `conn.writeBuffer`. */
const TAKING = {
  "one is taken out": (conn) => conn.writeBuffer.pop(),
  "another is assigned": (conn) => {
    conn.writeBuffer = [];
  },
};

for (const [how, take] of Object.entries(TAKING))
  scenario(`differs: conn.writeBuffer, ${how}`, { trace: false }, async (stage) => {
    const { session, socket } = await pollingPair(stage);
    assert.equal(socket.conn.writeBuffer.length, 0); // and it is looked at from now on
    socket.emit("a");
    assert.equal(socket.conn.writeBuffer.length, 1);
    take(socket.conn);
    assert.equal(socket.conn.writeBuffer.length, 0);
    socket.emit("b");
    const sent = [await session.next()];
    if (sent[0] === '42["a"]') sent.push(await session.next());
    assert.deepEqual(sent, stage.either(['42["b"]'], ['42["a"]', '42["b"]']));
  });

scenario("differs: a clone of the rooms", async (stage) => {
  const { socket } = await webSocketPair(stage);
  const { adapter } = socket.nsp;
  const clone = structuredClone(adapter.rooms);
  assert.deepEqual([...clone.get(socket.id)], stage.either([socket.id], []));
  const copy = structuredClone(new Map(adapter.rooms));
  assert.deepEqual([...copy.get(socket.id)], [socket.id]);
});

scenario("differs: descriptors of a handshake", async (stage) => {
  const { handshake } = (await webSocketPair(stage)).socket;
  const accessors = new Set(["headers", "query", "xdomain"]);
  for (const name of Object.keys(handshake)) {
    const { get, enumerable, configurable } = Object.getOwnPropertyDescriptor(handshake, name);
    const isAccessor = get !== undefined;
    assert.equal(isAccessor, stage.either(false, accessors.has(name)), name);
    assert.deepEqual([enumerable, configurable], [true, true], name);
  }
  handshake.query = { mine: "yes" };
  const copies = [
    { ...handshake },
    structuredClone(handshake),
    JSON.parse(JSON.stringify(handshake)),
  ];
  for (const copy of copies) {
    assert.deepEqual(Object.keys(copy), Object.keys(handshake));
    assert.equal(copy.headers.upgrade, "websocket");
    assert.deepEqual(copy.query, { mine: "yes" });
  }
});

scenario("differs: a transport that is assigned to be not writable", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const { conn } = socket;
  const { transport } = conn;
  transport.writable = false;
  stage.trace("read back", transport.writable);
  socket.emit("a");
  const goOn = stage.either(
    () => {
      assert.equal(conn.writeBuffer.length, 1); // it is kept back
      transport.writable = true;
      conn.flush();
    },
    () => {},
  );
  goOn();
  stage.trace("sent", await raw.next());
});

scenario("differs: a transport that is assigned to be closing", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const { conn } = socket;
  conn.transport.readyState = "closing";
  stage.trace("read back", conn.transport.readyState);
  conn.close();
  assert.equal(conn.readyState, stage.either("closing", "closed")); // it closes nothing that is closing
  raw.destroy();
});

scenario("differs: a decoder that is assigned", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const { client } = socket;
  const decoded = deferred("a packet");
  const decoder = {
    add: (text) => decoded.resolve(["it is asked", text]),
    removeListener() {},
    destroy() {},
  };
  socket.on("a", (...args) => decoded.resolve(["it is not asked", ...args]));
  client.decoder = decoder;
  assert.equal(client.decoder, decoder);
  raw.text('42["a",1]');
  assert.deepEqual(
    await decoded.promise,
    stage.either(["it is asked", '2["a",1]'], ["it is not asked", 1]),
  );
});

// --- sockets of the HTTP server ---

/** A WebSocket client, and the socket of the HTTP server by which it came. */
async function trackedPair(stage) {
  const connection = until(stage.httpServer, "connection");
  const { raw, socket } = await webSocketPair(stage);
  const [tracked] = await connection;
  assert.equal(socket.request.socket, tracked);
  return { raw, socket, tracked };
}

/** Has a client ask, and waits for the answer. */
async function ask(raw) {
  raw.text('420["ask"]');
  assert.equal(await raw.next(), "430[]");
}

scenario("differs: bytes of a socket of the HTTP server", async (stage) => {
  const { raw, socket, tracked } = await trackedPair(stage);
  socket.on("ask", (answer) => answer());
  await ask(raw);
  const { bytesRead, bytesWritten } = tracked;
  await ask(raw);
  assert.equal(tracked.bytesRead > bytesRead, stage.either(true, false));
  assert.equal(tracked.bytesWritten > bytesWritten, stage.either(true, false));
});

/** A frame of a server: a text. */
const FRAME = Buffer.from([0x81, 2, 0x36, 0x21]);

scenario("differs: a program that writes to a socket of the HTTP server", async (stage) => {
  const { raw, tracked } = await trackedPair(stage);
  const written = deferred("the end of a write");
  tracked.on("error", () => {});
  tracked.write(FRAME, (error) => written.resolve(error?.code));
  assert.equal(await written.promise, stage.either(undefined, "EPIPE"));
  assert.equal(await raw.next(), stage.either("6!", null)); // what has failed is destroyed
});

scenario(
  "differs: a timeout of a socket of the HTTP server by which something comes",
  async (stage) => {
    const busy = await trackedPair(stage);
    const quiet = await trackedPair(stage);
    busy.socket.on("ask", (answer) => answer());
    let isBusyOver = false;
    let isQuietOver = false;
    busy.tracked.setTimeout(1000, () => (isBusyOver = true)); // would run out first
    quiet.tracked.setTimeout(1000, () => (isQuietOver = true));
    while (!isQuietOver) await ask(busy.raw);
    assert.equal(isBusyOver, stage.either(false, true));
  },
);

// --- the process ---

scenario("differs: handles of an addon", { server: false }, async (stage) => {
  const child = spawn("handles", stage.implementation);
  stage.defer(child.kill);
  assert.deepEqual(await child.message(), stage.either([], ["CustomGC"]));
  const { code } = await within(child.exit(), "the end of the process"); // it keeps none alive
  assert.equal(code, 0);
});

// --- what is put in the place of parts of Node.js and of the engine ---

scenario(
  "differs: methods of the engine that are replaced and are not documented",
  async (stage) => {
    const { engine } = stage.io;
    const calls = [];
    for (const name of ["handshake", "createTransport", "onWebSocket"]) {
      const own = engine[name];
      engine[name] = function (...args) {
        calls.push(name);
        return own.apply(this, args);
      };
    }
    await pollingPair(stage);
    await webSocketPair(stage);
    const expected = [
      "handshake",
      "createTransport",
      "onWebSocket",
      "handshake",
      "createTransport",
    ];
    assert.deepEqual(calls, stage.either(expected, []));
  },
);

if (process.platform === "linux")
  // elsewhere Node.js accepts
  scenario("differs: methods of Node's classes that were replaced before", async (stage) => {
    const child = spawn("patched-responses", stage.implementation);
    stage.defer(() => child.kill());
    const { patched, port } = await child.message();
    assert.equal(patched, true);
    const { headers } = await fetch(port, "GET", POLLING);
    assert.equal(headers["x-patched"], stage.either("yes", undefined));
    // one that Node.js answers
    const refused = await fetch(port, "GET", `${POLLING}&sid=none`);
    assert.equal(refused.headers["x-patched"], "yes");
  });

scenario("differs: a POST that is cut off, and a listener for that", async (stage) => {
  const told = [];
  stage.httpServer.on("clientError", (error, socket) => {
    told.push(error.code);
    socket.end("refused");
  });
  const { session } = await pollingPair(stage);
  const post = (length) =>
    `POST ${session.url} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n3`;
  const client = net.connect(stage.port, "127.0.0.1").setEncoding("latin1");
  stage.defer(() => client.destroy());
  client.write(post(1));
  assert.match((await until(client, "data"))[0], /^HTTP\/1.1 200 OK\r\n/);
  await turns(2); // its connection is a worker's, if that has not accepted it
  client.end(post(2));
  const [answer] = await until(client, "data");
  assert.match(answer, stage.either(/^refused$/, /^HTTP\/1.1 400 Bad Request\r\n/));
  assert.deepEqual(told, stage.either(["HPE_INVALID_EOF_STATE"], []));
});
