"use strict";

// One client that behaves, or does not: it comes by one of the ways in, says things, and goes. Whatever the server answers is
// right here; what must not happen is watched elsewhere.

const { OPCODE, frame } = require("../../__test__/support/raw-websocket");
const { frames, joining, payload, text } = require("./packets");
const { Wire } = require("./wire");

const query = (protocol, transport, sid) =>
  `/socket.io/?EIO=${protocol}&transport=${transport}${sid === undefined ? "" : `&sid=${sid}`}`;

function upgradeRequest(random, protocol, sid) {
  const extensions = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
  return (
    `GET ${query(protocol, "websocket", sid)} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${random.once(4) ? extensions : ""}` +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
  );
}

function post(random, knowledge, protocol, sid, packet) {
  const first = packet !== undefined && protocol === 3 ? `${packet.length}:${packet}` : packet;
  const body = Buffer.from(first ?? payload(random, knowledge, protocol));
  const length = body.length + (random.once(12) ? random.int(5) - 2 : 0);
  const type = random.pick(["text/plain;charset=UTF-8", "text/plain", "application/octet-stream"]);
  const head =
    `POST ${query(protocol, "polling", sid)} HTTP/1.1\r\nHost: a\r\n` +
    `Content-Type: ${type}\r\nContent-Length: ${Math.max(length, 0)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** Keeps what the answer to a CONNECT tells: sessions to come back to. */
async function learn(wire, target) {
  const match = await wire.until(/0(\/[\w-]+,)?\{"sid":"[\w-]+","pid":"([\w-]+)"/);
  if (match === null) return;
  target.pids.push({ nsp: match[1] ?? "", pid: match[2] });
  if (target.pids.length > 20) target.pids.shift();
}

async function speak(wire, target) {
  const { random } = wire;
  for (let n = random.int(3); n > 0; n--) {
    wire.write(frame(OPCODE.text, joining(random, wire.knowledge)));
    if (!random.once(5)) await learn(wire, target);
  }
  for (let n = random.int(16); n >= 0 && !wire.ended; n--) {
    wire.write(frames(random, wire.knowledge));
    if (random.once(4)) await learn(wire, target);
  }
}

async function webSocket(wire, target, protocol) {
  wire.write(upgradeRequest(wire.random, protocol));
  // what comes behind the request, before its answer, counts too
  if (!wire.random.once(5)) await wire.until(/"sid":"/);
  await speak(wire, target);
}

async function openPolling(wire, protocol) {
  wire.write(`GET ${query(protocol, "polling")} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return (await wire.until(/"sid":"([\w-]+)"/))?.[1];
}

async function polling(wire, target, protocol) {
  const { random } = wire;
  const sid = await openPolling(wire, protocol);
  for (let n = random.int(3); n > 0; n--) {
    wire.write(post(random, wire.knowledge, protocol, sid, joining(random, wire.knowledge)));
    if (!random.once(5)) await wire.until(/\r\n\r\nok/);
    wire.write(`GET ${query(protocol, "polling", sid)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    if (!random.once(5)) await learn(wire, target);
  }
  for (let n = random.int(10); n >= 0 && !wire.ended; n--) {
    if (random.once(3))
      wire.write(`GET ${query(protocol, "polling", sid)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    else wire.write(post(random, wire.knowledge, protocol, sid));
    if (random.once(2)) await wire.until(/HTTP\/1\.1 \d+/);
    if (random.once(4)) await learn(wire, target);
  }
}

async function upgrade(wire, target, protocol) {
  const { random } = wire;
  const sid = await openPolling(wire, protocol);
  const other = new Wire(target, random);
  try {
    if (random.once(2)) wire.write(post(random, wire.knowledge, protocol, sid));
    if (random.once(2))
      wire.write(`GET ${query(protocol, "polling", sid)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    other.write(upgradeRequest(random, protocol, sid));
    if (!random.once(5)) await other.until(/\r\n\r\n/);
    const probe = (packet) => other.write(frame(OPCODE.text, packet));
    if (!random.once(6)) probe("2probe");
    if (!random.once(4)) await other.until(/3probe/);
    if (!random.once(6)) probe("5");
    if (random.once(3)) wire.write(post(random, wire.knowledge, protocol, sid));
    await speak(other, target);
  } finally {
    other.go();
  }
}

/** What looks like records of TLS, in the place of a handshake or behind one, where it is no record but what the program hears. */
async function records(wire) {
  const { random } = wire;
  for (let n = random.int(4); n >= 0; n--) {
    const content = random.bytes(random.int(80));
    const length = random.once(3) ? random.int(2 ** 16) : content.length;
    const head = Buffer.from([20 + random.int(5), 3, random.int(5), length >> 8, length & 255]);
    wire.write(Buffer.concat([head, content]));
  }
  if (!random.once(3)) await wire.until(/[^]/);
}

/** Bytes that are hardly HTTP. */
async function noise(wire) {
  const { random } = wire;
  const request = random.pick([
    upgradeRequest(random, 4),
    upgradeRequest(random, 9, "nobody"),
    `GET ${query(4, "polling", "nobody")} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    `POST /elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: ${1 + random.int(9)}\r\n\r\n123456789`,
    "GET /socket.io/socket.io.js HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n",
  ]);
  const bytes = Buffer.from(request);
  for (let n = random.int(4); n > 0; n--) bytes[random.int(bytes.length)] = random.int(256);
  wire.write(bytes.subarray(0, random.once(3) ? random.int(bytes.length) : bytes.length));
  await wire.until(/HTTP\/1\.1 \d+/);
  if (random.once(2)) wire.write(text(random, wire.knowledge));
}

/**
 * Plays one scene.
 * @param {import("./random").Random} random
 * @param {import("./wire").Attacked & { pids: { nsp: string, pid: string }[] }} target
 */
async function play(random, target) {
  const wire = new Wire(target, random, random.once(40) ? "bare" : undefined);
  try {
    const scene = wire.isBare
      ? random.pick([records, noise])
      : random.pick([webSocket, webSocket, polling, polling, upgrade, upgrade, noise]);
    await scene(wire, target, random.once(4) ? 3 : 4);
  } finally {
    wire.go();
  }
}

module.exports = { play };
