"use strict";

/** permessage-deflate: what is agreed on, what is compressed, and what must not be believed. */

const assert = require("node:assert/strict");
const zlib = require("node:zlib");
const WebSocket = require("ws");
const { OPCODE } = require("../support/raw-websocket");
const { oracle } = require("../support/implementations");
const { until } = require("../support/waiting");
const { ALL, scenario } = require("./harness");

const TARGET = "/socket.io/?EIO=4&transport=websocket";
const RSV1 = 4;
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

const on = (settings = true) => ({ options: { perMessageDeflate: settings } });

/** A socket.io client as bytes, joined, whose connection has agreed on `offer`. */
async function joined({ io, webSocket }, offer = "permessage-deflate") {
  const connection = until(io, "connection");
  const raw = await webSocket(TARGET, { headers: { "Sec-WebSocket-Extensions": offer } });
  assert.match(raw.headers["sec-websocket-extensions"], /^permessage-deflate/);
  // the handshake and the answer to CONNECT may be compressed
  await raw.nextFrame();
  raw.text("40");
  await raw.nextFrame();
  const [socket] = await connection;
  return { raw, socket };
}

/** The payload of one compressed message. */
function deflate(data, options) {
  const all = zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
  return all.subarray(0, all.length - TAIL.length);
}

function inflate(payload, options) {
  const message = Buffer.concat([payload, TAIL]);
  return zlib.inflateRawSync(message, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
}

/** Text that compresses somewhat, different for each seed. */
function words(count, seed = 1) {
  let state = seed;
  const next = () => (state = (state * 48271) % 2147483647);
  return Array.from({ length: count }, () => `w${next() % 500}`).join(" ");
}

const OFFERS = [
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; client_max_window_bits=10",
  "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
  "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=8",
  "permessage-deflate; server_max_window_bits=9, permessage-deflate",
  "permessage-deflate; server_no_context_takeover, permessage-deflate; client_max_window_bits=9",
  'permessage-deflate; server_max_window_bits="10"',
  'permessage-deflate; server_max_window_bits="1\\0"',
  "permessage-deflate;server_max_window_bits=12 ;\tclient_max_window_bits",
  "x-webkit-deflate-frame",
  "foo; bar=1; baz, permessage-deflate; client_max_window_bits , other",
  "Permessage-Deflate",
  // GHSA-5v72: names that every object of JavaScript has
  "constructor",
  "__proto__; constructor=toString",
];

const NO_OFFERS = [
  "permessage-deflate; unknown",
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; client_max_window_bits=99999999999999999999",
  "permessage-deflate; client_max_window_bits=x",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
  "permessage-deflate; __proto__=1",
  "permessage-deflate, permessage-deflate; unknown",
  "permessage-deflate;",
  "permessage-deflate,",
  ",permessage-deflate",
  "permessage-deflate; =1",
  "permessage-deflate; server_max_window_bits =10",
  "permessage-deflate; server_max_window_bits= 10",
  'permessage-deflate; server_max_window_bits=""',
  'permessage-deflate; server_max_window_bits="10',
  'permessage-deflate; server_max_window_bits="10"1',
  'permessage-deflate; server_max_window_bits="1 0"',
  'permessage-deflate; server_max_window_bits="10\\',
  "permessage-deflate permessage-deflate",
  "permessage@deflate",
  "a b",
  "a;b=c=d",
];

const SETTINGS = [
  true,
  { serverNoContextTakeover: true },
  { serverNoContextTakeover: false },
  { clientNoContextTakeover: true },
  { serverMaxWindowBits: 10 },
  { serverMaxWindowBits: false },
  { clientMaxWindowBits: 10 },
  { clientMaxWindowBits: false },
  {
    clientMaxWindowBits: true,
    concurrencyLimit: 1,
    zlibInflateOptions: {},
    zlibDeflateOptions: { level: 1 },
  },
];

for (const settings of SETTINGS) {
  scenario(
    `deflate: negotiation with ${JSON.stringify(settings)}`,
    on(settings),
    async ({ webSocket, trace }) => {
      for (const offer of [...OFFERS, ...NO_OFFERS]) {
        const raw = await webSocket(TARGET, { headers: { "Sec-WebSocket-Extensions": offer } });
        if (raw.status !== 101) await raw.refusal();
        else if (NO_OFFERS.includes(offer)) assert.fail(`${offer} was taken`);
        trace("wire", offer, raw.status, raw.headers["sec-websocket-extensions"], raw.body);
        raw.destroy();
      }
    },
  );
}

scenario("deflate: the order of refusals and of headers", on(), async ({ webSocket, trace }) => {
  for (const wrong of [
    { key: "x" },
    { version: "1" },
    { headers: { "Sec-WebSocket-Protocol": "," } },
  ]) {
    const headers = { "Sec-WebSocket-Extensions": ";", ...wrong.headers };
    const raw = await webSocket(TARGET, { ...wrong, headers });
    await raw.refusal();
    trace("wire", raw.status, raw.body);
  }
  const headers = {
    "Sec-WebSocket-Extensions": "permessage-deflate",
    "Sec-WebSocket-Protocol": "a",
  };
  const raw = await webSocket(TARGET, { headers });
  trace("wire", Object.keys(raw.headers));
});

scenario("deflate: off by default, whatever is offered", async ({ webSocket, trace }) => {
  for (const offer of ["permessage-deflate", ";"]) {
    const raw = await webSocket(TARGET, { headers: { "Sec-WebSocket-Extensions": offer } });
    trace("wire", raw.status, raw.headers["sec-websocket-extensions"]);
    raw.send(OPCODE.text, deflate("40"), { rsv: RSV1 });
    await raw.next();
    trace("wire", await raw.next());
  }
});

// no run of blanks, quotes or parameters may cost more than its length
scenario(
  "deflate: a header that is long is read in linear time",
  on(),
  async ({ webSocket, trace }) => {
    const long = [
      `a;b${" ".repeat(15_000)}c`,
      `a;b="${"\\a".repeat(7_000)}`,
      `${"permessage-deflate, ".repeat(700)}permessage-deflate`,
      `${"a;".repeat(7_000)}a`,
    ];
    for (const offer of long) {
      const raw = await webSocket(TARGET, { headers: { "Sec-WebSocket-Extensions": offer } });
      trace("wire", raw.status, raw.headers["sec-websocket-extensions"]);
      raw.destroy();
    }
  },
);

const CLIENTS = [
  { perMessageDeflate: true },
  { perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } },
  { perMessageDeflate: { serverMaxWindowBits: 8, clientMaxWindowBits: 9 } },
  { perMessageDeflate: { serverMaxWindowBits: 12, threshold: 0 } },
  { perMessageDeflate: false },
];

for (const settings of [
  true,
  { threshold: 0, serverNoContextTakeover: true },
  { zlibDeflateOptions: { level: 9 } },
]) {
  scenario(
    `deflate: messages both ways with ${JSON.stringify(settings)}`,
    on(settings),
    async (stage) => {
      stage.io.on("connection", (socket) => {
        socket.on("echo", (...args) => socket.emit("echo", ...args));
        socket.on("all", (text) => stage.io.emit("all", text));
      });
      const clients = [];
      for (const options of CLIENTS) {
        const client = new WebSocket(`ws://127.0.0.1:${stage.port}${TARGET}`, options);
        stage.defer(() => client.terminate());
        const got = [];
        client.on("message", (data, isBinary) =>
          got.push(isBinary ? data.toString("hex") : data.toString()),
        );
        const next = async () => {
          while (got.length === 0) await until(client, "message");
          return got.shift();
        };
        await next();
        client.send("40");
        await next();
        stage.trace("wire", client.extensions);
        clients.push({ client, next });
      }
      for (let round = 0; round < 6; round++) {
        const text = words(200 + 400 * round, 7);
        for (const { client, next } of clients) {
          client.send(`42["echo","${text}"]`, { compress: round !== 3 });
          assert.equal(await next(), `42["echo","${text}"]`);
        }
        // one for all between those for one, so that the windows of both sides have to stay together
        clients[round % clients.length].client.send(`42["all","${text} for all"]`);
        for (const { next } of clients) assert.equal(await next(), `42["all","${text} for all"]`);
      }
      for (const { client, next } of clients) {
        const bytes = Buffer.from(words(1_000, 3));
        client.send('451-["echo",{"_placeholder":true,"num":0}]');
        client.send(bytes);
        assert.equal(await next(), '451-["echo",{"_placeholder":true,"num":0}]');
        assert.equal(await next(), bytes.toString("hex"));
        client.send('451-["echo",{"_placeholder":true,"num":0}]');
        client.send(Buffer.alloc(0));
        assert.equal(await next(), '451-["echo",{"_placeholder":true,"num":0}]');
        assert.equal(await next(), "");
      }
    },
  );
}

scenario("deflate: the client library", { modes: ALL, ...on() }, async ({ pair }) => {
  const { client, socket } = await pair({ perMessageDeflate: { threshold: 1 } });
  const text = words(3_000);
  for (let i = 0; i < 3; i++) {
    const there = until(socket, "up");
    client.emit("up", text, Buffer.from(text));
    assert.deepEqual(await there, [text, Buffer.from(text)]);
    const back = until(client, "down");
    socket.emit("down", text, Buffer.from(text));
    assert.deepEqual(await back, [text, Buffer.from(text)]);
  }
});

scenario(
  "deflate: the upgrade of a polling session agrees on it too",
  on(),
  async ({ polling, webSocket, trace }) => {
    const session = await polling();
    const target = `${TARGET}&sid=${session.sid}`;
    const raw = await webSocket(target, {
      headers: { "Sec-WebSocket-Extensions": "permessage-deflate" },
    });
    trace("wire", raw.headers["sec-websocket-extensions"]);
    raw.send(OPCODE.text, deflate("2probe"), { rsv: RSV1 });
    const { rsv, payload } = await raw.nextFrame();
    assert.equal((rsv === RSV1 ? inflate(payload) : payload).toString(), "3probe");
  },
);

scenario(
  "deflate: the threshold, without context takeover",
  on({ threshold: 100 }),
  async (stage) => {
    const { raw, socket } = await joined(stage, "permessage-deflate; server_no_context_takeover");
    const around = 100 - '42["x",""]'.length;
    for (const size of [around - 1, around, around + 1, 5_000]) {
      for (const send of [
        () => socket.emit("x", "y".repeat(size)),
        () => stage.io.emit("x", "y".repeat(size)),
      ]) {
        send();
        const { opcode, rsv, payload } = await raw.nextFrame();
        const text = (rsv === RSV1 ? inflate(payload) : payload).toString();
        assert.equal(text, `42["x","${"y".repeat(size)}"]`);
        stage.trace("wire", size, opcode, rsv);
      }
    }
    socket.emit("x", Buffer.alloc(99), Buffer.alloc(100));
    for (let i = 0; i < 3; i++) {
      const { opcode, rsv } = await raw.nextFrame();
      stage.trace("wire", "attachment", opcode, rsv);
    }
  },
);

scenario(
  "differs: the threshold and compress(false) count with context takeover too",
  on(),
  async (stage) => {
    const ours = stage.implementation === oracle ? RSV1 : 0;
    const { raw, socket } = await joined(stage);
    socket.emit("x");
    assert.equal((await raw.nextFrame()).rsv, ours);
    socket.compress(false).emit("x", "y".repeat(2_000));
    assert.equal((await raw.nextFrame()).rsv, ours);
    stage.io.compress(false).emit("x", "y".repeat(2_000));
    assert.equal((await raw.nextFrame()).rsv, ours);
    socket.emit("x", "y".repeat(2_000));
    assert.equal((await raw.nextFrame()).rsv, RSV1);
  },
);

scenario("deflate: a window of 8 bits is kept", on({ threshold: 0 }), async (stage) => {
  const { raw, socket } = await joined(
    stage,
    "permessage-deflate; server_max_window_bits=8; server_no_context_takeover",
  );
  const text = words(2_000);
  for (const send of [() => socket.emit("x", text), () => stage.io.emit("x", text)]) {
    send();
    const { rsv, payload } = await raw.nextFrame();
    assert.equal(rsv, RSV1);
    assert.equal(inflate(payload, { windowBits: 8 }).toString(), `42["x","${text}"]`);
  }
});

scenario("deflate: fragments, and uncompressed messages between", on(), async (stage) => {
  const { raw, socket } = await joined(stage);
  const text = words(500);
  const payload = deflate(`42["x","${text}"]`);
  for (const size of [1, 10, payload.length - 1]) {
    const event = until(socket, "x");
    for (let at = 0; at < payload.length; at += size) {
      const last = at + size >= payload.length;
      const part = payload.subarray(at, at + size);
      raw.send(at === 0 ? OPCODE.text : OPCODE.continuation, part, {
        fin: last,
        rsv: at === 0 ? RSV1 : 0,
      });
      raw.send(OPCODE.ping, "p");
    }
    assert.deepEqual(await event, [text]);
    const plain = until(socket, "y");
    raw.text('42["y"]');
    await plain;
  }
});

scenario(
  "deflate: a final block ends the stream, and the next message begins one",
  on(),
  async (stage) => {
    const { raw, socket } = await joined(stage);
    for (let i = 0; i < 3; i++) {
      const event = until(socket, "x");
      const payload = zlib.deflateRawSync(`42["x",${i}]`);
      raw.send(OPCODE.text, i === 1 ? Buffer.concat([payload, Buffer.from([0])]) : payload, {
        rsv: RSV1,
      });
      assert.deepEqual(await event, [i]);
    }
  },
);

scenario("deflate: frames that break the rules", on(), async (stage) => {
  const cases = {
    "RSV1 on a ping": (raw) => raw.send(OPCODE.ping, "x", { rsv: RSV1 }),
    "RSV1 on a close": (raw) => raw.send(OPCODE.close, "", { rsv: RSV1 }),
    "RSV1 on a fragmented ping": (raw) => raw.send(OPCODE.ping, "x", { rsv: RSV1, fin: false }),
    "RSV1 on a continuation": (raw) => {
      raw.send(OPCODE.text, "4", { fin: false });
      raw.send(OPCODE.continuation, deflate("2"), { rsv: RSV1 });
    },
    "RSV1 on a continuation of nothing": (raw) => raw.send(OPCODE.continuation, "x", { rsv: RSV1 }),
    "RSV1 and RSV2": (raw) => raw.send(OPCODE.text, deflate("2"), { rsv: RSV1 | 2 }),
    "RSV1 on a reserved opcode": (raw) => raw.send(3, "x", { rsv: RSV1 }),
    "RSV1 on a new message inside of one": (raw) => {
      raw.send(OPCODE.text, "4", { fin: false });
      raw.send(OPCODE.text, deflate("2"), { rsv: RSV1 });
    },
    "a reserved block type": (raw) => raw.send(OPCODE.text, Buffer.from([0x07]), { rsv: RSV1 }),
    "a stored block with a wrong length": (raw) =>
      raw.send(OPCODE.text, Buffer.from([0x00, 5, 0, 0, 0]), { rsv: RSV1 }),
    "a distance beyond the window": (raw) =>
      raw.send(
        OPCODE.text,
        deflate("22222222222222222222222", { dictionary: Buffer.from("2".repeat(40)) }),
        { rsv: RSV1 },
      ),
    "text that is not UTF-8 once it is inflated": (raw) =>
      raw.send(OPCODE.text, deflate(Buffer.from([0x34, 0xff])), { rsv: RSV1 }),
  };
  for (const [name, act] of Object.entries(cases)) {
    const { raw, socket } = await joined(stage);
    const gone = until(socket, "disconnect");
    act(raw);
    const closing = await raw.nextFrame();
    assert.equal(closing.opcode, OPCODE.close, name);
    stage.trace("wire", name, closing.payload.readUInt16BE(0), (await gone)[0]);
    raw.destroy();
  }
});

/** An event packet of that size. */
const eventOf = (size) => `42["x","${"y".repeat(size - 10)}"]`;

const LIMITED = { options: { perMessageDeflate: true, maxHttpBufferSize: 10_000 } };

scenario("deflate: bombs are not inflated beyond the limit", LIMITED, async (stage) => {
  const { raw, socket } = await joined(stage);
  const fits = until(socket, "x");
  raw.send(OPCODE.text, deflate(eventOf(10_000)), { rsv: RSV1 });
  await fits;
  raw.destroy();
  const bombs = {
    "one byte too long": deflate(eventOf(10_001)),
    "5 MB": deflate(Buffer.alloc(5_000_000)),
    "too long as it came": deflate(require("node:crypto").randomBytes(10_100)),
  };
  for (const [name, payload] of Object.entries(bombs)) {
    for (const opcode of [OPCODE.text, OPCODE.binary]) {
      const bombed = await joined(stage);
      const gone = until(bombed.socket, "disconnect");
      bombed.raw.send(opcode, payload, { rsv: RSV1 });
      const closing = await bombed.raw.nextFrame();
      stage.trace("wire", name, closing.opcode, closing.payload.readUInt16BE(0), (await gone)[0]);
      bombed.raw.destroy();
    }
  }
});
