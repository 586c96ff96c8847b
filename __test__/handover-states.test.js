"use strict";

/** What processes tell each other of their clients: it comes as it was sent, and what is none is known for it. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const v8 = require("node:v8");
const {
  reasonAgainstPeer,
  StateReader,
  StateWriter,
  writeHello,
  writeNumber,
} = require("../lib/api/handover-states");
const { randomNumbers } = require("./support/random-strings");

const OPENING = {
  method: "GET",
  url: "/socket.io/?EIO=4",
  httpVersion: "1.1",
  raw: "Host\na",
  encrypted: false,
  upgrade: true,
  client: "10.0.0.1",
  address: "::1",
  port: 5,
  localAddress: "::1",
  localPort: 6,
};

/** @param {object} [more] */
const socket = (more) => ({
  nsp: "/",
  id: "an id",
  pid: "a pid",
  rooms: ["an id", "r", 5],
  data: { date: new Date(1), map: new Map([["a", new Set([1n])]]), bytes: Buffer.from("x") },
  auth: { token: "t" },
  issued: 7,
  from: -1,
  handshake: undefined,
  ...more,
});

const session = (more) => ({ opening: OPENING, sockets: [socket(more)], connecting: [["/b", {}]] });
const COMMON = {
  namespaces: [{ name: "/", ids: 4, recovery: { prefix: "p.", first: 1, next: 2 } }],
};
const PACKET = { time: 1, rooms: ["r"], except: [], messages: ["2[]", Buffer.from("b")] };
const LOST = {
  pid: "p",
  sid: "s",
  lostAt: 1,
  data: { a: 1 },
  rooms: ["s"],
  from: -1,
  to: 0,
  noticed: true,
  unproven: 0,
  given: undefined,
};

function written() {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  writer.writePackets("/", [PACKET]);
  writer.writeLost("/", LOST);
  for (let i = 0; i < 3; i++) assert.deepEqual(writer.writeSession(session()), { isWhole: true });
  writer.end();
  return frames;
}

test("what was said is what is read", () => {
  const reader = new StateReader();
  for (const frame of written()) reader.add(frame);
  assert.deepEqual(reader.common, COMMON);
  assert.deepEqual(reader.logOf("/"), { packets: [PACKET], lost: [LOST] });
  for (let i = 0; i < 3; i++) assert.deepEqual(reader.sessionOf(writeNumber(i)), session());
  assert.equal(reader.sessionOf(writeNumber(3)), undefined);
  assert.equal(reader.sessionOf(undefined), undefined);
  assert.equal(reader.sessionOf(Buffer.from("too long")), undefined);
});

test("much is in more than one frame", () => {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  for (let i = 0; i < 40; i++) writer.writeSession(session({ data: "x".repeat(100_000) }));
  writer.end();
  assert.ok(frames.length > 3);
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  assert.equal(reader.sessions.length, 40);
});

test("what can't be copied is left out, and the rest is not", () => {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  const data = {
    a: 1,
    timer: setTimeout(() => {}, 0),
    fn() {},
    symbol: Symbol("s"),
    b: new Date(2),
  };
  Object.defineProperty(data, "throws", {
    enumerable: true,
    get() {
      throw new Error("no");
    },
  });
  const rooms = ["r", Symbol("room"), () => {}];
  assert.deepEqual(writer.writeSession(session({ data, rooms })), { isWhole: false });
  assert.deepEqual(writer.writeSession(session({ data: () => {} })), { isWhole: false });
  const closed = new Proxy({}, { ownKeys: () => assert.fail("no") });
  assert.deepEqual(writer.writeSession(session({ data: closed })), { isWhole: false });
  writer.writePackets("/", [{ ...PACKET, rooms }]);
  writer.writeLost("/", { ...LOST, rooms, data });
  assert.equal(writer.writeSession(session({ data: "x".repeat(16 << 20) })), undefined);
  writer.end();
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  assert.deepEqual(reader.sessions[0].sockets[0].data, { a: 1, b: new Date(2) });
  assert.deepEqual(reader.sessions[0].sockets[0].rooms, ["r"]);
  assert.equal(reader.sessions[1].sockets[0].data, undefined);
  assert.deepEqual({ ...reader.sessions[2].sockets[0].data }, {});
  assert.equal(reader.sessions.length, 3);
  assert.deepEqual(reader.logOf("/").packets[0].rooms, ["r"]);
  assert.deepEqual(reader.logOf("/").lost[0].data, { a: 1, b: new Date(2) });
});

/** What must hold of all that is read, whatever was sent. */
function check(reader) {
  for (const each of reader.sessions) {
    if (each === undefined) continue;
    for (const { nsp, id, rooms, issued } of each.sockets) {
      assert.equal(typeof nsp, "string");
      assert.ok(typeof id === "string" && id !== "");
      assert.ok(Array.isArray(rooms));
      assert.equal(typeof issued, "number");
    }
    for (const [nsp] of each.connecting) assert.equal(typeof nsp, "string");
    if (each.opening !== undefined) assert.equal(typeof each.opening.url, "string");
  }
  for (const { name, ids } of reader.common?.namespaces ?? [])
    assert.ok(typeof name === "string" && Number.isSafeInteger(ids));
}

test("damaged bytes are read as nothing worse than less", () => {
  const next = randomNumbers(1);
  const [frame] = written();
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.from(frame);
    for (let n = 1 + next(4); n > 0; n--) bytes[next(bytes.length)] = next(256);
    const reader = new StateReader();
    reader.add(bytes.subarray(0, next(5) === 0 ? next(bytes.length) : undefined));
    check(reader);
  }
});

test("values of other shapes are none", () => {
  const values = [
    null,
    5,
    "x",
    [],
    { sockets: 5 },
    { sockets: [5] },
    { sockets: [{ nsp: 5, id: "x", rooms: [] }] },
    { sockets: [{ nsp: "/", id: "", rooms: [] }] },
    { sockets: [{ nsp: "/", id: "x", rooms: "r" }] },
    JSON.parse('{ "__proto__": { "sockets": [] } }'),
  ];
  const reader = new StateReader();
  for (const value of [COMMON, ...values]) {
    const bytes = v8.serialize(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    reader.add(Buffer.concat([length, bytes]));
  }
  assert.deepEqual(reader.sessions, Array(values.length).fill(undefined));
});

test("who speaks another version is told apart", () => {
  const hello = writeHello();
  assert.equal(reasonAgainstPeer(hello, true), undefined);
  assert.equal(reasonAgainstPeer(hello, false), undefined);
  const said = JSON.parse(hello);
  const other = (more) => Buffer.from(JSON.stringify({ ...said, ...more }));
  assert.match(reasonAgainstPeer(other({ version: 2 }), true), /version 2/);
  // an older Node.js can't read what a newer one writes
  const newer = other({ clone: said.clone + 1, node: "v99.0.0" });
  assert.equal(reasonAgainstPeer(newer, true), undefined);
  assert.match(reasonAgainstPeer(newer, false), /can't read what v99\.0\.0 writes/);
  const older = other({ clone: said.clone - 1, node: "v1.0.0" });
  assert.match(reasonAgainstPeer(older, true), /Node\.js v1\.0\.0 can't read/);
  assert.equal(reasonAgainstPeer(older, false), undefined);
  for (const bytes of ["", "x", "null", "[]", '{"version":"1"}', "x".repeat(5000)])
    assert.match(reasonAgainstPeer(Buffer.from(bytes), true), /does not say/);
  assert.match(reasonAgainstPeer(undefined, true), /does not say/);
});
