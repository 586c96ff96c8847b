"use strict";

/** What programs are told when a client breaks a rule of WebSocket: reason, and the error that comes along. */

const assert = require("node:assert/strict");
const { frame } = require("../support/raw-websocket");
const { until } = require("../support/waiting");
const { scenario } = require("./harness");
const { webSocketPair } = require("./raw-pairs");

const FIN = 0x80;
const RSV1 = 0x40;
const RSV2 = 0x20;
const [CONTINUATION, TEXT, BINARY, CLOSE, PING] = [0, 1, 2, 8, 9];

/** A frame with the first byte as it is given. */
function head(first, payload = Buffer.alloc(0)) {
  const bytes = frame(TEXT, payload);
  bytes[0] = first;
  return bytes;
}

const longHeader = (length) => {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt8(FIN | BINARY, 0);
  bytes.writeUInt8(0xff, 1);
  bytes.writeBigUInt64BE(length, 2);
  return bytes;
};

const VIOLATIONS = {
  "no mask": Buffer.from([FIN | TEXT, 1, 0x34]),
  "RSV1 without compression": head(FIN | RSV1 | TEXT),
  "RSV1 of a control frame": head(FIN | RSV1 | PING),
  RSV2: head(FIN | RSV2 | TEXT),
  "opcode 3": head(FIN | 3),
  "opcode 11": head(FIN | 11),
  "a continuation of nothing": head(FIN | CONTINUATION),
  "a message in a message": Buffer.concat([head(TEXT), head(FIN | TEXT)]),
  "a ping in parts": head(PING),
  "a ping too long": head(FIN | PING, Buffer.alloc(126)),
  "half a close code": head(FIN | CLOSE, Buffer.from([3])),
  "a close code that is reserved": head(FIN | CLOSE, Buffer.from([3, 237])),
  "a close reason that is no UTF-8": head(FIN | CLOSE, Buffer.from([3, 232, 0xff])),
  "a text that is no UTF-8": head(FIN | TEXT, Buffer.from([0xff])),
  "a length over 2^53": longHeader(1n << 53n),
  "a message too long": head(FIN | BINARY, Buffer.alloc(101)),
  "fragments that are too long together": Buffer.concat([
    head(BINARY, Buffer.alloc(60)),
    head(FIN | CONTINUATION, Buffer.alloc(60)),
  ]),
  "too many fragments": Buffer.concat(
    Array.from({ length: 16_385 }, (_, i) => head(i ? CONTINUATION : TEXT)),
  ),
};

/** Each of zlib's complaints, by bytes that lead to it. */
const DAMAGED = [
  "9764cdd8fdfbfdb4", // invalid block type
  "a2e9d3eb", // invalid distance code
  "8a7e72f4136cf28117", // invalid distance too far back
  "78e9a22753a7f8", // invalid stored block lengths
  "6575ed67cff9", // invalid code lengths set
  "bb1dd7de28693a3e377b98", // invalid literal/length code
  "fcfa615bc7be3d", // too many length or distance symbols
  "341816edcacf9d02", // invalid bit length repeat
];

const told = ([reason, description]) => ({
  reason,
  name: description?.constructor.name,
  message: description?.message,
  type: description?.type,
  description: description?.description,
});

/** Breaks a rule, and traces everything that is told of it. */
async function violate(stage, name, bytes, options) {
  const { raw, socket } = await webSocketPair(stage, options);
  const { conn } = socket;
  const { transport } = conn;
  const order = [];
  const failed = until(transport, "error").then(([error]) => error);
  conn.on("close", () => order.push("conn"));
  transport.on("error", () => order.push("transport"));
  const closed = until(conn, "close");
  const disconnected = until(socket, "disconnect");
  raw.socket.write(bytes);
  const outcome = told(await disconnected);
  assert.equal(outcome.reason, "transport error");
  assert.deepEqual(told(await closed), outcome);
  assert.equal((await failed).message, outcome.message);
  stage.trace(name, outcome, order);
}

scenario("violations: what is told of each", { options: { maxHttpBufferSize: 100 } }, (stage) =>
  Object.entries(VIOLATIONS).reduce(
    (before, [name, bytes]) => before.then(() => violate(stage, name, bytes)),
    Promise.resolve(),
  ),
);

scenario(
  "violations: compressed data that is none",
  { options: { perMessageDeflate: true, maxHttpBufferSize: 100 } },
  async (stage) => {
    const headers = { "Sec-WebSocket-Extensions": "permessage-deflate" };
    for (const data of DAMAGED) {
      const bytes = head(FIN | RSV1 | TEXT, Buffer.from(data, "hex"));
      await violate(stage, data, bytes, { headers });
    }
  },
);

scenario(
  "violations: a frame in too many chunks",
  { options: { maxBufferedChunks: 2 } },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage);
    const disconnected = until(socket, "disconnect");
    const bytes = frame(BINARY, Buffer.alloc(100_000));
    // written one by one until the server has had enough: how many of them come together is up to the network
    for (let i = 0; i < bytes.length && socket.connected; i++) {
      raw.socket.write(bytes.subarray(i, i + 1));
      await new Promise(setImmediate);
    }
    stage.trace("disconnect", told(await disconnected));
    stage.trace("wire", await raw.rest());
  },
);
