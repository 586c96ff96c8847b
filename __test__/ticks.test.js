"use strict";

/** When what a handler sends leaves: with the tick in which the packet is handed to it, and whatever the handler does. */

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { Server } = require("..");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

/** A server whose handlers are told by `play`, a client of it, and what has not left yet. */
async function stage(t) {
  const io = new Server(0);
  const { port } = io.httpServer.address();
  const connected = until(io, "connection");
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  t.after(() => {
    raw.destroy();
    return io.close();
  });
  await raw.next(); // the handshake
  await raw.join();
  const [socket] = await connected;
  const border = io.engine.border();
  return { border, io, raw, socket, waits: () => border.operations.length > 0 };
}

/** Sends events in one piece, and waits until a handler has been called for each. */
async function play(raw, socket, names, handler) {
  let left = names.length;
  const all = new Promise((resolve) => {
    socket.onAny((name) => {
      handler(name);
      if (--left === 0) resolve();
    });
  });
  raw.socket.cork();
  for (const name of names) raw.text(`42["${name}"]`);
  raw.socket.uncork();
  await all;
}

/** Elsewhere it leaves with a tick of its own. */
const skip = process.platform !== "linux" && "nothing tells of the end of a turn";

test("it leaves before what the handler has put off", { skip }, async (t) => {
  const { raw, socket, waits } = await stage(t);
  const seen = [];
  await play(raw, socket, ["a"], () => {
    process.nextTick(() => seen.push(waits()));
    socket.emit("b");
    seen.push(waits());
    void Promise.resolve().then(() => seen.push(waits()));
  });
  assert.equal(await raw.next(), '42["b"]');
  assert.deepEqual(seen, [true, false, false]);
});

test("of several packets that came together, it leaves with the last", async (t) => {
  const { border, raw, socket, waits } = await stage(t);
  const seen = [];
  const handler = (name) => {
    seen.push(waits());
    socket.emit(name);
  };
  await play(raw, socket, ["a", "b", "c"], handler);
  for (const name of ["a", "b", "c"]) assert.equal(await raw.next(), `42["${name}"]`);
  assert.equal(seen[0], false);
  assert.deepEqual([border.operations.length, border.operations.scheduled], [0, false]);
});

test("a handler that waits for the event loop is not waited for", async (t) => {
  const { border, raw, socket, waits } = await stage(t);
  const seen = [];
  await play(raw, socket, ["a"], () => {
    socket.emit("b");
    border.endTurn(); // as if it had the event loop turn
    seen.push(waits());
    socket.emit("c");
    border.endTurn();
    seen.push(waits());
  });
  assert.deepEqual(seen, [false, false]);
  for (const name of ["b", "c"]) assert.equal(await raw.next(), `42["${name}"]`);
});

test("what is sent at any other time leaves by itself", async (t) => {
  const { raw, socket } = await stage(t);
  const later = new Promise((resolve) => {
    socket.on("a", () =>
      setImmediate(() => {
        socket.emit("b");
        resolve();
      }),
    );
  });
  raw.text('42["a"]');
  await later;
  assert.equal(await raw.next(), '42["b"]');
  socket.emit("c");
  assert.equal(await raw.next(), '42["c"]');
});

test("what is sent by a handler that throws leaves, too", async (t) => {
  const { raw, socket, border } = await stage(t);
  const { operations } = border;
  // what Node.js does with an error is no matter here
  operations.expectTick();
  operations.beginTick();
  assert.throws(() => {
    try {
      socket.emit("b");
      throw new Error("of a handler");
    } finally {
      operations.endTick();
    }
  }, /of a handler/);
  assert.equal(operations.length, 0);
  assert.equal(await raw.next(), '42["b"]');
});
