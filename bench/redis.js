"use strict";

// What Redis itself costs in a cluster: `npm run bench:redis`.
//
// Nodes publish broadcasts for rooms, one command each, and others have subscribed to their namespace (a pattern, as the official
// adapter and ours by default) or to the very room. What is measured is the CPU time of Redis for each broadcast: it has one
// thread, so what one second of it holds is what the whole cluster can broadcast. docs/scaling.md works with these figures.

const { once } = require("node:events");
const net = require("node:net");

const redis = require("./lib/redis.js");
const { median } = require("./lib/stats.js");
const { align } = require("./lib/table.js");
const threads = require("./lib/threads.js");

/** Nodes that get each broadcast. */
const SUBSCRIBERS = [0, 1, 3, 10, 100];
const WAYS = {
  pattern: { command: "PSUBSCRIBE", of: () => "socket.io#/#*" },
  room: { command: "SUBSCRIBE", of: () => "socket.io#/#room#" },
};
/** Nodes that publish; each sends the next broadcast when Redis has answered the last one. */
const PUBLISHERS = 10;
/** As many bytes as an event with 32 characters has. */
const MESSAGE = "x".repeat(100);
/** How many deliveries, or broadcasts, one round has. */
const ROUND = { deliveries: 100_000, most: 20_000 };

/** A command as Redis reads it. */
const command = (...parts) =>
  `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;

async function connect(port) {
  const socket = net.connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.setNoDelay();
  return socket;
}

/** A node that reads what it is sent. */
async function subscribe(port, { command: name, of }) {
  const socket = await connect(port);
  socket.write(command(name, of()));
  await once(socket, "data"); // it is subscribed
  socket.resume();
  return socket;
}

/** Publishes so many broadcasts, one after the other. */
async function publish(port, count) {
  const socket = await connect(port);
  const bytes = command("PUBLISH", "socket.io#/#room#", MESSAGE);
  await new Promise((resolve, reject) => {
    let left = count;
    const next = () => (left-- > 0 ? socket.write(bytes) : resolve());
    socket.on("data", next); // an answer is a few bytes: it comes in one piece
    socket.once("error", reject);
    next();
  });
  socket.destroy();
}

/** CPU µs of Redis for a broadcast. */
async function measure(way, subscribers) {
  const server = await redis.start();
  try {
    const nodes = [];
    for (let n = 0; n < subscribers; n++) nodes.push(await subscribe(server.port, way));
    const count = Math.min(ROUND.most, Math.ceil(ROUND.deliveries / Math.max(1, subscribers)));
    const each = Math.ceil(count / PUBLISHERS);
    const before = threads.use(server.pid);
    await Promise.all(Array.from({ length: PUBLISHERS }, () => publish(server.port, each)));
    const after = threads.use(server.pid);
    for (const node of nodes) node.destroy();
    return threads.perMessage(before, after, each * PUBLISHERS).main;
  } finally {
    await server.stop();
  }
}

async function main() {
  const rounds = Number(process.argv[2] ?? 3);
  const rows = [["subscribed to", "nodes", "CPU µs of Redis", "a second at most"]];
  for (const [name, way] of Object.entries(WAYS)) {
    for (const subscribers of SUBSCRIBERS) {
      const figures = [];
      for (let round = 0; round < rounds; round++) figures.push(await measure(way, subscribers));
      const micros = median(figures);
      rows.push([name, `${subscribers}`, micros.toFixed(1), Math.floor(1e6 / micros).toString()]);
    }
  }
  console.log(align(rows));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
