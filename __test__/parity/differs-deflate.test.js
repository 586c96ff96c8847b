"use strict";

/** What is on purpose not as upstream where something is compressed: what each of the two does. docs/differences.md says why. */

const assert = require("node:assert/strict");
const http = require("node:http");
const zlib = require("node:zlib");
const { until } = require("../support/waiting");
const { scenario } = require("./harness");

const OFFER = { headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } };

/** Bytes on the wire of each message that `send` makes. */
async function sizes(raw, ...sends) {
  const all = [];
  for (const send of sends) {
    send();
    all.push((await raw.nextFrame()).payload.length);
  }
  return all;
}

/** Numbers that repeat nothing, so that only what went before helps to compress them. */
const text = Array.from({ length: 2_000 }, (_, i) => ((i + 1) * 7_919) ** 3 % 99_991).join();

/** A client that has agreed on compression. All it gets may be compressed, so nothing is read of it but sizes. */
async function compressed({ io, webSocket }) {
  const connection = until(io, "connection");
  const raw = await webSocket("/socket.io/?EIO=4&transport=websocket", OFFER);
  await raw.nextFrame();
  raw.text("40");
  await raw.nextFrame();
  const [socket] = await connection;
  return { raw, socket };
}

scenario(
  "differs: the context goes on from one broadcast to the next",
  { options: { perMessageDeflate: true } },
  async (stage) => {
    const { raw, socket } = await compressed(stage);
    const broadcast = () => stage.io.emit("x", text);
    const [first, second] = await sizes(raw, broadcast, broadcast);
    assert.equal(second < first / 4, stage.either(true, false), `${first}, ${second}`);
    const emit = () => socket.emit("x", text);
    const [third, fourth] = await sizes(raw, emit, emit);
    assert.ok(fourth < first / 4, `to one client it goes on for both: ${third}, ${fourth}`);
  },
);

scenario(
  "differs: zlibDeflateOptions other than the level",
  {
    options: {
      perMessageDeflate: { zlibDeflateOptions: { strategy: zlib.constants.Z_HUFFMAN_ONLY } },
    },
  },
  async (stage) => {
    const { raw, socket } = await compressed(stage);
    const [size] = await sizes(raw, () => socket.emit("x", "y".repeat(10_000)));
    // without matches, a character takes a bit at least
    assert.equal(size > 1_000, stage.either(true, false), String(size));
  },
);

scenario("differs: a wrong option of httpCompression", { server: false }, async (stage) => {
  const make = () => new stage.lib.Server(http.createServer(), { httpCompression: { level: 42 } });
  if (stage.either(true, false)) make().close();
  else assert.throws(make, { code: "ERR_OUT_OF_RANGE" });
});
