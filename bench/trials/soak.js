"use strict";

// Rounds of all that clients do, and what memory is left after each.

const { setTimeout: sleep } = require("node:timers/promises");
const { open, openMany } = require("../lib/clients.js");
const { resident } = require("../lib/process.js");

const ROUNDS = 20;
/** V8's heap and the allocators have found their size by then. */
const HALF = 5;
const CLIENTS = { websocket: 400, polling: 100 };
const MESSAGES = 20;
const BROADCASTS = 20;
const TEXT = "x".repeat(1_000);
const BYTES = Buffer.alloc(64 << 10, 7);
/** Time for the allocators to give memory back. */
const REST = 3_000; // ms
/** Time for V8 to do so: it shrinks its young generation when nothing happens for a while. */
const QUIET = 30_000; // ms

/** Waits for a number of answers. */
function answers(client, event, count) {
  return new Promise((resolve) => {
    client.on(event, () => {
      if (--count === 0) resolve();
    });
  });
}

/** One client's share of a round. */
async function talk(client) {
  const all = Promise.all([
    answers(client, "echo", MESSAGES),
    answers(client, "bytes", 1),
    client.emitWithAck("ack", TEXT),
  ]);
  for (let n = 0; n < MESSAGES; n++) client.emit("echo", TEXT);
  client.emit("bytes", BYTES);
  await all;
}

async function round(port, n) {
  const clients = [];
  for (const [transport, count] of Object.entries(CLIENTS)) {
    const options = { auth: { room: `room ${n}` } };
    clients.push(...(await openMany(count, port, transport, options)));
  }
  await Promise.all(clients.map(talk));
  const heard = Promise.all(clients.map((client) => answers(client, "b", BROADCASTS)));
  for (let i = 0; i < BROADCASTS; i++) clients[0].emit("room", `room ${n}`, TEXT);
  await heard;
  for (const client of clients) client.disconnect();
}

/**
 * Growth a round: the slope of the line through all values (least squares). One round's value goes up and down by
 * several MiB, so the difference of two tells nothing.
 *
 * @param {number[]} values one a round
 */
function slope(values) {
  const middle = (values.length - 1) / 2;
  const sum = (of) => values.reduce((total, value, n) => total + of(n - middle, value), 0);
  return sum((x, value) => x * value) / sum((x) => x * x);
}

/** @param {import("./index.js").Running} server */
async function run({ port, pid }, say) {
  const control = await open(port);
  const settled = async () => {
    await sleep(REST);
    await control.emitWithAck("gc");
    await sleep(REST);
    await control.emitWithAck("gc");
    return resident(pid);
  };
  const base = await settled();
  const after = [];
  for (let n = 0; n < ROUNDS; n++) {
    await round(port, n);
    after.push(await settled());
    say(`round ${n + 1}: ${after.at(-1).toFixed(1)} MiB`);
  }
  await sleep(QUIET);
  const quiet = await resident(pid);
  say(`half a minute later: ${quiet.toFixed(1)} MiB`);
  control.disconnect();
  const half = after[HALF - 1];
  const growth = slope(after.slice(HALF - 1));
  return [base, after[0], half, after.at(-1), growth, quiet].map((mib) => mib.toFixed(1));
}

const { websocket, polling } = CLIENTS;

module.exports = {
  name: "soak",
  title: `${ROUNDS} rounds of ${websocket} clients over WebSocket and ${polling} over polling`,
  columns: [
    "base",
    "after 1",
    `after ${HALF}`,
    `after ${ROUNDS}`,
    `growth a round from ${HALF} on`,
    "half a minute later",
  ],
  legend: [
    `A round: connect, join, ${MESSAGES} echoes of 1 KB, one of 64 KB binary, ${BROADCASTS} broadcasts to all, disconnect.`,
    "RSS in MiB, the garbage collected, a few seconds later.",
  ],
  run,
};
