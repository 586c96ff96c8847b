"use strict";

// One address floods, others behave: what do they notice, with limits and without?

const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { Agent } = require("node:http");
const { cpuSeconds } = require("../lib/process.js");
const { open } = require("../lib/clients.js");
const { percentile } = require("../lib/stats.js");

/** Who behaves: so many, each from an address of its own. */
const CLIENTS = 50;
/** Events that each of them sends, one after the other. */
const EVERY = 20; // ms
const SECONDS = 10;
/** What an address may send in a second, and open. */
const LIMIT = { events: 1_000, connects: 20 };
/** How many times more the flood is. */
const TIMES = 50;
/** How long an answer takes when nothing is to be done. */
const AT_ONCE = 20; // ms
/** Where it comes from. */
const FLOODER = "127.0.0.66";

const floods = {
  nothing: "no flood",
  events: `${(LIMIT.events * TIMES).toLocaleString("en-US")} events/s by 10 connections`,
  connects: `${(LIMIT.connects * TIMES).toLocaleString("en-US")} sessions/s`,
};

/** How long its event took there and back, of each. */
async function behave(client, until, times) {
  while (performance.now() < until) {
    const began = performance.now();
    await client.emitWithAck("ack", "text");
    const took = performance.now() - began;
    times.push(took);
    await sleep(Math.max(0, EVERY - took));
  }
}

/** Waits until the server has done what it was given: it answers at once then. */
async function rest(client) {
  for (let took = Infinity; took > AT_ONCE;) {
    await sleep(1_000);
    const began = performance.now();
    await client.emitWithAck("ack", "text");
    took = performance.now() - began;
  }
}

/** Has another process flood a server until it is stopped. */
async function startFlood(kind, port) {
  if (kind === "nothing") return { stop: () => 0 };
  const args = [kind, port, FLOODER, LIMIT[kind] * TIMES].map(String);
  const child = fork(path.join(__dirname, "..", "lib", "flooder.js"), args);
  await once(child, "message");
  return {
    /** Gives how many it has sent. */
    async stop() {
      child.send("stop");
      const [count] = await once(child, "message");
      child.kill();
      return count;
    },
  };
}

/** @param {import("./index.js").Running} server */
async function run({ port, pid }, say) {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) =>
      open(port, "websocket", { agent: new Agent({ localAddress: `127.0.1.${n + 1}` }) }),
    ),
  );
  const cells = [];
  for (const [kind, title] of Object.entries(floods)) {
    const flood = await startFlood(kind, port);
    const times = [];
    const before = cpuSeconds(pid);
    const until = performance.now() + SECONDS * 1_000;
    await Promise.all(clients.map((client) => behave(client, until, times)));
    const cpu = (cpuSeconds(pid) - before) / SECONDS;
    const sent = await flood.stop();
    times.sort((a, b) => a - b);
    const figures = [0.5, 0.99, 1].map((part) => percentile(times, part).toFixed(1)).join(", ");
    say(`${title}: ${figures} ms; ${Math.round(sent / SECONDS)}/s sent, ${cpu.toFixed(2)} cores`);
    cells.push(`${figures} (${cpu.toFixed(2)})`);
    await rest(clients[0]);
  }
  for (const client of clients) client.disconnect();
  return cells;
}

module.exports = {
  name: "flood",
  title: `${CLIENTS} clients that behave, and one address that sends ${TIMES} times what it may`,
  app: "work",
  variants: [
    { title: "no limits", options: {} },
    ...["pause", "drop", "disconnect"].map((action) => ({
      title: `limits, "${action}"`,
      only: "ferrosocket",
      options: {
        limits: {
          connects: { perAddress: LIMIT.connects },
          events: { perAddress: LIMIT.events, action },
        },
      },
    })),
  ],
  columns: Object.values(floods).map((title) => `${title}: p50, p99, max (ms)`),
  legend: [
    `Each client has an address of its own, and sends an event with an ack every ${EVERY} ms, one at a time, for ${SECONDS} s; the flood comes ` +
      `from one other. In brackets: cores that the server uses.`,
    "An event of the flood costs the program 20 µs.",
    `Limits: ${LIMIT.events.toLocaleString("en-US")} events and ${LIMIT.connects} sessions a second for an address.`,
  ],
  lacking: ["epoll", "socketioxide"], // they have no such program
  run,
};
