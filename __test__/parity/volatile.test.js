"use strict";

/**
 * Volatile events: a client that reads gets them all, whoever else sends in the same moment, and one that does not read
 * loses them. Each scenario runs where upstream loses nothing either; where it does, see differs-volatile.
 */

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { everything, relay } = require("../support/board");
const { eventually, turns, until } = require("../support/waiting");
const { scenario } = require("./harness");
const { WEBSOCKET, park, pollingPair, webSocketPair } = require("./raw-pairs");

/** Events that are sent in all, about. */
const EVENTS = 600;
const CHUNK = "x".repeat(64 << 10);
/** More of them than the kernel holds for a connection. */
const STEPS = 400;

/** So many clients that have joined. */
async function pairs(stage, count, join = webSocketPair) {
  const all = [];
  for (let n = 0; n < count; n++) all.push(await join(stage));
  return all;
}

/** A client of protocol 3. */
async function oldPair(stage) {
  const connection = until(stage.io, "connection");
  const raw = await stage.webSocket("/socket.io/?EIO=3&transport=websocket");
  await raw.next();
  await raw.next(); // it is in "/"
  const [socket] = await connection;
  return { raw, socket };
}

const WAYS = {
  "socket.volatile.emit": (reader, args) => reader.volatile.emit("v", ...args),
  "io.volatile.to(id).emit": (reader, args) => reader.nsp.volatile.to(reader.id).emit("v", ...args),
};

for (const [way, send] of Object.entries(WAYS)) {
  for (const count of [3, 30, 300]) {
    const name = `volatile: ${count} senders to one reader at the same moment, ${way}`;
    scenario(name, { trace: false }, async (stage) => {
      const [reader] = await pairs(stage, 1);
      const senders = await pairs(stage, count);
      const rounds = Math.ceil(EVENTS / count);
      const pass = (_socket, ...args) => send(reader.socket, args);
      const got = await relay({ io: stage.io, senders, readers: [reader], rounds, pass });
      assert.deepEqual(got, [rounds * count]);
    });
  }
}

/** An adapter of a program, which sends to one client after the other. */
class Own extends Adapter {}

const BOARDS = {
  "io.volatile": { pass: (socket, ...args) => socket.nsp.volatile.emit("v", ...args), own: 1 },
  "socket.broadcast.volatile": {
    pass: (socket, ...args) => socket.broadcast.volatile.emit("v", ...args),
    own: 0,
  },
  "a room": {
    pass: (socket, ...args) => socket.to("board").volatile.emit("v", ...args),
    own: 0,
    room: "board",
  },
  "an adapter of the program": {
    options: { adapter: Own },
    pass: (socket, ...args) => socket.nsp.volatile.emit("v", ...args),
    own: 1,
  },
  "with recovery": {
    options: { connectionStateRecovery: {} },
    pass: (socket, ...args) => socket.nsp.volatile.emit("v", ...args),
    own: 1,
  },
  "protocol 3": {
    options: { allowEIO3: true },
    join: oldPair,
    pass: (socket, ...args) => socket.nsp.volatile.emit("v", ...args),
    own: 1,
  },
};

for (const [name, { options, pass, own, room, join }] of Object.entries(BOARDS)) {
  scenario(`volatile: a cursor board, ${name}`, { options, trace: false }, async (stage) => {
    const count = 30;
    const rounds = 5;
    const all = await pairs(stage, count, join);
    if (room) for (const { socket } of all) socket.join(room);
    const got = await relay({ io: stage.io, senders: all, readers: all, rounds, pass });
    assert.deepEqual(got, everything(count, rounds * (count - 1 + own)));
  });
}

scenario("volatile: a client that does not read loses them, and nothing else", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  raw.socket.pause();
  for (let n = 0; n < STEPS; n++) {
    socket.volatile.emit("v", CHUNK);
    if (n % 40 === 0) socket.emit("must", n);
    await turns(3);
  }
  socket.emit("must", "last");
  socket.emit("end");
  raw.socket.resume();
  const musts = [];
  let got = 0;
  for (let packet = ""; packet !== '42["end"]'; packet = await raw.next()) {
    if (packet.startsWith('42["v"')) got++;
    else if (packet.startsWith('42["must"')) musts.push(packet);
  }
  assert.ok(got > 0 && got < STEPS, `${got} of ${STEPS}`);
  stage.trace("others", musts);
  assert.equal(musts.length, STEPS / 40 + 1);
  // and once it has read all, it gets them again
  await eventually(() => socket.conn.transport.writable, "a writable transport");
  socket.volatile.emit("v", "again");
  assert.equal(await raw.next(), '42["v","again"]');
});

scenario("volatile: polling takes them while a poll waits, and only then", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.volatile.emit("v", "no poll");
  const parked = await park(session, socket);
  socket.volatile.emit("v", "a poll");
  assert.equal((await parked.response).body, '42["v","a poll"]');
  stage.io.volatile.emit("v", "answered");
  await turns(5);
  socket.emit("end");
  assert.equal(await session.next(), '42["end"]');
  socket.emit("waits");
  socket.volatile.emit("v", "behind what waits");
  assert.equal(await session.next(), '42["waits"]');
  stage.io.emit("end");
  assert.equal(await session.next(), '42["end"]');
});

scenario("volatile: before, while and after a transport is upgraded", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  socket.volatile.emit("v", "no poll");
  await turns(5);
  for (let body = "6"; body === "6";) {
    // a noop of the upgrade may take the poll before the event does
    const parked = session.startGet();
    let answered = false;
    parked.response.then(() => (answered = true));
    await eventually(() => answered || socket.conn.transport.writable, "a poll or its answer");
    if (!answered) socket.volatile.emit("v", "while it probes");
    ({ body } = await parked.response);
    if (body !== "6") assert.equal(body, '42["v","while it probes"]');
  }
  const upgraded = until(socket.conn, "upgrade");
  raw.text("5");
  await upgraded;
  await turns(2);
  socket.volatile.emit("v", "upgraded");
  assert.equal(await raw.next(), '42["v","upgraded"]');
  raw.destroy();
});

scenario("volatile: attachments stay with their packet", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  for (let n = 0; n < 3; n++) {
    socket.volatile.emit("b", Buffer.from([n]), Buffer.from([n, n]));
    assert.match(await raw.next(), /^452-\["b"/);
    assert.deepEqual(await raw.next(), Buffer.from([n]));
    assert.deepEqual(await raw.next(), Buffer.from([n, n]));
  }
});

scenario(
  "volatile: compressed ones arrive too",
  { modes: ["websocket"], options: { perMessageDeflate: { threshold: 0 } } },
  async (stage) => {
    const { client, socket } = await stage.pair();
    for (let n = 0; n < 20; n++) {
      const next = until(client, "v");
      await eventually(() => socket.conn.transport.writable, "a writable transport");
      socket.volatile.emit("v", n, "abc".repeat(200));
      assert.equal((await next)[0], n);
      await turns(2);
    }
  },
);

scenario("volatile: shown to those who watch what leaves", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const shown = [];
  socket.conn.on("packetCreate", ({ data }) => shown.push(data));
  for (let n = 0; n < 3; n++) {
    await eventually(() => socket.conn.transport.writable, "a writable transport");
    socket.volatile.emit("v", n);
    await raw.next();
    await turns(2);
  }
  stage.trace("shown", shown);
  assert.equal(shown.length, 3);
});
