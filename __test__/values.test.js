"use strict";

/** Values that lie about their size, or run code while they are looked at: what is sent is what they are, and to whom it is for. */

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const http = require("node:http");
const { test } = require("node:test");
const { Decoder, Encoder } = require("socket.io-parser");
const { io: connect } = require("socket.io-client");
const { lengthOf, toBytes } = require("../lib/base/bytes");
const { getBorder } = require("../lib/border");
const { Operations } = require("../lib/border/operations");
const { ours, selected } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

const LIES = [0, 3, 700, 2 ** 31, 2 ** 40, -5, NaN, Infinity, "x", null, undefined];
const NAMES = ["length", "byteLength", "byteOffset", "buffer"];

/** Views of the bytes 1, 2, 3, 4. */
const VIEWS = {
  Uint8Array: () => new Uint8Array([1, 2, 3, 4]),
  Buffer: () => Buffer.from([1, 2, 3, 4]),
  "another type": () => new Uint16Array(new Uint8Array([1, 2, 3, 4]).buffer),
  DataView: () => new DataView(new Uint8Array([0, 1, 2, 3, 4, 5]).buffer, 1, 4),
  "of shared memory": () => {
    const view = new Uint8Array(new SharedArrayBuffer(4));
    view.set([1, 2, 3, 4]);
    return view;
  },
  ArrayBuffer: () => new Uint8Array([1, 2, 3, 4]).buffer,
};

/** Two clients and their sockets. */
async function pairs(t, options) {
  const { Server } = ours.load();
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  t.after(() => io.close());
  const pair = async () => {
    const connection = until(io, "connection");
    const client = connect(`http://127.0.0.1:${httpServer.address().port}`, {
      forceNew: true,
      transports: ["websocket"],
      parser: options?.clientParser,
    });
    t.after(() => client.disconnect());
    const [socket] = await connection;
    const events = [];
    client.onAny((...event) => events.push(event));
    return { client, socket, events };
  };
  return { io, a: await pair(), b: await pair() };
}

/** Waits until a client has got all that was sent to it so far, and gives that. */
async function settled({ client, socket, events }) {
  const last = until(client, "last");
  socket.emit("last");
  await last;
  return events.splice(0).slice(0, -1);
}

/** Other bytes for each seed. */
function filled(length, seed) {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 251);
}

/** The same text for the same bytes. */
const digest = (bytes) => createHash("sha1").update(bytes).digest("hex");

const unreadable = () => JSON.parse(getBorder().native.stats()).unreadable;

for (const implementation of selected([ours])) {
  for (const [kind, make] of Object.entries(VIEWS)) {
    test(`${implementation.name}: sizes that are made up, ${kind}`, async (t) => {
      const { a, b } = await pairs(t);
      for (let i = 0; i < 5; i++) b.socket.emit("private", "secret of b".repeat(20));
      await settled(b);
      for (const name of NAMES) {
        for (const lie of LIES) {
          for (const descriptor of [
            { value: lie },
            { get: () => b.socket.emit("nested") && lie },
          ]) {
            const value = make();
            Object.defineProperty(value, name, descriptor);
            a.socket.emit("bytes", value);
            const [event] = await settled(a);
            assert.deepEqual([event[0], [...event[1]]], ["bytes", [1, 2, 3, 4]], `${name}: ${lie}`);
            assert.ok((await settled(b)).every(([name]) => name === "nested"));
          }
        }
      }
      assert.equal(unreadable(), 0);
    });
  }

  test(`${implementation.name}: large values, as they were when they were emitted`, async (t) => {
    const { io, a, b } = await pairs(t);
    let seed = 0;
    for (const length of [16_383, 16_384, 65_536, (2 << 20) + 1]) {
      for (const memory of [ArrayBuffer, SharedArrayBuffer]) {
        const bytes = new Uint8Array(new memory(length + 8), 3, length);
        for (const name of NAMES) Object.defineProperty(bytes, name, { value: 2 ** 31 });
        const expected = [];
        const next = (of) => {
          const now = filled(length, seed++);
          bytes.set(now);
          expected.push(...Array(of).fill(Buffer.from(now)));
          return bytes;
        };
        a.socket.emit("bytes", next(1));
        a.socket.emit("bytes", next(2), bytes);
        io.emit("bytes", next(1));
        a.socket.client.writeToEngine(['51-["bytes",{"_placeholder":true,"num":0}]', next(1)]);
        next(0);
        const got = (await settled(a)).flatMap(([, ...values]) => values);
        assert.deepEqual(got.map(digest), expected.map(digest));
        assert.equal((await settled(b)).length, 1);
      }
    }
    assert.equal(unreadable(), 0);
  });

  test(
    `${implementation.name}: memory that changes its size`,
    { skip: !ArrayBuffer.prototype.resize },
    async (t) => {
      const { a } = await pairs(t);
      const memory = new ArrayBuffer(4, { maxByteLength: 64 });
      const view = new Uint8Array(memory);
      view.set([1, 2, 3, 4]);
      const shrinks = { toJSON: () => memory.resize(2) };
      a.socket.emit("bytes", view, shrinks);
      memory.resize(8);
      a.socket.emit("bytes", view);
      memory.resize(0);
      a.socket.emit("bytes", view);
      const lengths = (await settled(a)).map(([, bytes]) => bytes.length);
      assert.deepEqual(lengths, [2, 8, 0]);
      assert.equal(unreadable(), 0);
    },
  );

  test(`${implementation.name}: shared memory that grows while it is written`, () => {
    const memory = new SharedArrayBuffer(4, { maxByteLength: 64 });
    const views = [memory, new Uint8Array(memory), new Uint8Array(memory, 1), new DataView(memory)];
    const bytes = views.map(toBytes);
    memory.grow(64);
    assert.deepEqual(bytes.map(lengthOf), [4, 4, 3, 4]);
  });

  test(`${implementation.name}: what runs while it is serialised`, async (t) => {
    const { io, a, b } = await pairs(t);
    const emits = (value) => () => {
      b.socket.emit("nested", "n".repeat(3000));
      io.emit("all");
      return value;
    };
    const values = {
      toJSON: () => ({ toJSON: emits("x") }),
      getter: () => ({
        get x() {
          return emits("x")();
        },
      }),
      proxy: () => new Proxy({ x: 1 }, { ownKeys: emits(["x"]), get: emits("x") }),
      "getter beside bytes": () => ({
        bytes: Buffer.from([7]),
        get x() {
          return emits("x")();
        },
      }),
    };
    for (const [name, make] of Object.entries(values)) {
      const emitted = {
        emit: () => a.socket.emit("value", make(), "l".repeat(1000)),
        room: () => io.to(a.socket.id).emit("value", make()),
      };
      for (const emit of Object.values(emitted)) {
        emit();
        const seen = await settled(a);
        assert.equal(seen.filter(([event]) => event === "value").length, 1, name);
        assert.ok(
          seen.every(([event]) => event === "value" || event === "all"),
          name,
        );
        assert.ok(
          (await settled(b)).every(([event]) => event === "nested" || event === "all"),
          name,
        );
      }
    }
    assert.equal(unreadable(), 0);
  });

  test(`${implementation.name}: parts of a parser that run code, or are none`, async (t) => {
    let parts;
    class Odd extends Encoder {
      encode(packet) {
        if (packet.data?.[0] !== "odd") return super.encode(packet);
        return parts(super.encode(packet));
      }
    }
    const { io, a, b } = await pairs(t, { parser: { Encoder: Odd, Decoder } });
    const nested = () => {
      b.socket.emit("nested");
      return '2["odd"]';
    };
    for (const [name, make] of Object.entries({
      "a text that is made meanwhile": () => [
        '51-["odd",{"_placeholder":true,"num":0}]',
        { toString: nested },
      ],
      "a list that runs code": (list) =>
        new Proxy(list, { get: (of, key) => (b.socket.emit("nested"), of[key]) }),
      nothing: () => [],
    })) {
      parts = make;
      a.socket.emit("odd");
      io.to(a.socket.id).emit("odd");
      const seen = await settled(a);
      assert.ok(
        seen.every(([event]) => event === "odd"),
        name,
      );
      assert.equal(seen.length, name === "nothing" ? 0 : 2, name);
      assert.ok(
        (await settled(b)).every(([event]) => event === "nested"),
        name,
      );
    }
    assert.equal(unreadable(), 0);
  });

  test(`${implementation.name}: an initialPacket whose sizes are made up`, async (t) => {
    for (const made of [new Uint8Array([1, 2]), Buffer.from([1, 2])]) {
      for (const name of ["length", "byteLength", "byteOffset"])
        Object.defineProperty(made, name, { value: 4000 });
      const { Server } = ours.load();
      const httpServer = http.createServer().listen(0, "127.0.0.1");
      const io = new Server(httpServer, { initialPacket: made });
      t.after(() => io.close());
      if (!httpServer.listening) await until(httpServer, "listening");
      const { port } = httpServer.address();
      const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
      await raw.next();
      const { payload } = await raw.nextFrame();
      assert.deepEqual([...payload], [1, 2]);
      raw.destroy();
    }
  });

  test(`${implementation.name}: one array for several clients`, async (t) => {
    const { a, b } = await pairs(t);
    const packets = ['2["for","a"]'];
    a.socket.client.writeToEngine(packets);
    packets[0] = '2["for","b"]';
    b.socket.client.writeToEngine(packets);
    assert.deepEqual([await settled(a), await settled(b)], [[["for", "a"]], [["for", "b"]]]);
    const bytes = Buffer.from("a");
    const binary = ['51-["for",{"_placeholder":true,"num":0}]', bytes];
    a.socket.client.writeToEngine(binary);
    bytes.write("b");
    b.socket.client.writeToEngine(binary);
    const got = [await settled(a), await settled(b)].map(([[, value]]) => value.toString());
    assert.deepEqual(got, ["a", "b"]);
  });

  test(`${implementation.name}: numbers that are none, in every operation`, () => {
    const batches = [];
    const operations = new Operations((buffer, length) =>
      batches.push(Buffer.from(buffer.subarray(0, length))),
    );
    const odd = (value) => ({
      valueOf: () => (operations.join({ _handle: 1, _generation: 2 }, 3), value),
    });
    const values = [NaN, -1, 1.5, 2 ** 40, Infinity, "x", odd(7), odd(-1)];
    for (const value of values) {
      const conn = { _handle: value, _generation: value };
      operations.send(conn, value, "text");
      operations.sendRaw(conn, value, "text");
      operations.sendRaw(conn, value, new Uint8Array(3));
      operations.sendBinary(conn, value, ["text", new Uint8Array(3)]);
      operations.multicast(conn, value, ["text"]);
      operations.observe(conn, value);
      operations.join(conn, value);
      operations.replay(conn, value, value, value);
      operations.keep({ log: 1, time: value, rooms: [1], except: [] }, value, [], [], "text");
      operations.release(conn);
    }
    operations.flush();
    // each operation stands behind its length, and the batch ends with the last one
    const kinds = [];
    for (const batch of batches) {
      let at = 0;
      while (at < batch.length) {
        kinds.push(batch[at + 4]);
        at += 4 + batch.readUInt32LE(at);
      }
      assert.equal(at, batch.length);
    }
    const asked = kinds.filter((kind) => kind !== 4);
    const each = [1, 10, 10, 2, 12, 9, 15, 14, 8];
    assert.deepEqual(
      asked,
      values.flatMap(() => each),
    );
  });

  test(`${implementation.name}: more than a message can hold`, () => {
    const operations = new Operations(() => assert.fail("nothing leaves"));
    const huge = new Uint8Array(new ArrayBuffer(0));
    Object.defineProperty(huge, "length", { value: 2 ** 33 });
    operations.sendRaw({ _handle: 0, _generation: 1 }, 0, huge);
    assert.equal(operations.length, 19);
    operations.length = 0;
    assert.throws(() => operations.reserve(2 ** 33), RangeError);
    assert.throws(() => operations.reserve(NaN), RangeError);
    assert.equal(operations.length, 0);
  });
}
