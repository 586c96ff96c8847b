"use strict";

/** WebSocket as bytes: the upgrade request, frames, close codes. */

const assert = require("node:assert/strict");
const { OPCODE, RawWebSocket, frame } = require("../support/raw-websocket");
const { eventually, turns, until } = require("../support/waiting");
const { scenario } = require("./harness");
const { WEBSOCKET, refusals, webSocketPair } = require("./raw-pairs");

scenario("websocket: the upgrade and the handshake, exactly", async ({ webSocket, trace }) => {
  const raw = await webSocket(WEBSOCKET, { key: "dGhlIHNhbXBsZSBub25jZQ==" });
  assert.equal(raw.statusLine, "HTTP/1.1 101 Switching Protocols");
  assert.deepEqual(raw.headers, {
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  });
  const open = await raw.next();
  assert.match(
    open,
    /^0\{"sid":".{20}","upgrades":\[\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$/,
  );
  const connect = await raw.join();
  assert.match(connect, /^40\{"sid":".{20}"\}$/);
  trace("wire", Object.keys(raw.headers), open, connect);
});

scenario(
  "websocket: only transport",
  { options: { transports: ["websocket"] } },
  async ({ http, webSocket, trace }) => {
    const raw = await webSocket();
    trace("wire", raw.status, await raw.next());
    const { status, body } = await http("GET", "/socket.io/?EIO=4&transport=polling");
    trace("polling", status, body);
  },
);

scenario("websocket: upgrade requests that are wrong", async ({ webSocket, trace }) => {
  const cases = [
    ["no key", { key: null }],
    ["a short key", { key: "short" }],
    ["an invalid key", { key: "!!!!!!!!!!!!!!!!!!!!!!==" }],
    ["no version", { version: null }],
    ["version 12", { version: "12" }],
    ["version x", { version: "x" }],
    ["POST", { method: "POST" }],
    ["another protocol", { upgrade: "h2c" }],
  ];
  for (const [name, options] of cases) {
    const raw = await webSocket(WEBSOCKET, options);
    await raw.refusal();
    raw.destroy();
    const headers = { ...raw.headers };
    delete headers.date;
    trace("wire", name, raw.statusLine, headers, raw.body);
    assert.notEqual(raw.status, 101, name);
  }
});

scenario("websocket: upgrade header in other spellings", async ({ webSocket, trace }) => {
  for (const upgrade of ["WebSocket", "WEBSOCKET"]) {
    const raw = await webSocket(WEBSOCKET, { upgrade });
    trace("wire", upgrade, raw.status);
  }
  for (const version of ["13", "8"])
    trace("wire", version, (await webSocket(WEBSOCKET, { version })).status);
});

scenario("websocket: subprotocols and extensions", async ({ webSocket, trace }) => {
  const protocols = ["chat", "a, b", "a,", "b a", "", `b${" ".repeat(4_000)}x`];
  for (const protocol of protocols) {
    const raw = await webSocket(WEBSOCKET, { headers: { "Sec-WebSocket-Protocol": protocol } });
    trace("wire", raw.status, raw.headers["sec-websocket-protocol"], raw.body);
  }
  for (const extension of [
    "permessage-deflate",
    "constructor",
    "permessage-deflate; __proto__=1",
    'a; b="',
    "x-unknown; y=1",
  ]) {
    const raw = await webSocket(WEBSOCKET, { headers: { "Sec-WebSocket-Extensions": extension } });
    trace("wire", extension, raw.status, raw.headers["sec-websocket-extensions"]);
    assert.equal(raw.headers["sec-websocket-extensions"], undefined);
  }
});

scenario("websocket: refused with a connection_error", async ({ io, webSocket, trace }) => {
  const seen = refusals(io);
  for (const query of [
    "EIO=4&transport=unknown",
    "EIO=4&transport=__proto__",
    "EIO=4&transport=constructor",
    "EIO=4",
    "EIO=4&transport=websocket&sid=unknown",
    "EIO=4&transport=websocket&sid=__proto__",
  ]) {
    const raw = await webSocket(`/socket.io/?${query}`);
    await raw.gone();
    assert.equal(raw.status, 400, query);
    trace("wire", query, raw.statusLine, raw.headers, raw.body);
  }
  trace("connection_error", seen);
});

scenario("websocket: protocol 3 is refused", async ({ io, webSocket, trace }) => {
  const seen = refusals(io);
  for (const query of ["EIO=3&transport=websocket", "transport=websocket"]) {
    const raw = await webSocket(`/socket.io/?${query}`);
    await raw.gone();
    trace("code", seen.at(-1));
    assert.equal(seen.at(-1).code, 5);
  }
  assert.equal(io.engine.clientsCount, 0);
});

scenario(
  "websocket: transport=polling over an upgrade is closed",
  async ({ io, webSocket, trace }) => {
    const raw = await webSocket("/socket.io/?EIO=4&transport=polling");
    trace("wire", raw.status, await raw.rest());
    assert.equal(io.engine.clientsCount, 0);
  },
);

scenario(
  "websocket: an upgrade for another path is destroyed",
  { options: { destroyUpgradeTimeout: 10 } },
  async ({ webSocket, trace }) => {
    const raw = await webSocket("/elsewhere");
    await raw.gone();
    assert.equal(raw.status, undefined);
    trace("wire", raw.body, raw.pending.length);
  },
);

scenario(
  "websocket: an upgrade for another path is left alone",
  { options: { destroyUpgrade: false } },
  async ({ httpServer, webSocket, trace }) => {
    httpServer.on("upgrade", (req, socket) => {
      if (req.url === "/mine") socket.end("HTTP/1.1 418 Mine\r\n\r\n");
    });
    const raw = await webSocket("/mine");
    await raw.gone();
    trace("wire", raw.statusLine);
  },
);

scenario("websocket: fragments, with control frames between", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const event = until(socket, "x");
  raw.send(OPCODE.text, Buffer.from('42["'), { fin: false });
  raw.send(OPCODE.ping, Buffer.from("p"));
  raw.send(OPCODE.continuation, Buffer.from('x","'), { fin: false });
  raw.send(OPCODE.continuation, Buffer.alloc(0), { fin: false });
  raw.send(OPCODE.continuation, Buffer.from([0xc3]), { fin: false });
  raw.send(OPCODE.continuation, Buffer.concat([Buffer.from([0xa9]), Buffer.from('"]')]));
  assert.deepEqual(await event, ["é"]);
  const pong = await raw.nextFrame();
  assert.deepEqual([pong.opcode, pong.payload.toString(), pong.fin], [OPCODE.pong, "p", true]);
});

scenario("websocket: ping gets pong, pong gets nothing", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  for (const payload of ["", "hello", "x".repeat(125)]) {
    raw.send(OPCODE.ping, Buffer.from(payload));
    const pong = await raw.nextFrame();
    assert.equal(pong.opcode, OPCODE.pong);
    assert.equal(pong.payload.toString(), payload);
  }
  raw.send(OPCODE.pong, Buffer.from("unasked"));
  socket.on("x", (reply) => reply());
  raw.text('421["x"]');
  assert.equal(await raw.next(), "431[]");
});

scenario("websocket: one byte at a time", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const event = until(socket, "x");
  raw.socket.setNoDelay(true);
  for (const byte of frame(OPCODE.text, Buffer.from(`42["x","${"é".repeat(60)}"]`))) {
    raw.socket.write(Buffer.from([byte]));
    await turns();
  }
  assert.deepEqual(await event, ["é".repeat(60)]);
});

scenario("websocket: many frames in one write, an incomplete one last", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const seen = [];
  const end = until(socket, "end");
  socket.on("x", (n) => seen.push(n));
  const frames = Array.from({ length: 1_000 }, (_, n) =>
    frame(OPCODE.text, Buffer.from(`42["x",${n}]`)),
  );
  const last = frame(OPCODE.text, Buffer.from('42["end"]'));
  raw.socket.write(Buffer.concat([...frames, last.subarray(0, 3)]));
  await eventually(() => seen.length === 1_000, "1000 events");
  raw.socket.write(last.subarray(3));
  await end;
  assert.deepEqual(
    seen,
    Array.from({ length: 1_000 }, (_, n) => n),
  );
});

scenario("websocket: sizes around each length encoding, both ways", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  socket.on("x", (text, reply) => reply(text));
  const overhead = '431[""]'.length;
  for (const length of [124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 200_000]) {
    const text = "y".repeat(length - overhead);
    raw.text(`421["x","${text}"]`);
    const answer = await raw.next();
    assert.equal(answer, `431["${text}"]`);
    assert.equal(answer.length, length);
  }
});

const VIOLATIONS = [
  ["unmasked", 1002, (raw) => raw.send(OPCODE.text, Buffer.from("3"), { mask: false })],
  ["RSV1 without an extension", 1002, (raw) => raw.send(OPCODE.text, Buffer.from("3"), { rsv: 4 })],
  ["RSV2", 1002, (raw) => raw.send(OPCODE.text, Buffer.from("3"), { rsv: 2 })],
  ["RSV3", 1002, (raw) => raw.send(OPCODE.text, Buffer.from("3"), { rsv: 1 })],
  ["opcode 3", 1002, (raw) => raw.send(3, Buffer.from("3"))],
  ["opcode 7", 1002, (raw) => raw.send(7, Buffer.from("3"))],
  ["opcode 11", 1002, (raw) => raw.send(11, Buffer.from("3"))],
  ["opcode 15", 1002, (raw) => raw.send(15, Buffer.from("3"))],
  ["a fragmented ping", 1002, (raw) => raw.send(OPCODE.ping, Buffer.from("p"), { fin: false })],
  ["a ping of 126 bytes", 1002, (raw) => raw.send(OPCODE.ping, Buffer.alloc(126))],
  ["a close of 126 bytes", 1002, (raw) => raw.send(OPCODE.close, Buffer.alloc(126))],
  ["a continuation of nothing", 1002, (raw) => raw.send(OPCODE.continuation, Buffer.from("x"))],
  [
    "a new message inside a fragmented one",
    1002,
    (raw) => {
      raw.send(OPCODE.text, Buffer.from("3"), { fin: false });
      raw.send(OPCODE.text, Buffer.from("3"));
    },
  ],
  ["bad UTF-8", 1007, (raw) => raw.send(OPCODE.text, Buffer.from([0x34, 0xff, 0xfe]))],
  ["an overlong encoding", 1007, (raw) => raw.send(OPCODE.text, Buffer.from([0x34, 0xc0, 0xaf]))],
  [
    "an encoded surrogate",
    1007,
    (raw) => raw.send(OPCODE.text, Buffer.from([0x34, 0xed, 0xa0, 0x80])),
  ],
  [
    "a truncated character at the end",
    1007,
    (raw) => raw.send(OPCODE.text, Buffer.from([0x34, 0xe2, 0x82])),
  ],
  [
    "bad UTF-8 over fragments",
    1007,
    (raw) => {
      raw.send(OPCODE.text, Buffer.from([0x34, 0xc3]), { fin: false });
      raw.send(OPCODE.continuation, Buffer.from([0x28]));
    },
  ],
  ["a close of one byte", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([3]))],
  ["close code 999", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([0x03, 0xe7]))],
  ["close code 1004", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([0x03, 0xec]))],
  ["close code 1005", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([0x03, 0xed]))],
  ["close code 1006", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([0x03, 0xee]))],
  ["close code 5000", 1002, (raw) => raw.send(OPCODE.close, Buffer.from([0x13, 0x88]))],
  [
    "a close reason that is not UTF-8",
    1007,
    (raw) => raw.send(OPCODE.close, Buffer.from([0x03, 0xe8, 0xff])),
  ],
  [
    "a length of 1 MB + 1",
    1009,
    (raw) => raw.send(OPCODE.text, Buffer.from("3"), { length: 1_000_001n }),
  ],
  [
    "a length of 2^63 - 1",
    1009,
    (raw) => raw.send(OPCODE.text, Buffer.from("3"), { length: 2n ** 63n - 1n }),
  ],
  [
    "a length of 2^64 - 1",
    1009,
    (raw) => raw.send(OPCODE.text, Buffer.from("3"), { length: 2n ** 64n - 1n }),
  ],
  [
    "fragments that add up to too much",
    1009,
    (raw) => {
      raw.send(OPCODE.text, Buffer.alloc(600_000, 0x34), { fin: false });
      raw.send(OPCODE.continuation, Buffer.alloc(600_000, 0x34));
    },
  ],
];

scenario("websocket: violations and their close codes", async (stage) => {
  for (const [name, code, violate] of VIOLATIONS) {
    const { raw, socket } = await webSocketPair(stage);
    const gone = until(socket, "disconnect");
    violate(raw);
    const [reason] = await gone;
    const wire = await raw.rest();
    assert.equal(reason, "transport error", name);
    assert.deepEqual(wire, [{ close: code }], name);
    stage.trace("outcome", name, reason, wire);
  }
});

scenario("websocket: valid close codes are echoed", async (stage) => {
  for (const code of [1000, 1001, 1003, 1011, 1012, 1014, 3000, 4999]) {
    const { raw, socket } = await webSocketPair(stage);
    const gone = until(socket, "disconnect");
    const payload = Buffer.from([0, 0]);
    payload.writeUInt16BE(code);
    raw.send(OPCODE.close, payload);
    assert.equal((await gone)[0], "transport close");
    stage.trace("outcome", code, await raw.rest());
  }
});

scenario("websocket: frames after a close frame are ignored", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  socket.on("x", () => stage.trace("server", "never"));
  const gone = until(socket, "disconnect");
  raw.send(OPCODE.close, Buffer.from([0x03, 0xe8]));
  raw.text('42["x"]');
  await gone;
  stage.trace("wire", await raw.rest());
});

scenario("websocket: endless fragments are stopped at 1008", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const gone = until(socket, "disconnect");
  raw.send(OPCODE.text, Buffer.from("4"), { fin: false });
  const empty = Buffer.concat(
    Array.from({ length: 20_000 }, () =>
      frame(OPCODE.continuation, Buffer.alloc(0), { fin: false }),
    ),
  );
  raw.socket.write(empty);
  assert.equal((await gone)[0], "transport error");
  assert.deepEqual(await raw.rest(), [{ close: 1008 }]);
});

scenario("websocket: binary frames and text beginning with b", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const event = until(socket, "x");
  raw.text('451-["x",{"_placeholder":true,"num":0}]');
  raw.text("bAQID");
  stage.trace("server", await event);
  const again = until(socket, "x");
  raw.text('451-["x",{"_placeholder":true,"num":0}]');
  raw.binary(Buffer.from([1, 2, 3]));
  assert.deepEqual(await again, [Buffer.from([1, 2, 3])]);
  socket.emit("y", Buffer.from([9]));
  assert.equal(await raw.next(), '451-["y",{"_placeholder":true,"num":0}]');
  assert.deepEqual(await raw.next(), Buffer.from([9]));
});

scenario("websocket: the close frame of the server", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  socket.emit("last");
  socket.disconnect(true);
  const wire = await raw.rest();
  stage.trace("wire", wire);
  assert.equal(wire[0], '42["last"]');
  assert.equal(wire[1], "41");
});

scenario("websocket: thousands of request headers", async (stage) => {
  const headers = Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [`x-${i}`, "1"]));
  const raw = await RawWebSocket.open(stage.port, WEBSOCKET, { headers });
  stage.defer(() => raw.destroy());
  // Node drops headers past its limit or answers 431; what counts is that the server lives on.
  assert.ok([101, 400, 426, 431, undefined].includes(raw.status), String(raw.status));
  const after = await stage.webSocket();
  assert.equal(after.status, 101);
});
