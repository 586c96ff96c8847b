"use strict";

/** What servers of a cluster say to each other: read and written as the official packages do, whatever anybody has published. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const notepack = require("notepack.io");
const msgpack = require("@msgpack/msgpack");
const { Classic } = require("../../lib/redis/classic");
const { Malformed } = require("../../lib/redis/messages");
const { MsgpackError, pack, packPlain, unpack } = require("../../lib/redis/msgpack");
const { Sharded } = require("../../lib/redis/sharded");

/** The same numbers at each run. */
function generator(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** Any value that the official adapters can send. */
function anything(random, depth = 0) {
  switch (random(depth > 3 ? 9 : 11)) {
    case 0:
      return null;
    case 1:
      return random(2) === 0;
    case 2:
      return random(600) - 300;
    case 3:
      return (random(2 ** 31) - 2 ** 30) * 2 ** (random(60) - 30);
    case 4:
      return [-0, NaN, Infinity, -Infinity, 2 ** 32, 2 ** 53, -(2 ** 53), 1.5][random(8)];
    case 5:
      return "ünïcödé 🎈".repeat(random(40));
    case 6:
      return undefined;
    case 7:
      return new Date(random(2 ** 31) * 1_000);
    case 8: {
      const bytes = Buffer.alloc(random(300), random(256));
      return random(2) === 0 ? bytes : new Uint8Array(bytes).buffer;
    }
    case 9:
      return Array.from({ length: random(20) }, () => anything(random, depth + 1));
    default: {
      const object = {};
      for (let i = random(20); i > 0; i--)
        object["key".repeat(random(20)) + i] = anything(random, depth + 1);
      return object;
    }
  }
}

test("values are packed as notepack.io does, and unpacked", () => {
  const random = generator(1);
  for (let i = 0; i < 3_000; i++) {
    const value = anything(random);
    const packed = notepack.encode(value);
    assert.deepEqual(pack(value), packed);
    assert.deepStrictEqual(unpack(packed), notepack.decode(packed));
  }
});

test("Dates are unpacked as the official adapter packs them", () => {
  // it has a newer notepack.io than the one beside it
  const paths = [require.resolve("@socket.io/redis-adapter")];
  const { encode } = require(require.resolve("notepack.io", { paths }));
  for (const time of [0, 1, 999, 1e12, 1_234_567_890_123, 2 ** 34 * 1e3 + 1, -1, -62e12, 8.64e15]) {
    const date = new Date(time);
    assert.deepStrictEqual(unpack(encode([date])), [date]);
  }
});

test("of a view, only what it shows is packed", () => {
  const view = new Uint8Array(Buffer.from("secret, shown, secret")).subarray(8, 13);
  assert.equal(Buffer.from(unpack(pack(view))).toString(), "shown");
});

test("what is no MessagePack is said to be none", () => {
  const random = generator(2);
  for (let i = 0; i < 5_000; i++) {
    const bytes = notepack.encode(anything(random));
    for (let times = 1 + random(3); times > 0; times--) bytes[random(bytes.length)] = random(256);
    try {
      unpack(random(3) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
    } catch (error) {
      assert.ok(error instanceof MsgpackError, error);
    }
  }
  assert.throws(() => unpack(Buffer.alloc(100_000, 0x91)), MsgpackError); // arrays in each other
  assert.throws(() => unpack(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])), MsgpackError);
  assert.throws(() => pack(() => {}), MsgpackError);
  assert.throws(() => pack(1n), MsgpackError);
});

test("a key can't reach the prototype", () => {
  const bytes = notepack.encode({ ["__proto__"]: { isAdmin: true } });
  const value = unpack(bytes);
  assert.equal(value.isAdmin, undefined);
  assert.equal({}.isAdmin, undefined);
});

const DIALECTS = {
  classic: () => new Classic({ key: "socket.io", nsp: "/", perRoom: false, specific: false }),
  sharded: () => new Sharded({ key: "socket.io", nsp: "/", subscriptions: "dynamic" }),
};

/** All that a server says, in a dialect, with the channel that it is published on. */
function sayings(dialect) {
  const target = { rooms: new Set(["red", 5]), except: new Set(["blue"]), flags: {} };
  const packet = { type: 2, data: ["event", 1, Buffer.from("bytes")], nsp: "/" };
  const details = { id: "id", handshake: { time: "now" }, rooms: ["id", 5], data: { a: 1 } };
  const requests = [
    dialect.ask("1", packet, target),
    dialect.move("join", target, ["green"]),
    dialect.move("leave", target, ["green"]),
    dialect.disconnect(target, true),
    dialect.fetch("2", target),
    dialect.emit("3", ["event", { deep: [true] }]),
    dialect.emit(undefined, ["event"]),
  ];
  const answers = [
    dialect.clients("1", 3),
    dialect.ack("1", "value"),
    dialect.ack("1", Buffer.from("value")),
    dialect.sockets("2", [details]),
    dialect.answer("3", "value"),
    dialect.answer("3", undefined),
  ];
  if (dialect.rooms !== undefined) {
    requests.push(dialect.rooms("4"));
    answers.push(dialect.names("4", ["red", 5], "rooms"), dialect.names("5", ["id"], "ids"));
  }
  return [
    [dialect.channelFor(target.rooms), dialect.broadcast(packet, target)],
    ...requests.map((bytes) => [dialect.requestChannel, bytes]),
    ...answers.map((bytes) => [dialect.responseChannel("asker"), bytes]),
  ].map(([channel, bytes]) => [channel, Buffer.from(bytes)]);
}

for (const [name, make] of Object.entries(DIALECTS)) {
  test(`${name}: what one server says, another understands`, () => {
    const us = make();
    const them = make();
    for (const [channel, bytes] of sayings(them)) {
      const message = us.read(bytes, channel);
      assert.ok(message !== undefined, `${channel}: ${bytes}`);
      if (message.target !== undefined) {
        assert.deepEqual([...message.target.rooms], ["red", 5]);
        assert.deepEqual([...message.target.except], ["blue"]);
      }
      if (message.packet !== undefined)
        assert.deepEqual(message.packet.data[2], Buffer.from("bytes"));
      if (message.kind === "ack") assert.equal(String(message.value), "value");
    }
  });

  test(`${name}: whatever is published, it is read as something or said to be nothing`, () => {
    const random = generator(3);
    const us = make();
    const list = sayings(make());
    for (let i = 0; i < 5_000; i++) {
      const [channel, original] = list[random(list.length)];
      let bytes = Buffer.from(original);
      switch (random(4)) {
        case 0:
          bytes[random(bytes.length)] = random(256);
          break;
        case 1:
          bytes = bytes.subarray(0, random(bytes.length));
          break;
        case 2:
          bytes = Buffer.from(JSON.stringify(anything(random)) ?? "");
          break;
        default:
          bytes = spoiled(random, bytes);
      }
      try {
        us.read(bytes, channel);
      } catch (error) {
        const isKnown =
          error instanceof Malformed ||
          error instanceof MsgpackError ||
          error instanceof SyntaxError;
        assert.ok(isKnown, error);
      }
    }
  });
}

/** A message with something else in the place of one of its values. */
function spoiled(random, bytes) {
  const isJson = bytes[0] === 0x7b;
  const message = isJson ? JSON.parse(bytes) : notepack.decode(bytes);
  const spoil = (holder, depth) => {
    const keys = Object.keys(holder);
    const key = keys[random(keys.length)];
    const value = holder[key];
    const isDeep = typeof value === "object" && value !== null && Object.keys(value).length > 0;
    if (isDeep && depth > 0 && random(3) > 0) spoil(value, depth - 1);
    else if (key !== undefined) holder[key] = anything(random);
  };
  spoil(message, 3);
  return isJson ? Buffer.from(JSON.stringify(message)) : notepack.encode(message);
}

test("streams: values are packed as the official adapter packs them", () => {
  const dates = [0, 5, 1e12, 1e12 + 1, 2 ** 33 * 1_000, 2 ** 35 * 1_000, -1].map(
    (it) => new Date(it),
  );
  const numbers = [
    0,
    -1,
    1.5,
    2 ** 32,
    2 ** 53,
    2 ** 63,
    2 ** 64,
    1e300,
    -(2 ** 53),
    -(2 ** 64),
    NaN,
  ];
  const bytes = [Buffer.from("a"), new Uint8Array([1, 2]), new Float64Array([1.5])];
  for (const value of [
    ...dates,
    ...numbers,
    ...bytes,
    undefined,
    { a: undefined, b: [undefined] },
  ]) {
    const packed = packPlain(value);
    assert.deepEqual(packed, Buffer.from(msgpack.encode(value)));
    assert.deepEqual(msgpack.decode(packed), msgpack.decode(Buffer.from(msgpack.encode(value))));
    assert.deepEqual(unpack(packed), unpack(Buffer.from(msgpack.encode(value))));
  }
  assert.deepEqual(msgpack.decode(packPlain(new Uint8Array([7]).buffer)), Buffer.from([7]));
});
