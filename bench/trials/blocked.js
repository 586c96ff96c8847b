"use strict";

// JavaScript stands still for longer than clients and server may be silent, with the real defaults. Who is left?

const { setTimeout: sleep } = require("node:timers/promises");
const { open, openMany } = require("../lib/clients.js");
const { peak, resident } = require("../lib/process.js");

const CLIENTS = 200;
/** Longer than pingInterval (25 s) and pingTimeout (20 s). */
const BLOCK = 50_000; // ms
/** Events that each client sends all the while. */
const EVERY = 200; // ms
const PADDING = "x".repeat(200);
/** When nothing has come for so long, nothing comes any more. */
const QUIET = 2_000; // ms

/** Asks a server that is back how many events it got, until the number stays. */
async function eventsOf(client) {
  for (let before = -1; ;) {
    const now = await client.emitWithAck("count");
    if (now === before) return now;
    before = now;
    await sleep(QUIET);
  }
}

/** @param {import("./index.js").Running} server */
async function run({ port, pid }, say) {
  const clients = await openMany(CLIENTS, port);
  let lost = 0;
  for (const client of clients) client.on("disconnect", () => lost++);
  const before = resident(pid);
  say(`${CLIENTS} clients, blocking for ${BLOCK / 1000} s`);
  clients[0].emit("block", BLOCK);
  let sent = 0;
  const sending = setInterval(() => {
    for (const client of clients) {
      if (!client.connected) continue;
      client.emit("n", PADDING);
      sent++;
    }
  }, EVERY);
  await sleep(BLOCK);
  clearInterval(sending);
  const control = await open(port); // answered when the server is back
  const got = await eventsOf(control);
  const figures = [lost, sent, sent - got].map((n) => n.toLocaleString("en-US"));
  for (const client of [...clients, control]) client.disconnect();
  return [`${figures[0]} of ${CLIENTS}`, figures[1], figures[2], before, peak(pid)].map((cell) =>
    typeof cell === "number" ? cell.toFixed(0) : cell,
  );
}

module.exports = {
  name: "blocked",
  title: `JavaScript blocked for ${BLOCK / 1000} s, ${CLIENTS} clients over WebSocket`,
  app: "blocked",
  columns: ["clients lost", "events sent", "events lost", "RSS before", "RSS peak"],
  legend: [
    `Each client sends ${1000 / EVERY} events a second as long as it is connected; pingInterval 25 s, pingTimeout 20 s.`,
    "RSS: MiB.",
  ],
  lacking: ["socketioxide"], // it has no JavaScript that could be blocked
  run,
};
