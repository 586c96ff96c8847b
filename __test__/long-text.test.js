"use strict";

/** Strings that the worker writes as JSON must read exactly as `JSON.stringify` writes them: a property, on the wire. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Server } = require("..");
const { writeText } = require("../lib/codec/encoder");
const { LongText, joined, writeLongText } = require("../lib/codec/long-text");
const { randomNumbers, randomString } = require("./support/random-strings");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

test("what a worker writes equals JSON.stringify", async (t) => {
  const io = new Server(0);
  t.after(() => io.close());
  const { port } = io.httpServer.address();
  const connected = until(io, "connection");
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  t.after(() => raw.destroy());
  await raw.next(); // the handshake
  await raw.join();
  const [socket] = await connected;
  const random = randomNumbers(4);
  for (let round = 0; round < 1_000; round++) {
    const args = [
      "e",
      randomString(random, random(1_500)),
      randomString(random, 200 + random(400)),
    ];
    if (round % 5 === 0) args[1] = randomString(random, 20_000);
    if (round % 2) socket.emit(...args);
    else io.emit(...args);
    assert.equal(await raw.next(), `42${JSON.stringify(args)}`);
  }
});

test("what a worker reads equals JSON.parse", async (t) => {
  const io = new Server(0);
  t.after(() => io.close());
  const { port } = io.httpServer.address();
  const connected = until(io, "connection");
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  t.after(() => raw.destroy());
  await raw.next(); // the handshake
  await raw.join();
  const [socket] = await connected;
  const random = randomNumbers(5);
  for (let round = 0; round < 500; round++) {
    const args = [
      "e",
      randomString(random, random(3_000)),
      randomString(random, 20_000 * (round % 2)),
    ];
    let json = JSON.stringify(args);
    // escapes that JSON.stringify does not use
    if (round % 3 === 0) json = json.replaceAll("q", "\\u0071").replaceAll("/", "\\/");
    const next = until(socket, "e");
    raw.text(`42${json}`);
    assert.deepEqual(await next, args.slice(1));
  }
});

test("a text in parts reads as one that was written as a whole", () => {
  const long = "x".repeat(2_000);
  const lists = [
    [long],
    ["e", long, 1, "ж".repeat(2_000), { a: long }, [undefined, null], undefined, () => {}],
    ["e", Symbol("s"), long, Number.NaN, -0, Number.POSITIVE_INFINITY],
  ];
  for (const list of lists) {
    const text = writeLongText("2/n,7", list);
    assert.ok(text instanceof LongText);
    assert.equal(String(text), writeText(2, "/n", 7, list));
    assert.deepEqual(joined([text, 1]), [String(text), 1]);
  }
});

test("a list in which something asks for its place is not taken apart", () => {
  const long = "x".repeat(2_000);
  assert.equal(writeLongText("2", ["e", long, new Date()]), undefined);
  assert.equal(writeLongText("2", Object.assign([long], { toJSON: () => 1 })), undefined);
  try {
    // programs do that, for want of a way to send them
    Reflect.defineProperty(BigInt.prototype, "toJSON", { value: () => "big", configurable: true });
    assert.equal(writeLongText("2", [long, 1n]), undefined);
  } finally {
    delete BigInt.prototype.toJSON;
  }
  assert.throws(() => writeLongText("2", [long, 1n]), TypeError);
});
