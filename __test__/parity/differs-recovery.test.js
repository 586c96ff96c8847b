"use strict";

/** What is on purpose not as upstream when a session is recovered: what each of the two does. The README says why. */

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
  const second = await connect(stage, auth);
  assert.equal(first.sid, sid);
  assert.equal(second.sid === sid, stage.either(true, false));
  assert.equal(stage.io.of("/").sockets.size, stage.either(1, 2));
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
