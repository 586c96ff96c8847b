"use strict";

/** The upgrade from long-polling to WebSocket as bytes: probe, noop, upgrade, and all that can go wrong. */

const assert = require("node:assert/strict");
const net = require("node:net");
const { promisify } = require("node:util");
const { eventually, turns, until } = require("../support/waiting");
const { scenario } = require("./harness");
const { WEBSOCKET, pollingPair, refusals } = require("./raw-pairs");

scenario("upgrade: probe, noop, upgrade, the rest over WebSocket", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  socket.conn.on("upgrading", () => stage.trace("server", "upgrading"));
  socket.conn.on("upgrade", () => stage.trace("server", "upgrade"));
  const parked = session.startGet();
  await eventually(() => socket.conn.transport.writable, "a parked GET");
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  assert.equal(raw.status, 101);
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  const { status, body } = await parked.response;
  assert.deepEqual([status, body], [200, "6"]);
  socket.emit("while", "upgrading");
  raw.text("5");
  assert.equal(await raw.next(), '42["while","upgrading"]');
  socket.on("x", (reply) => reply("over websocket"));
  raw.text('421["x"]');
  assert.equal(await raw.next(), '431["over websocket"]');
  assert.equal(socket.conn.transport.name, "websocket");
});

scenario("upgrade: behind a request of its connection that is not answered", async (stage) => {
  const count = promisify(stage.httpServer.getConnections.bind(stage.httpServer));
  for (const [method, rest] of [
    ["GET", ""],
    ["POST", 'Content-Length: 7\r\n\r\n42["a"]'],
  ]) {
    const { session, socket } = await pollingPair(stage);
    const before = await count();
    const target = `/socket.io/?EIO=4&sid=${session.sid}&transport=`;
    const head = `${method} ${target}polling HTTP/1.1\r\nHost: a\r\n`;
    const upgrade = [
      `GET ${target}websocket HTTP/1.1`,
      "Host: a",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
    ];
    const connection = net.connect(stage.port, "127.0.0.1");
    let text = "";
    connection.setEncoding("latin1").on("data", (chunk) => (text += chunk));
    connection.on("error", () => {});
    connection.write(`${head}${rest || "\r\n"}${upgrade.join("\r\n")}\r\n\r\n`);
    await eventually(() => text.includes(" 101 "), "the upgrade");
    if (method === "GET") socket.emit("b");
    await eventually(() => text.includes(" 200 "), "the answer"); // though nobody could read it
    assert.match(text, method === "GET" ? /42\["b"\]/ : /\r\n\r\nok/);
    connection.destroy();
    // it is counted once: a server that counts wrongly never closes
    while ((await count()) !== before) await turns();
    socket.disconnect(true);
  }
});

scenario("upgrade: a GET parked when the upgrade packet arrives is answered", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  await raw.next();
  const parked = session.startGet();
  await eventually(() => socket.conn.transport.writable, "a parked GET");
  const upgraded = until(socket.conn, "upgrade");
  raw.text("5");
  await upgraded;
  const { status, body } = await parked.response;
  assert.equal(status, 200);
  assert.ok(["6", "1"].includes(body), body);
});

scenario("upgrade: POSTs in flight are not lost", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const event = until(socket, "x");
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  await raw.next();
  const { status } = await session.post('42["x","between"]');
  assert.equal(status, 200);
  assert.deepEqual(await event, ["between"]);
  raw.text("5");
  socket.on("y", (reply) => reply());
  raw.text('421["y"]');
  assert.equal(await raw.next(), "431[]");
});

scenario("upgrade: a second probe is refused, the first goes on", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const first = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  first.text("2probe");
  assert.equal(await first.next(), "3probe");
  const second = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  stage.trace("second", second.status, await second.rest());
  first.text("5");
  await eventually(() => socket.conn.transport.name === "websocket", "the upgrade");
  const third = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  stage.trace("third", third.status, await third.rest());
  assert.equal(socket.connected, true);
});

scenario("upgrade: a probe that says something else", async (stage) => {
  for (const packet of ["5x", "2", "2other", "40", "9", "1", "6"]) {
    const { session, socket } = await pollingPair(stage);
    const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
    raw.text(packet);
    if (packet === "5x") {
      await eventually(() => socket.conn.transport.name === "websocket", "the upgrade");
      stage.trace("outcome", packet, "upgraded");
      continue;
    }
    stage.trace("outcome", packet, await raw.rest());
    assert.equal(socket.connected, true);
    assert.equal(socket.conn.transport.name, "polling");
    const again = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
    again.text("2probe");
    assert.equal(await again.next(), "3probe", "another probe may try");
  }
});

scenario(
  "upgrade: upgradeTimeout, with and without a probe",
  { options: { upgradeTimeout: 1_000 } }, // a slow machine has to bring its probe within that
  async (stage) => {
    for (const probe of [true, false]) {
      const { session, socket } = await pollingPair(stage);
      const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
      if (probe) raw.text("2probe");
      const wire = await raw.rest();
      stage.trace("wire", probe, wire);
      assert.equal(socket.connected, true);
      socket.emit("still", "polling");
      assert.equal(await nextOf(session), '42["still","polling"]');
    }
  },
);

/** The next packet that is not a noop. */
async function nextOf(session) {
  for (;;) {
    const packet = await session.next();
    if (packet !== "6") return packet;
  }
}

scenario("upgrade: a probe that dies leaves polling alone", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  const upgrading = until(socket.conn, "upgrading");
  raw.text("2probe");
  await upgrading;
  assert.equal(socket.conn.upgrading, true);
  raw.destroy();
  await eventually(() => !socket.conn.upgrading, "the end of the probe");
  socket.emit("still", "polling");
  assert.equal(await nextOf(session), '42["still","polling"]');
  assert.equal(socket.connected, true);
});

scenario("upgrade: the session closes while it upgrades", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  await raw.next();
  const closed = until(socket.conn, "close");
  const parked = session.get();
  await session.post("1");
  assert.equal((await closed)[0], "transport close");
  await parked;
  stage.trace("wire", await raw.rest());
});

scenario("upgrade: not allowed", { options: { allowUpgrades: false } }, async (stage) => {
  const { session, socket } = await pollingPair(stage);
  assert.deepEqual(session.handshake.upgrades, []);
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  raw.text("2probe");
  stage.trace("wire", raw.status, await raw.next());
  assert.equal(socket.connected, true);
});

scenario("upgrade: with another protocol version", async (stage) => {
  const seen = refusals(stage.io);
  const { session, socket } = await pollingPair(stage);
  for (const query of [
    `EIO=3&transport=websocket&sid=${session.sid}`,
    `transport=websocket&sid=${session.sid}`,
  ]) {
    const raw = await stage.webSocket(`/socket.io/?${query}`);
    await raw.gone();
    stage.trace("wire", raw.status, raw.body);
    assert.equal(raw.status, 400);
  }
  assert.deepEqual(
    seen.map(({ context }) => context.name),
    ["PROTOCOL_MISMATCH", "PROTOCOL_MISMATCH"],
  );
  assert.equal(socket.connected, true);
});

scenario(
  "upgrade: heartbeats go on over the new wire",
  { options: { pingInterval: 40, pingTimeout: 60_000 } },
  async (stage) => {
    const { session, socket } = await pollingPair(stage);
    const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`, { autoPong: false });
    raw.text("2probe");
    assert.equal(await raw.next(), "3probe");
    raw.text("5");
    await eventually(() => socket.conn.transport.name === "websocket", "the upgrade");
    for (let i = 0; i < 3; i++) {
      assert.equal(await raw.next(), "2");
      raw.text("3");
    }
    assert.equal(socket.connected, true);
  },
);

scenario("upgrade: what comes right behind the upgrade packet comes after it", async (stage) => {
  const { session, socket } = await pollingPair(stage);
  const { conn } = socket;
  const seen = [];
  conn.on("packet", ({ type, data }) => seen.push(["packet", type, data, conn.transport.name]));
  conn.on("data", (data) => seen.push(["data", data]));
  conn.on("upgrading", ({ name }) => seen.push(["upgrading", name]));
  conn.on("upgrade", ({ name }) => seen.push(["upgrade", name]));
  socket.on("x", (n) => seen.push(["x", n, conn.transport.name]));
  const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
  await session.post('42["x",1]');
  raw.text("2probe");
  assert.equal(await raw.next(), "3probe");
  const handled = until(socket, "x");
  raw.socket.cork();
  raw.text("5");
  raw.text('42["x",2]');
  raw.socket.uncork();
  await handled;
  stage.trace("seen", seen);
});

scenario(
  "upgrade: a session that ends closes the WebSocket that probes",
  { trace: false },
  async (stage) => {
    for (const word of ["5", "2probe", "4x"]) {
      const { session, socket } = await pollingPair(stage);
      const raw = await stage.webSocket(`${WEBSOCKET}&sid=${session.sid}`);
      raw.text("2probe");
      assert.equal(await raw.next(), "3probe");
      const parked = session.startGet();
      socket.conn.close(true);
      const { status, body } = await parked.response;
      if (status === 200) assert.ok(["1", "6"].includes(body), body);
      raw.text(word); // at the latest when its client says something
      assert.deepEqual(await raw.next(), { close: null });
    }
  },
);
