"use strict";

// JavaScript stands still for longer than clients and server may be silent, with the real defaults. Who is left of those that
// were there, and who gets in meanwhile?

const { setTimeout: sleep } = require("node:timers/promises");
const { dial, open, openMany } = require("../lib/clients.js");
const { peak, resident } = require("../lib/process.js");
const { percentile } = require("../lib/stats.js");

const TRANSPORTS = ["websocket", "polling"];
/** By each transport, before the block. */
const CLIENTS = 100;
/** By each transport, one after the other while it lasts. */
const NEWCOMERS = 200;
/** Longer than pingInterval (25 s) and pingTimeout (20 s). */
const BLOCK = 60_000; // ms
/** By then the last newcomer has come, early enough to be pinged. */
const COMING = 25_000; // ms
/** Events that each client sends all the while. */
const EVERY = 1000; // ms
const PADDING = "x".repeat(200);
/** When nothing has come for so long, nothing comes any more. */
const QUIET = 2_000; // ms

/** Asks a server that is back what it got, until that stays. */
async function received(client) {
  for (let before; ;) {
    const now = await client.emitWithAck("count");
    if (now.events === before?.events) return now;
    before = now;
    await sleep(QUIET);
  }
}

/** Has newcomers come one after the other; gives the clients, and how many milliseconds the handshake took of each. */
async function come(port) {
  const clients = [];
  const took = [];
  for (let n = 0; n < NEWCOMERS * TRANSPORTS.length; n++) {
    const client = dial(port, TRANSPORTS[n % TRANSPORTS.length]);
    const began = performance.now();
    client.io.once("open", () => took.push(performance.now() - began));
    client.once("disconnect", () => (client.isLost = true));
    clients.push(client);
    await sleep(COMING / (NEWCOMERS * TRANSPORTS.length));
  }
  return { clients, took };
}

/** @param {import("./index.js").Running} server */
async function run({ port, pid }, say) {
  const clients = [];
  for (const transport of TRANSPORTS) clients.push(...(await openMany(CLIENTS, port, transport)));
  let lost = 0;
  for (const client of clients) client.on("disconnect", () => lost++);
  const before = resident(pid);
  say(`${clients.length} clients, blocking for ${BLOCK / 1000} s`);
  const began = performance.now();
  clients[0].emit("block", BLOCK);
  let round = 0;
  let sent = 0;
  const sending = setInterval(() => {
    for (const client of clients) {
      if (!client.connected) continue;
      client.emit("n", round, PADDING);
      sent++;
    }
    round++;
  }, EVERY);
  const { clients: newcomers, took } = await come(port);
  await sleep(BLOCK - (performance.now() - began) - 1_000);
  const handshakes = took.toSorted((a, b) => a - b);
  const inside = newcomers.filter((client) => client.connected).length;
  say(`${handshakes.length} newcomers have their handshake; ${inside} are in a namespace`);
  await sleep(1_000);
  clearInterval(sending);
  const control = await open(port); // answered when the server is back
  const got = await received(control);
  const joined = newcomers.filter((client) => client.connected && !client.isLost).length;
  const left = `${lost} of ${clients.length}`;
  for (const client of [...clients, ...newcomers, control]) client.disconnect();
  const time = (part) => (handshakes.length === 0 ? "–" : percentile(handshakes, part).toFixed(1));
  return [
    left,
    `${handshakes.length} of ${newcomers.length}`,
    [0.5, 0.99, 1].map(time).join(", "),
    `${joined}`,
    sent.toLocaleString("en-US"),
    `${(sent - got.events).toLocaleString("en-US")}, ${got.disorder}`,
    before.toFixed(0),
    peak(pid).toFixed(0),
  ];
}

module.exports = {
  name: "blocked",
  title: `JavaScript blocked for ${BLOCK / 1000} s, ${CLIENTS} clients by each of WebSocket and polling, ${NEWCOMERS} newcomers by each`,
  app: "blocked",
  columns: [
    "clients lost",
    "let in while blocked",
    "handshake p50, p99, max (ms)",
    "joined then",
    "events sent",
    "lost, out of order",
    "RSS before",
    "RSS peak",
  ],
  legend: [
    `Each client that was there sends an event a second as long as it is connected; pingInterval 25 s, pingTimeout 20 s.`,
    `Newcomers come evenly in the first ${COMING / 1000} s; clients are Node's, without an agent of their own. The handshake is that of ` +
      "Engine.IO, from the call of `io()` on; to join a namespace takes JavaScript, so they have joined when it is back.",
    "RSS: MiB.",
  ],
  lacking: ["socketioxide"], // it has no JavaScript that could be blocked
  run,
};
