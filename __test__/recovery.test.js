"use strict";

// What connection state recovery keeps, and what it lets go: the bounds are ours.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { Server } = require("..");
const { OffsetMarks } = require("../lib/api/offset-marks");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

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

  for (const [name, make] of Object.entries({
    text: () => [],
    "long text": () => ["é".repeat(5000)],
    binary: () => [Buffer.from([7])],
    "long text and binary": () => ["x".repeat(5000), Buffer.from([7])],
  })) {
    it(`gives each packet an offset of its own, whatever is emitted while it is encoded: ${name}`, async () => {
      const adapter = makeAdapter();
      const session0 = broadcast(adapter, "seen");
      adapter.persistSession(session("p"));
      let inner = "";
      const emits = { toJSON: () => ((inner = inner || broadcast(adapter, "inner")), 1) };
      const outer = broadcast(adapter, "outer", { emits }, ...make());
      const next = broadcast(adapter, "next");
      assert.equal(new Set([session0, inner, outer, next]).size, 4);
      const { missedPackets } = await adapter.restoreSession("p", session0);
      const offsets = missedPackets.map((/** @type {any[]} */ data) => [data[0], data.at(-1)]);
      assert.deepEqual(offsets, [
        ["inner", inner],
        ["outer", outer],
        ["next", next],
      ]);
      adapter.close();
    });
  }

  it("recovers nobody of whose packets one is gone", async () => {
    const adapter = makeAdapter({ maxStoredBytes: 1000 });
    adapter.persistSession(session("p", []));
    const offset = broadcast(adapter, "seen");
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

  it("knows the texts of volatile events as long as it can", () => {
    const marks = new OffsetMarks();
    assert.equal(marks.find("text", -1, 10, false), undefined);
    for (const number of [-1, 3, 3, 5, 9]) {
      marks.note("other", number);
      marks.note("text", number);
    }
    assert.equal(marks.find("text", -1, 10, false), 9);
    assert.equal(marks.find("text", -1, 8, false), 5);
    assert.equal(marks.find("text", -1, 8, true), -1);
    assert.equal(marks.find("text", 2, 8, true), 3);
    assert.equal(marks.find("text", 6, 8, true), undefined);
    assert.equal(marks.find("Text", -1, 10, false), undefined);
    assert.equal(marks.hasForgotten(-1), false);
    for (let i = 0; i < 5000; i++) marks.note(`${"x".repeat(300)}${i}`, 10 + i);
    assert.equal(marks.find("text", -1, 10_000, false), undefined);
    assert.equal(marks.find(`${"x".repeat(300)}4000`, -1, 10_000, false), 4010);
    assert.equal(marks.hasForgotten(9), true);
    assert.equal(marks.hasForgotten(2000), false);
  });

  it("sends again what may be missing when the text that a client saw last is forgotten", async () => {
    const adapter = makeAdapter();
    adapter.onconnected({ id: "sid of p", pid: "p", client: { conn: {}, _end: {} } });
    broadcast(adapter, "event");
    for (let i = 0; i < 5000; i++)
      adapter.broadcast(
        { type: 2, data: ["at", `${i}`] },
        { rooms: new Set(), flags: { volatile: true } },
      );
    adapter.persistSession(session("p"));
    adapter._live.clear();
    assert.equal((await adapter.restoreSession("p", "10")).missedPackets.length, 1);
    adapter._returning.clear();
    assert.equal((await adapter.restoreSession("p", "4999")).missedPackets.length, 0);
    adapter.close();
  });

  it("gives a session to one who comes back, not to two at a time", async () => {
    const adapter = makeAdapter();
    adapter.persistSession(session("p"));
    const offset = broadcast(adapter, "seen");
    const first = await adapter.restoreSession("p", offset);
    assert.equal(adapter.restoreSession("p", offset), null);
    const socket = { id: "sid of p", pid: "p", recovered: true };
    adapter.ondisconnecting(/** @type {any} */ ({ ...socket })); // another one, of before
    assert.equal(adapter.restoreSession("p", offset), null);
    first.socket = socket;
    adapter.ondisconnecting(socket); // it was refused
    assert.notEqual(adapter.restoreSession("p", offset), null);
    adapter.close();
  });

  it("bounds the sessions too, and forgets the oldest first", () => {
    const adapter = makeAdapter({ maxStoredBytes: 10_000 });
    const offset = broadcast(adapter, "seen");
    for (let i = 0; i < 1000; i++) adapter.persistSession(session(String(i)));
    assert.ok(adapter._kept.size < 20, String(adapter._kept.size));
    assert.notEqual(adapter.restoreSession("999", offset), null);
    assert.equal(adapter.restoreSession("0", offset), null);
    adapter.close();
  });

  it("gives everything back when it has expired", () => {
    const adapter = makeAdapter({ maxDisconnectionDuration: -1 });
    adapter.persistSession(session("p"));
    broadcast(adapter, "old");
    adapter.sweep();
    assert.equal(adapter._kept.size, 0);
    assert.equal(adapter._sweeper, undefined);
    assert.equal(broadcast(adapter, "next").endsWith(".1"), true, "numbers are not used again");
    adapter.close();
  });

  it("gives up the names of rooms that nothing refers to", async () => {
    const adapter = makeAdapter({ maxStoredBytes: 100_000 });
    adapter.persistSession(session("p", ["kept", 7]));
    let offset;
    for (let i = 0; i < 20_000; i++) {
      const packet = { type: 2, data: ["x"] };
      adapter.broadcast(packet, { rooms: new Set([`r${i}`]), except: new Set(["e"]), flags: {} });
      offset = packet.data.at(-1);
    }
    assert.ok(adapter._roomNumbers._numbers.size < 2000, adapter._roomNumbers._numbers.size);
    for (const room of ["kept", 7, "7"])
      adapter.broadcast({ type: 2, data: [room] }, { rooms: new Set([room]), flags: {} });
    const restored = await adapter.restoreSession("p", offset);
    assert.deepEqual(restored.rooms, ["kept", 7]);
    assert.deepEqual(
      restored.missedPackets.map(([room]) => room),
      ["kept", 7],
    );
    adapter.close();
  });

  it("closes a connection whose missed packets go while it comes back", async (t) => {
    const io = new Server(0, { connectionStateRecovery: { maxStoredBytes: 10_000 } });
    const raws = /** @type {RawWebSocket[]} */ ([]);
    t.after(() => {
      for (const raw of raws) raw.destroy();
      return io.close();
    });
    const { port } = /** @type {any} */ (io.httpServer.address());
    const open = async (auth = "") => {
      const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
      raws.push(raw);
      await raw.next();
      raw.text(`40${auth}`);
      return raw;
    };
    const connection = until(io, "connection");
    const first = await open();
    const { pid } = JSON.parse((await first.next()).slice(2));
    const [socket] = await connection;
    socket.emit("got");
    const [, offset] = JSON.parse((await first.next()).slice(2));
    const gone = until(socket, "disconnect");
    first.destroy();
    await gone;
    io.emit("missed");
    const adapter = /** @type {any} */ (io.of("/").adapter);
    const restore = adapter.restoreSession;
    adapter.restoreSession = async (/** @type {any[]} */ ...args) => {
      const restored = await restore.apply(adapter, args);
      assert.notEqual(restored, null);
      io.emit("x".repeat(20_000));
      return restored;
    };
    const again = await open(JSON.stringify({ pid, offset }));
    assert.deepEqual(await again.next(), { close: null });
  });

  it("refuses a bound that is none", () => {
    assert.throws(() => makeAdapter({ maxStoredBytes: "many" }), {
      code: "SIO_ERR_INVALID_OPTION",
    });
  });
});
