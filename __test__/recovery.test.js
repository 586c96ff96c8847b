"use strict";

// What connection state recovery keeps, and what it lets go: the bounds are ours.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { Server } = require("..");
const { PacketLog } = require("../lib/recovery");

const stored = (/** @type {number} */ size, emittedAt = 0) => ({
  encoded: String(size),
  rooms: new Set(),
  except: new Set(),
  emittedAt,
  size,
});

const numbersOf = (/** @type {PacketLog} */ log) =>
  [...log.from(log.first)].map(({ size }) => size);

/** An adapter without any client. */
function makeAdapter(options = {}) {
  const io = new Server({ connectionStateRecovery: options });
  return /** @type {any} */ (io.of("/").adapter);
}

/** @returns {string} the offset of what was broadcast */
function broadcast(/** @type {any} */ adapter, /** @type {any[]} */ ...data) {
  adapter.broadcast({ type: 2, data }, { rooms: new Set(), except: new Set(), flags: {} });
  return data.at(-1);
}

const session = (/** @type {string} */ pid, rooms = ["room"]) => ({
  sid: `sid of ${pid}`,
  pid,
  rooms,
  data: {},
});

describe("the packet log", () => {
  it("keeps what fits, and drops the oldest first", () => {
    const log = new PacketLog(10);
    for (const size of [4, 5, 1, 2]) log.push(stored(size));
    assert.deepEqual([log.first, log.next, log.bytes], [1, 4, 8]);
    assert.deepEqual(numbersOf(log), [5, 1, 2]);
    assert.deepEqual(
      [...log.from(3)].map(({ size }) => size),
      [2],
    );
  });

  it("drops even a packet that is too large by itself, and goes on counting", () => {
    const log = new PacketLog(10);
    log.push(stored(11));
    assert.deepEqual([log.first, log.next, log.bytes], [1, 1, 0]);
    log.push(stored(10));
    assert.deepEqual([log.first, log.next, log.bytes], [1, 2, 10]);
  });

  it("expires what is too old", () => {
    const log = new PacketLog(100);
    for (let time = 0; time < 10; time++) log.push(stored(time, time));
    log.expire(7);
    assert.deepEqual(numbersOf(log), [7, 8, 9]);
    assert.equal(log.first, 7);
    log.expire(Number.POSITIVE_INFINITY);
    assert.deepEqual([log.first, log.next, log.bytes], [10, 10, 0]);
  });

  it("holds no more slots than twice what it keeps", () => {
    const log = new PacketLog(100);
    for (let i = 0; i < 10_000; i++) log.push(stored(1));
    assert.equal(log.next - log.first, 100);
    assert.ok(log.slots.length <= 200, String(log.slots.length));
  });
});

describe("the recovery adapter", () => {
  it("gives the missed packets as they were when they were emitted", async () => {
    const adapter = makeAdapter();
    const offset = broadcast(adapter, "seen");
    adapter.persistSession(session("p"));
    const argument = { value: 1, bytes: Buffer.from([7]) };
    broadcast(adapter, "missed", argument);
    argument.value = 2;
    const restored = await adapter.restoreSession("p", offset);
    assert.equal(restored.sid, "sid of p");
    assert.equal(restored.missedPackets.length, 1);
    const { 0: name, 1: value } = restored.missedPackets[0];
    assert.deepEqual([name, value], ["missed", { value: 1, bytes: Buffer.from([7]) }]);
    adapter.close();
  });

  it("recovers nobody of whose packets one is gone", async () => {
    const adapter = makeAdapter({ maxStoredBytes: 1000 });
    const offset = broadcast(adapter, "seen");
    adapter.persistSession(session("p", []));
    broadcast(adapter, "x".repeat(500));
    assert.notEqual(await adapter.restoreSession("p", offset), null, "only the seen one is gone");
    broadcast(adapter, "x".repeat(500));
    assert.equal(adapter.restoreSession("p", offset), null);
    adapter.close();
  });

  it("recovers nobody whose id is in use", async () => {
    const adapter = makeAdapter();
    const offset = broadcast(adapter, "seen");
    adapter.persistSession(session("p"));
    adapter.nsp.sockets.set("sid of p", /** @type {any} */ ({}));
    assert.equal(adapter.restoreSession("p", offset), null);
    adapter.close();
  });

  it("takes no other string for an offset", () => {
    const adapter = makeAdapter();
    const offset = broadcast(adapter, "seen");
    adapter.persistSession(session("p"));
    for (const wrong of [
      "0",
      `${offset} `,
      `${offset}x`,
      offset.replace(/0$/, "-1"),
      `${offset}.0`,
    ])
      assert.equal(adapter.restoreSession("p", wrong), null, wrong);
    adapter.close();
  });

  it("bounds the sessions too, and forgets the oldest first", () => {
    const adapter = makeAdapter({ maxStoredBytes: 10_000 });
    for (let i = 0; i < 1000; i++) adapter.persistSession(session(String(i)));
    assert.ok(adapter.sessions.size < 20, String(adapter.sessions.size));
    assert.ok(adapter.sessions.has("999"));
    assert.ok(!adapter.sessions.has("0"));
    adapter.close();
  });

  it("gives everything back when it has expired", () => {
    const adapter = makeAdapter({ maxDisconnectionDuration: -1 });
    broadcast(adapter, "old");
    adapter.persistSession(session("p"));
    adapter.sweep();
    assert.equal(adapter.sessions.size, 0);
    assert.equal(broadcast(adapter, "next").endsWith(".1"), true, "numbers are not used again");
    adapter.close();
  });

  it("refuses a bound that is none", () => {
    assert.throws(() => makeAdapter({ maxStoredBytes: "many" }), {
      code: "SIO_ERR_INVALID_OPTION",
    });
  });
});
