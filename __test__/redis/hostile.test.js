"use strict";

/** Whatever is published on the channels of a cluster: it is dropped and counted, and nobody notices. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const notepack = require("notepack.io");
const { until, within } = require("../support/waiting");
const { RedisStage } = require("./stage");

const CLASSIC = [
  "socket.io#/#",
  "socket.io#/#red#",
  "socket.io-request#/#",
  "socket.io-response#/#",
];
const SHARDED = ["socket.io#/#", "socket.io#/#red#"];

const deep = (open, close) => open.repeat(200_000) + "1" + close.repeat(200_000);

/** Messages that are none, in JSON and in MessagePack. */
function broken() {
  const packet = { type: 2, data: ["event"], nsp: "/" };
  const opts = { rooms: [], except: [], flags: {} };
  const values = [
    null,
    0,
    "text",
    [],
    {},
    [[]],
    ["x", null, null],
    ["x", packet, null],
    ["x", packet, { rooms: 5 }],
    ["x", packet, { rooms: [{}] }],
    ["x", packet, { rooms: ["red"], except: "red" }],
    ["x", { type: "2", data: ["event"] }, opts],
    ["x", { type: 99, data: ["event"] }, opts],
    ["x", { type: 2, data: [] }, opts],
    ["x", { type: 2, data: { length: 1e9 } }, opts],
    ["x", { type: 5, data: "event" }, opts],
    ["x", { type: 4, data: { length: 1e9 } }, opts],
    ["x", { ...packet, nsp: { toString: null } }, opts],
    ...Array.from({ length: 20 }, (_, type) => ({ type })),
    ...Array.from({ length: 20 }, (_, type) => ({ type, requestId: {}, uid: 1, opts: [] })),
    ...Array.from({ length: 20 }, (_, type) => ({ type, requestId: "x", uid: "x", nsp: "/" })),
    ...Array.from({ length: 20 }, (_, type) => ({
      type,
      uid: "x",
      nsp: "/",
      data: { requestId: "x", opts: { rooms: null, except: 1 }, packet, sockets: [1], rooms: {} },
    })),
    { type: 6, uid: "x", data: ["connection", null] }, // an event that no server emits
    { type: 6, uid: "x", data: ["error", "nobody listens"] },
    { type: 9, uid: "x", nsp: "/", data: { packet: ["connect"] } },
    { type: 9, uid: "x", nsp: "/", data: { packet: ["error"] } },
    { requestId: "x", sockets: [{ id: 1 }] },
    { requestId: "x", rooms: { length: 5 } },
    { requestId: "__proto__", type: 8, clientCount: -1 },
  ];
  return [
    Buffer.alloc(0),
    Buffer.from("{"),
    Buffer.from("no JSON"),
    Buffer.from([0xc1]),
    Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
    Buffer.alloc(300_000, 0x91),
    Buffer.from(deep("[", "]")),
    Buffer.from(
      `{"type":3,"uid":"x","nsp":"/","data":{"packet":{"type":2,"data":["deep",${deep("[", "]")}]},"opts":{}}}`,
    ),
    Buffer.from(`{"type":6,"uid":"x","data":["told",${deep('{"a":', "}")}]}`),
    ...values.map((value) => Buffer.from(JSON.stringify(value))),
    ...values.map((value) => notepack.encode(value)),
  ];
}

for (const [name, options, channels, publish] of [
  ["classic", {}, CLASSIC, "publish"],
  ["a channel for each room", { subscriptionMode: "dynamic" }, CLASSIC, "publish"],
  ["sharded", { sharded: true }, SHARDED, "sPublish"],
]) {
  for (const isShown of [false, true])
    test(`${name}: nobody notices what is no message${isShown ? ", where JavaScript sees all" : ""}`, async (t) => {
      const stage = await RedisStage.open(t);
      const a = await stage.server(options);
      const b = await stage.server(options);
      await stage.meet(a, b);
      b.io.on("connection", (socket) => {
        socket.join("red");
        if (isShown) socket.onAnyOutgoing(() => {});
      });
      const client = await stage.client(b);
      await stage.reach(a, client, "red");
      const publisher = await stage.publisher();
      for (const channel of channels)
        for (const bytes of broken()) await publisher[publish](channel, bytes);

      const mark = until(client, "mark");
      a.io.to("red").emit("mark");
      await mark;
      assert.deepEqual(client.got, []);
      assert.equal(client.connected, true);
      const sockets = await a.io.fetchSockets(); // requests are answered, too
      assert.deepEqual(
        sockets.map(({ id }) => id),
        [client.id],
      );
      assert.ok(b.link.stats().malformed > 50, JSON.stringify(b.link.stats()));
    });
}

test("an answer that nobody has asked for, or that is twice too many, changes nothing", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server();
  const b = await stage.server();
  await stage.meet(a, b);
  const publisher = await stage.publisher();
  const seen = await stage.publisher();
  // a pattern: who subscribes the channel counts as a server
  await seen.pSubscribe("socket.io-request#*", (text) => {
    const { requestId } = JSON.parse(text);
    // an answer of the wrong kind, before that of the other server
    const forged = [
      { requestId, rooms: ["a"] },
      { requestId, type: 6, data: "forged" },
      { requestId, type: 8, clientCount: 5 },
    ];
    for (const message of forged)
      publisher.publish("socket.io-response#/#", JSON.stringify(message)).catch(() => {});
  });
  await stage.client(b);
  const sockets = await within(a.io.fetchSockets(), "the sockets");
  assert.equal(sockets.length, 1);
});
