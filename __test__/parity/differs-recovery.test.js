"use strict";

/** What is on purpose not as upstream when a session is recovered: what each of the two does. docs/differences.md says why. */

const assert = require("node:assert/strict");
const { until } = require("../support/waiting");
const { scenario } = require("./harness");

const ON = { options: { connectionStateRecovery: {} } };

/** A client that joins "/", with what it needs to come back: `{ raw, packets }`, the answer to CONNECT last. */
async function connect({ webSocket }, auth = {}) {
  const raw = await webSocket();
  await raw.next();
  raw.text(`40${JSON.stringify(auth)}`);
  const packets = [];
  do packets.push(await raw.next());
  while (!packets.at(-1).startsWith("40"));
  return { raw, packets, ...JSON.parse(packets.at(-1).slice(2)) };
}

/** A client that has got one event and is gone again: `{ sid, auth }`. */
async function lost(stage, ...args) {
  const connection = until(stage.io, "connection");
  const { raw, sid, pid } = await connect(stage);
  const [socket] = await connection;
  socket.emit("first", ...args);
  const offset = JSON.parse((await raw.next()).slice(2)).at(-1);
  const gone = until(socket, "disconnect");
  raw.destroy();
  await gone;
  return { sid, auth: { pid, offset } };
}

const LARGE = "x".repeat(6000);
const ROOM_FOR_ONE = { options: { connectionStateRecovery: { maxStoredBytes: 10_000 } } };

scenario(
  "differs: the last event that a client got is stored no more",
  ROOM_FOR_ONE,
  async (stage) => {
    const { sid, auth } = await lost(stage, LARGE);
    const { adapter } = stage.io.of("/");
    if (adapter.packets) adapter.packets.length = 0; // as if it were too old: upstream has no bound
    stage.io.emit("missed", LARGE);
    const { sid: again, packets } = await connect(stage, auth);
    assert.equal(again === sid, stage.either(false, true));
    assert.equal(packets.length, stage.either(1, 2));
  },
);

scenario("differs: a session that is recovered twice", ON, async (stage) => {
  const { sid, auth } = await lost(stage);
  const first = await connect(stage, auth);
  assert.equal(first.sid, sid);
  const second = await connect(stage, auth);
  assert.equal(second.sid, sid);
  assert.equal(stage.io.of("/").sockets.size, 1);
  // upstream the first stays connected, and nothing reaches it
  stage.io.emit("event");
  assert.match(await second.raw.next(), /^42\["event"/);
  if (stage.either(false, true)) assert.deepEqual(await first.raw.next(), { close: null });
});

scenario("differs: a client that is back before its end was noticed", ON, async (stage) => {
  const connection = until(stage.io, "connection");
  const first = await connect(stage);
  const [socket] = await connection;
  socket.data.name = "Ada";
  socket.join("room");
  socket.emit("first");
  const offset = JSON.parse((await first.raw.next()).slice(2)).at(-1);
  first.raw.pause?.();
  socket.emit("lost on the way");
  const reasons = [];
  socket.on("disconnect", (reason) => reasons.push(reason));
  const again = until(stage.io, "connection");
  const second = await connect(stage, { pid: first.pid, offset });
  const [comeBack] = await again;
  assert.equal(second.sid === first.sid, stage.either(false, true));
  assert.deepEqual(reasons, stage.either([], ["transport close"]));
  assert.equal(comeBack.recovered, stage.either(false, true));
  assert.equal(comeBack.rooms.has("room"), stage.either(false, true));
  assert.equal(comeBack.data.name, stage.either(undefined, "Ada"));
  const missed = second.packets.filter((packet) => packet.startsWith("42"));
  assert.deepEqual(
    missed.map((packet) => JSON.parse(packet.slice(2))[0]),
    stage.either([], ["lost on the way"]),
  );
  assert.equal(stage.io.of("/").sockets.size, stage.either(2, 1));
});

scenario("differs: a client that is lost before its first event", ON, async (stage) => {
  const connection = until(stage.io, "connection");
  const { raw, sid, pid } = await connect(stage);
  const [socket] = await connection;
  const gone = until(socket, "disconnect");
  raw.destroy();
  await gone;
  stage.io.emit("missed");
  const { sid: again, packets } = await connect(stage, { pid });
  assert.equal(again === sid, stage.either(false, true));
  assert.equal(packets.length, stage.either(1, 2));
});

scenario("differs: a volatile event that ends with a text", ON, async (stage) => {
  const connection = until(stage.io, "connection");
  const { raw, sid, pid } = await connect(stage);
  const [socket] = await connection;
  let offset;
  const got = async () => (offset = JSON.parse((await raw.next()).slice(2)).at(-1));
  for (let i = 0; i < 3; i++) {
    socket.emit("stored", i);
    await got();
    stage.io.volatile.emit("typing", "Ada");
    await got();
  }
  assert.equal(offset, "Ada");
  const gone = until(socket, "disconnect");
  raw.destroy();
  await gone;
  stage.io.volatile.emit("typing", "Ada"); // while it is away
  stage.io.emit("missed");
  const { sid: again, packets } = await connect(stage, { pid, offset });
  assert.equal(again === sid, stage.either(false, true));
  assert.deepEqual(
    packets.slice(0, -1).map((packet) => JSON.parse(packet.slice(2))[0]),
    stage.either([], ["missed"]),
  );
});

scenario("differs: a volatile event for others that ends with the same text", ON, async (stage) => {
  const connection = until(stage.io, "connection");
  const { raw, sid, pid } = await connect(stage);
  const [socket] = await connection;
  socket.join("room");
  socket.emit("first");
  await raw.next();
  stage.io.to("room").volatile.emit("typing", "Ada");
  await raw.next();
  raw.socket.pause(); // it reads no more
  stage.io.to("room").emit("lost on the way");
  stage.io.to("another room").volatile.emit("typing", "Ada");
  const gone = until(socket, "disconnect");
  raw.destroy();
  await gone;
  const { sid: again, packets } = await connect(stage, { pid, offset: "Ada" });
  assert.equal(again === sid, stage.either(false, true));
  assert.deepEqual(
    packets.slice(0, -1).map((packet) => JSON.parse(packet.slice(2))[0]),
    stage.either([], ["lost on the way"]),
  );
});

scenario(
  "differs: middlewares are asked again, and refuse",
  { options: { connectionStateRecovery: { skipMiddlewares: false } } },
  async (stage) => {
    const { auth } = await lost(stage);
    stage.io.emit("missed");
    stage.io.use((_socket, next) => next(new Error("no")));
    const raw = await stage.webSocket();
    await raw.next();
    raw.text(`40${JSON.stringify(auth)}`);
    assert.match(await raw.next(), stage.either(/^42\["missed"/, /^44/));
  },
);

scenario("differs: a client that was thrown out after it had come back", ON, async (stage) => {
  const { auth, sid } = await lost(stage);
  const again = until(stage.io, "connection");
  await connect(stage, auth);
  const [socket] = await again;
  assert.equal(socket.recovered, true);
  socket.disconnect(true);
  const { sid: last } = await connect(stage, auth);
  assert.equal(last === sid, stage.either(true, false));
});

scenario("differs: arguments that change after emit()", ON, async (stage) => {
  const { auth } = await lost(stage);
  const argument = { value: "as sent" };
  stage.io.emit("missed", argument);
  argument.value = "changed";
  const { packets } = await connect(stage, auth);
  const [, { value }] = JSON.parse(packets[0].slice(2));
  assert.equal(value, stage.either("changed", "as sent"));
});
