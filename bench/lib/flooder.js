"use strict";

// A process that floods a server from one address, until it is told to stop: events by a few connections, or connections.
//
//   node flooder.js events|connects PORT ADDRESS RATE

const crypto = require("node:crypto");
const net = require("node:net");

const [kind, port, from, rate] = process.argv.slice(2);
/** What is due is sent in so many steps a second. */
const STEPS = 200;
const CONNECTIONS = 10;
/** Bytes that may wait for a connection which the server does not read: more is not offered. */
const MOST_WAITING = 256 << 10;

let sent = 0;
let running = true;

/** A text frame of a client. */
function frame(text) {
  const payload = Buffer.from(text);
  const key = crypto.randomBytes(4);
  for (const [n, byte] of payload.entries()) payload[n] = byte ^ key[n % 4];
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), key, payload]);
}

const EVENT = frame('42["work"]');
const HANDSHAKE = `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Calls something so many times a second, in bundles, until it is stopped; gives what was not done for want of time up. */
function pace(perSecond, send) {
  const began = performance.now();
  let done = 0;
  const step = () => {
    if (!running) return;
    const due = Math.floor(((performance.now() - began) / 1_000) * perSecond);
    const count = Math.min(due - done, Math.ceil(perSecond / STEPS) * 4);
    done = due;
    send(count);
    setTimeout(step, 1_000 / STEPS);
  };
  step();
}

/** Comes, and joins; again whenever it is sent away. */
function connect(joined) {
  const socket = net.connect({ port: Number(port), host: "127.0.0.1", localAddress: from });
  socket.on("error", () => {});
  socket.once("connect", () => socket.write(HANDSHAKE));
  socket.once("data", () => {
    socket.write(frame("40"));
    joined(socket);
  });
  socket.resume();
  return socket;
}

function floodEvents() {
  const open = new Set();
  let waiting = 0;
  const come = () => {
    waiting++;
    const socket = connect(() => open.add(socket));
    socket.on("close", () => {
      open.delete(socket);
      waiting--;
    });
  };
  pace(Number(rate), (count) => {
    // a few at a time, as it may be refused for as long as it floods
    if (waiting < CONNECTIONS) come();
    const each = Math.ceil(count / CONNECTIONS);
    const bundle = Buffer.concat(Array.from({ length: each }, () => EVENT));
    for (const socket of open) {
      if (socket.writableLength > MOST_WAITING) continue;
      socket.write(bundle);
      sent += each;
    }
  });
}

function floodConnects() {
  pace(Number(rate), (count) => {
    for (let n = 0; n < count; n++) {
      sent++;
      const socket = connect(() => socket.destroy());
    }
  });
}

(kind === "events" ? floodEvents : floodConnects)();
process.send("begun");
process.on("message", () => {
  running = false;
  process.send(sent);
});
