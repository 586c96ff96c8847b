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

const areWhole = (written) => written.map((one) => one?.isWhole);

function written() {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  writer.writePackets("/", [PACKET]);
  writer.writeLost("/", LOST);
  for (let i = 0; i < 3; i++) assert.deepEqual(areWhole(writer.writeSessions([session()])), [true]);
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
  for (let i = 0; i < 40; i++) writer.writeSessions([session({ data: "x".repeat(100_000) })]);
  writer.end();
  assert.ok(frames.length > 3);
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  assert.equal(reader.sessions.size, 40);
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
  const closed = new Proxy({}, { ownKeys: () => assert.fail("no") });
  const some = [{ data, rooms }, { data: () => {} }, { data: closed }, { rooms: [Symbol("r")] }];
  assert.deepEqual(areWhole(writer.writeSessions(some.map(session))), [false, false, false, false]);
  writer.writePackets("/", [{ ...PACKET, rooms }]);
  writer.writeLost("/", { ...LOST, rooms, data });
  writer.end();
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  const [first, second, third, fourth] = Array.from(
    reader.sessions.values(),
    ({ sockets }) => sockets[0],
  );
  assert.deepEqual(first.data, { a: 1, b: new Date(2) });
  assert.deepEqual(first.rooms, ["r"]);
  assert.equal(second.data, undefined);
  assert.deepEqual({ ...third.data }, {});
  assert.deepEqual(fourth.rooms, []);
  assert.equal(reader.sessions.size, 4);
  assert.deepEqual(reader.logOf("/").packets[0].rooms, ["r"]);
  assert.deepEqual(reader.logOf("/").lost[0].data, { a: 1, b: new Date(2) });
});

/** Of many, so that each half of them, and of those, has one. */
const isLong = (n) => n % 7 === 2;

test("of many, those that are too long begin anew, and the others have their numbers", () => {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  const some = Array.from({ length: 20 }, (_, n) =>
    session({ id: `${n}`, data: isLong(n) ? "x".repeat(16 << 20) : { n } }),
  );
  const expected = some.map((_, n) => (isLong(n) ? undefined : true));
  assert.deepEqual(areWhole(writer.writeSessions(some)), expected);
  assert.deepEqual(areWhole(writer.writeSessions([session({ id: "20" })])), [true]);
  writer.end();
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  const ids = Array.from({ length: 21 }, (_, n) => n).filter((n) => !isLong(n));
  assert.equal(reader.sessions.size, ids.length);
  for (const [number, id] of ids.entries())
    assert.equal(reader.sessionOf(writeNumber(number)).sockets[0].id, `${id}`);
});

test("each value of the program's comes as structuredClone() copies it, and alone", () => {
  const shared = { a: { b: 1 } };
  const flat = { text: "t", n: -0, big: 5n, none: undefined, nothing: null };
  const own = JSON.parse('{ "__proto__": 5 }');
  const circle = {};
  circle.self = circle;
  const bare = Object.assign(Object.create(null), { x: 1 });
  class Named {
    field = 1;
  }
  const getter = {
    get it() {
      return 3;
    },
  };
  const values = [
    shared,
    shared,
    flat,
    flat,
    own,
    circle,
    bare,
    new Named(),
    getter,
    [1, undefined, "x"],
    Buffer.from("bytes"),
    new Uint8Array(3),
    new Date(4),
    new Error("e"),
    undefined,
    null,
    0,
    "",
    new String("boxed"),
    { [Symbol("s")]: 1, y: 2 },
  ];
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  const written = writer.writeSessions(values.map((data) => session({ data, auth: data ?? {} })));
  assert.deepEqual(areWhole(written), Array(values.length).fill(true));
  writer.end();
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  const read = Array.from(reader.sessions.values(), ({ sockets }) => sockets[0]);
  for (const [i, value] of values.entries()) {
    const copy = Buffer.isBuffer(value) ? value : structuredClone(value); // V8's format knows Buffers
    assert.deepEqual(read[i].data, copy);
    assert.deepEqual(read[i].auth, copy ?? {});
    if (typeof value === "object" && value !== null) assert.notEqual(read[i].data, read[i].auth);
  }
  assert.equal(read[5].data.self, read[5].data);
  assert.notEqual(read[0].data, read[1].data);
  assert.notEqual(read[0].data.a, read[1].data.a);
  assert.notEqual(read[2].data, read[3].data);
});

/** What must hold of all that is read, whatever was sent. */
function check(reader) {
  for (const each of reader.sessions.values()) {
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

/** Views that stand in what has come beside others. */
const views = () => ({
  key: new Uint8Array([1, 2]),
  of: { f: new Float64Array([3]), v: new DataView(new ArrayBuffer(4)) },
});

test("bytes of a client have no others behind them", () => {
  const frames = [];
  const writer = new StateWriter((bytes) => frames.push(bytes));
  writer.writeCommon(COMMON);
  writer.writeLost("/", { ...LOST, data: views() });
  writer.writeSessions([session({ data: views() }), session({ auth: { token: "secret" } })]);
  writer.end();
  const reader = new StateReader();
  for (const frame of frames) reader.add(frame);
  for (const found of [reader.sessions.get(0).sockets[0].data, reader.logOf("/").lost[0].data]) {
    assert.deepEqual(found, views());
    const { key, of } = found;
    for (const view of [key, of.f, of.v]) assert.equal(view.buffer.byteLength, view.byteLength);
  }
});

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
  const tuples = [
    null,
    5,
    "x",
    [],
    {},
    [undefined, 5, []],
    [undefined, [5], []],
    [undefined, [[5, "x", "p", []]], []],
    [undefined, [["/", "", "p", []]], []],
    [undefined, [["/", "x", "p", "r"]], []],
  ];
  const values = [null, 5, "x", [], ["0", []], [-1, []], [0], [0, 5], [0, tuples], {}, { nsp: 5 }];
  const reader = new StateReader();
  for (const value of [COMMON, ...values, JSON.parse('{ "__proto__": { "nsp": "/" } }')]) {
    const bytes = v8.serialize(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    reader.add(Buffer.concat([length, bytes]));
  }
  assert.equal(reader.sessions.size, 0);
  assert.deepEqual(reader.common, COMMON);
});

test("who speaks another version is told apart", () => {
  const hello = writeHello();
  assert.equal(reasonAgainstPeer(hello, true), undefined);
  assert.equal(reasonAgainstPeer(hello, false), undefined);
  const said = JSON.parse(hello);
  const other = (more) => Buffer.from(JSON.stringify({ ...said, ...more }));
  assert.match(reasonAgainstPeer(other({ version: 99 }), true), /version 99/);
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
