"use strict";

/** What is on purpose not as upstream on the wire: what each of the two does. docs/differences.md says why. */

const assert = require("node:assert/strict");
const { createServer } = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { promisify } = require("node:util");
const { io: connect } = require("socket.io-client");
const { ours } = require("../support/implementations");
const { OPCODE, frame } = require("../support/raw-websocket");
const { gather, turns, until, within } = require("../support/waiting");
const { scenario } = require("./harness");
const { WEBSOCKET, pollingPair, webSocketPair } = require("./raw-pairs");

const V3 = { options: { allowEIO3: true } };
const V3_POLLING = "/socket.io/?EIO=3&transport=polling";

/** Whether a socket sees the event "a", and then why it is gone. */
function seen(socket) {
  const all = [];
  socket.on("a", () => all.push("a"));
  return until(socket, "disconnect").then(([reason]) => [...all, reason]);
}

scenario("differs: events that came in one chunk with the end of the connection", async (stage) => {
  const byWebSocket = {
    41: "client namespace disconnect",
    9: "parse error",
    "42{": "forced close",
  };
  for (const [last, reason] of Object.entries(byWebSocket)) {
    const { raw, socket } = await webSocketPair(stage);
    const all = seen(socket);
    const frames = ['42["a"]', last].map((text) => frame(OPCODE.text, text));
    raw.socket.write(Buffer.concat(frames));
    assert.deepEqual(await all, stage.either([reason], ["a", reason]), last);
  }
  const byPolling = {
    1: ["transport close", "transport close"],
    "41\x1e1": ["transport close", "client namespace disconnect"],
    41: ["client namespace disconnect", "client namespace disconnect"],
    9: ["parse error", "parse error"],
  };
  for (const [last, [upstream, here]] of Object.entries(byPolling)) {
    const { session, socket } = await pollingPair(stage);
    const all = seen(socket);
    const parked = session.get();
    await session.post(`42["a"]\x1e${last}`);
    assert.deepEqual(await all, stage.either([upstream], ["a", here]), last);
    socket.conn.close();
    await parked;
  }
});

scenario("differs: what a handler adds, and the packets that came in one chunk", async (stage) => {
  const frames = Buffer.concat(
    ['42["a"]', '42["b"]', '42["c"]'].map((text) => frame(OPCODE.text, text)),
  );
  const additions = {
    use: (socket, seen) =>
      socket.use(([name], next) => next(seen.push(`use ${name}`) && undefined)),
    onAny: (socket, seen) => socket.onAny((name) => seen.push(`any ${name}`)),
  };
  const here = {
    use: ["a", "use b", "use c", "b", "c"],
    onAny: ["a", "any b", "b", "any c", "c"],
  };
  for (const [name, add] of Object.entries(additions)) {
    const { raw, socket } = await webSocketPair(stage);
    const all = [];
    socket.on("a", () => {
      all.push("a");
      add(socket, all);
    });
    socket.on("b", () => all.push("b"));
    const last = until(socket, "c");
    socket.on("c", () => all.push("c"));
    raw.socket.write(frames);
    await last;
    assert.deepEqual(all, stage.either(["a", "b", "c"], here[name]), name);
  }
  // and what is there already
  const { raw, socket } = await webSocketPair(stage);
  const all = [];
  socket.onAny((name) => all.push(`any ${name}`));
  for (const name of ["a", "b", "c"]) socket.on(name, () => all.push(name));
  const last = until(socket, "c");
  raw.socket.write(frames);
  await last;
  const upstream = ["any a", "any b", "any c", "a", "b", "c"];
  assert.deepEqual(all, stage.either(upstream, ["any a", "a", "any b", "b", "any c", "c"]));
});

scenario("differs: a connection by which nothing comes", async (stage) => {
  const { httpServer, port } = stage;
  const count = promisify(httpServer.getConnections.bind(httpServer));
  const known = stage.either(2, process.platform === "linux" ? 1 : 2);
  // The kernel keeps it for a second, about. On a machine that stood still for so long, it is seen another time.
  for (;;) {
    const silent = net.connect(port, "127.0.0.1");
    await until(silent, "connect");
    const raw = await stage.webSocket(); // came behind it, and has been answered
    const isKept = (await count()) === known;
    while (isKept && (await count()) < 2) await turns(); // and in the end it is accepted
    silent.destroy();
    raw.destroy();
    if (isKept) break;
  }
});

scenario(
  "differs: a client that owes a pong when it has upgraded",
  { options: { pingInterval: 50, pingTimeout: 1_500 } },
  async (stage) => {
    const { session, socket } = await pollingPair(stage);
    while ((await session.next()) !== "2");
    const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`, { autoPong: false });
    raw.text("2probe");
    assert.equal(await raw.next(), "3probe");
    const upgraded = until(socket.conn, "upgrade");
    raw.text("5");
    await upgraded;
    // Whoever comes now and owes one, too, is timed out on both sides, and later.
    const later = await webSocketPair(stage, { autoPong: false });
    const [reason] = await until(later.socket, "disconnect");
    assert.equal(reason, "ping timeout");
    assert.equal(socket.connected, stage.either(true, false));
  },
);

scenario("differs: protocol 3, bytes in an answer of JSONP", V3, async (stage) => {
  const connection = until(stage.io, "connection");
  const url = `${V3_POLLING}&j=0`;
  const { body: opening } = await stage.http("GET", url);
  const [, sid] = /sid\\":\\"([\w-]{20})/.exec(opening);
  const [socket] = await connection;
  await stage.http("GET", `${url}&sid=${sid}`);
  socket.emit("b", Buffer.from([1, 2]));
  const { body } = await stage.http("GET", `${url}&sid=${sid}`);
  const [, script] = /^___eio\[0\]\((.*)\);$/s.exec(body);
  const payload = JSON.parse(script);
  assert.equal(typeof payload, stage.either("object", "string"));
  const text = '51-["b",{"_placeholder":true,"num":0}]';
  if (typeof payload === "string") assert.equal(payload, `${text.length + 1}:4${text}6:b4AQI=`);
  else assert.equal(payload.type, "Buffer");
});

scenario("differs: protocol 3, a binary packet that is not whole", V3, async (stage) => {
  /** A socket and what posts to it. */
  const joined = async () => {
    const connection = until(stage.io, "connection");
    const { body } = await stage.http("GET", V3_POLLING);
    const [, sid] = /"sid":"([\w-]{20})"/.exec(body);
    const [socket] = await connection;
    const headers = { "content-type": "application/octet-stream" };
    const post = (...bytes) =>
      stage.http("POST", `${V3_POLLING}&sid=${sid}`, { headers, body: Buffer.from(bytes) });
    return { socket, post };
  };
  const event = Buffer.from('42["a"]');

  const untyped = await joined();
  const outcome = seen(untyped.socket);
  await untyped.post(1, 0, 255, 0, 1, 255, 0x36); // a binary packet of nothing, and a noop
  if (stage.either("goes on", "ends") === "ends") {
    assert.deepEqual(await outcome, ["parse error"]);
  } else {
    assert.equal(untyped.socket.connected, true);
    untyped.socket.disconnect(true);
  }
  outcome.catch(() => {});

  const cut = await joined();
  const all = seen(cut.socket);
  await cut.post(0, event.length, 255, ...event, 0, 9, 255, ...event); // the second lacks two bytes
  if (stage.either(true, false)) cut.socket.disconnect(true);
  assert.deepEqual((await all).at(-1), stage.either("server namespace disconnect", "parse error"));
});

scenario("differs: a WebSocket of a protocol that is not allowed", async (stage) => {
  const raw = await stage.webSocket("/socket.io/?EIO=3&transport=websocket");
  assert.equal(raw.status, stage.either(101, 400));
  await raw.gone();
});

scenario(
  "differs: a packet that waits for its attachments",
  { options: { pingInterval: 5_500 } },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage, { autoPong: false });
    const other = await webSocketPair(stage);
    const gone = until(socket, "disconnect");
    raw.text('451-["a",{"_placeholder":true,"num":0}]');
    const frames = other.raw.rest(); // it answers pings
    // which takes eleven seconds
    await gather(other.socket.conn, "heartbeat", 2);
    assert.equal(socket.connected, stage.either(true, false));
    raw.binary(Buffer.from("late"));
    if (socket.connected) {
      await until(socket, "a");
      raw.destroy();
    }
    assert.deepEqual(
      await gone.then(([reason]) => reason),
      stage.either("transport close", "forced close"),
    );
    other.socket.disconnect(true);
    await frames;
  },
);

scenario("differs: bytes in a packet of protocol 3 that is not a message", V3, async (stage) => {
  const connection = until(stage.io.engine, "connection");
  const raw = await stage.webSocket("/socket.io/?EIO=3&transport=websocket", { autoPong: false });
  const [conn] = await connection;
  await raw.next(); // the handshake
  await raw.next(); // CONNECT
  conn.sendPacket("ping", Buffer.from([255]));
  const packet = await raw.next();
  assert.deepEqual(packet, stage.either(Buffer.from([2, 255]), "b2/w=="));
});

scenario("differs: a placeholder whose number is not whole", V3, async (stage) => {
  const open = {
    "protocol 4": () => webSocketPair(stage),
    "protocol 3": async () => {
      const connection = until(stage.io, "connection");
      const raw = await stage.webSocket("/socket.io/?EIO=3&transport=websocket");
      const [socket] = await connection;
      return { raw, socket, prefix: [4] };
    },
    // what a foreign engine gives to the client
    "by hand": async () => {
      const { socket } = await webSocketPair(stage);
      const by = (what) => socket.client.ondata(what);
      return { raw: { text: (text) => by(text.slice(1)), binary: by }, socket };
    },
  };
  for (const [how, pair] of Object.entries(open)) {
    for (const num of ["0.5", "1e-7"]) {
      const { raw, socket, prefix = [] } = await pair();
      const outcome = until(socket, stage.either("a", "disconnect"));
      raw.text(`451-["a",{"_placeholder":true,"num":${num}}]`);
      raw.binary(Buffer.from([...prefix, 98]));
      assert.equal((await outcome)[0], stage.either(undefined, "forced close"), how);
    }
  }
});

scenario("differs: many WebSocket pings in one chunk, of a client that reads", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  let reason;
  socket.on("disconnect", (why) => (reason = why));
  raw.socket.write(Buffer.concat(Array(200).fill(frame(OPCODE.ping, "p"))));
  let pongs = 0;
  while (pongs < 200 && (await raw.nextFrame())?.opcode === OPCODE.pong) pongs++;
  if (stage.either(true, false) && reason === undefined) await until(socket, "disconnect");
  assert.deepEqual([pongs, reason], stage.either([60, "transport close"], [200, undefined]));
});

scenario("differs: a close packet over a WebSocket", V3, async (stage) => {
  for (const eio of [4, 3]) {
    const connection = until(stage.io, "connection");
    const raw = await stage.webSocket(`/socket.io/?EIO=${eio}&transport=websocket`);
    await raw.next();
    if (eio === 4) await raw.join();
    else await raw.next();
    const [socket] = await connection;
    const all = seen(socket);
    raw.socket.write(
      Buffer.concat(['42["a"]', "1", '42["a"]'].map((text) => frame(OPCODE.text, text))),
    );
    if (stage.either(true, false)) {
      await gather(socket, "a", 2);
      assert.equal(socket.connected, true);
      raw.destroy();
    } else {
      assert.deepEqual(await raw.next(), { close: null });
    }
    assert.deepEqual(
      await all,
      stage.either(["a", "a", "transport close"], ["a", "transport close"]),
    );
    raw.destroy();
  }
});

scenario("differs: a session that ends while its client changes the transport", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  const closed = until(socket.conn, "close");
  socket.conn.close(true);
  await closed;
  if (stage.either(true, false)) {
    assert.deepEqual(await raw.next(), { close: null });
    return;
  }
  await webSocketPair(stage); // whatever the worker had to say has been said
  assert.deepEqual(raw.frames, []);
  raw.text("5");
  assert.deepEqual(await raw.next(), { close: null });
});

// Upstream leaves some of these clients without a transport, until they have missed a ping: it closes the WebSocket while
// they wait for the end of their poll.
test("differs: no client stays without a transport when its session ends in an upgrade", async (t) => {
  const closes = {
    session: (socket) => socket.conn.close(true),
    "session, in order": (socket) => socket.conn.close(),
    socket: (socket) => socket.disconnect(true),
    engine: (_socket, io) => io.engine.close(),
  };
  for (const [name, close] of Object.entries(closes)) {
    for (let round = 0; round < 5; round++) {
      // one of its own: an engine that was closed refuses WebSockets, so the next client would not change its transport
      const httpServer = createServer();
      const io = new (ours.load().Server)(httpServer);
      t.after(() => io.close());
      httpServer.listen(0, "127.0.0.1");
      await until(httpServer, "listening");
      const connection = until(io, "connection");
      const client = connect(`http://127.0.0.1:${httpServer.address().port}`, {
        forceNew: true,
        reconnection: false,
      });
      t.after(() => client.disconnect());
      const closed = within(
        new Promise((resolve) => client.io.once("close", resolve)),
        `the end of a client: ${name}`,
      );
      let socket = undefined;
      let upgrading = false;
      const meet = () => {
        if (!socket || !upgrading) return;
        // the answer to its poll and the end of its WebSocket are on their way at the same time
        socket.emit("x");
        close(socket, io);
      };
      client.io.engine.once("upgrading", () => {
        upgrading = true;
        meet();
      });
      [socket] = await connection;
      meet();
      await closed;
    }
  }
});
