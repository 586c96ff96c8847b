"use strict";

/** Packets of short strings are written as `JSON.stringify` writes them: a property, on the bytes for the workers and on the wire. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Server } = require("..");
const { Operations } = require("../lib/border/operations");
const { encode, writeText } = require("../lib/codec/encoder");
const { randomNumbers, randomString } = require("./support/random-strings");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

const CONN = { _handle: 0x1234567, _generation: 0xfedcba98 };
const TYPES = [2, 3];
const NAMESPACES = ["/", "/chat", "/é", '/"', undefined];
const IDS = [undefined, 0, 7, 123456789];

let delivered = Buffer.alloc(0);
const operations = new Operations((buffer, length) => {
  delivered = Buffer.from(buffer.subarray(0, length));
});

/** The bytes of what `append` appends. */
function bytesOf(append) {
  delivered = Buffer.alloc(0);
  append();
  operations.flush();
  return delivered;
}

/** A server and a client of it, which are ended in the order in which nobody waits for the other. */
async function pair(t) {
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
  return { raw, socket };
}

test("what is written at once equals what is encoded", () => {
  const random = randomNumbers(6);
  let count = 0;
  for (let round = 0; round < 20_000; round++) {
    const data = Array.from({ length: 1 + random(2) }, () => randomString(random, random(256)));
    if (round % 3 === 0) data[0] = "news";
    const type = TYPES[random(TYPES.length)];
    const nsp = NAMESPACES[random(NAMESPACES.length)];
    const id = IDS[random(IDS.length)];
    const flags = random(4);
    let sent = false;
    const actual = bytesOf(() => {
      const header = writeText(type, nsp, id, undefined);
      sent = operations.sendStrings(CONN, flags, header, data[0], data[1]);
    });
    const text = encode(type, nsp, id, data);
    const expected = bytesOf(() => operations.send(CONN, flags, text));
    assert.deepEqual(actual, sent ? expected : Buffer.alloc(0), text);
    // whatever can be written at once is
    const plain =
      /^[\x20-\x7f]*$/.test(text) && text.length === writtenAsTheyAre(type, nsp, id, data);
    assert.equal(sent, plain, text);
    count += Number(sent);
  }
  assert.ok(count > 1_000 && count < 19_000, `${count} of 20000 are written at once`);
});

/** The length of a packet in which nothing is escaped. */
function writtenAsTheyAre(type, nsp, id, data) {
  const characters = data.reduce((sum, string) => sum + string.length + 3, 1);
  return writeText(type, nsp, id, undefined).length + characters;
}

test("a client gets what JSON.stringify makes of an event and of an answer", async (t) => {
  const { raw, socket } = await pair(t);
  socket.on("ask", (answer, done) => done(answer));
  const values = ["", "plain", 'a "quote"', "a\\b", "\n", "é", "\u007f", "\u2028", "\ud800", "😀"];
  values.push("x".repeat(255), "x".repeat(256), 1, null, undefined, true, ["a"], { a: "b" });
  for (const value of values) {
    socket.emit("e", value);
    assert.equal(await raw.next(), `42${JSON.stringify(["e", value])}`);
    if (value === undefined) continue;
    raw.text(`427${JSON.stringify(["ask", value])}`);
    assert.equal(await raw.next(), `437${JSON.stringify([value])}`);
    if (typeof value !== "string") continue;
    socket.emit(value || "none");
    assert.equal(await raw.next(), `42${JSON.stringify([value || "none"])}`);
  }
});

test("what asks to be written in another way is", async (t) => {
  const { raw, socket } = await pair(t);
  const descriptor = { value: () => ["other"], configurable: true, writable: true };
  Reflect.defineProperty(Array.prototype, "toJSON", descriptor);
  try {
    socket.emit("e", "x");
  } finally {
    delete Array.prototype.toJSON;
  }
  assert.equal(await raw.next(), '42["other"]');

  // an array of which the elements are what somebody makes of them at each look
  let looks = 0;
  const data = new Proxy(["e", "x"], {
    get(target, key, receiver) {
      if (key === "1" && looks++ > 0) return { length: 1e9 };
      return Reflect.get(target, key, receiver);
    },
  });
  socket.packet({ type: 2, data });
  assert.equal(await raw.next(), '42["e","x"]');

  const packets = [];
  socket.conn.on("packetCreate", (packet) => packets.push(packet.data));
  socket.emit("e", "x");
  assert.equal(await raw.next(), '42["e","x"]');
  assert.deepEqual(packets, ['2["e","x"]']);
});

test("an id that is made a text of by the program is so once", async (t) => {
  const { raw, socket } = await pair(t);
  for (const answer of ["plain", "é"]) {
    let calls = 0;
    socket.packet({ type: 3, id: { toString: () => String(++calls) }, data: [answer] });
    assert.equal(await raw.next(), `431${JSON.stringify([answer])}`);
    assert.equal(calls, 1);
  }
});
