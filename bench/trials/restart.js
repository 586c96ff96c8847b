"use strict";

// The server is another process, again and again, while all its clients talk in rooms: what they notice of that.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { open } = require("../lib/clients.js");
const { percentile } = require("../lib/stats.js");

/** For a look in between: both may be less. */
const CLIENTS = Number(process.env.BENCH_RESTART_CLIENTS ?? 2000);
const RESTARTS = Number(process.env.BENCH_RESTARTS ?? 10);
const ROOM = 4; // clients in a room
/** A client tells its room something so often. */
const EVERY = 1000; // ms
/** From one restart to the next: what waits has been heard by then. */
const BETWEEN = 4000; // ms
const AT_ONCE = 25;
/** Where processes meet. */
const MEETING = path.join(os.tmpdir(), `bench-restart-${process.pid}`);

/** A client that numbers what it tells its room, and looks how it comes back. */
class Talker {
  constructor(client, n, room, seen) {
    this.client = client;
    this.n = n;
    this.room = room;
    this.sent = [];
    /** The longest that one of its own took to come back since the last restart began, in ms. */
    this.longest = 0;
    const heard = new Map();
    client.on("disconnect", () => seen.disconnects++);
    client.on("b", (text) => {
      const [from, count] = text.split(":").map(Number);
      const due = heard.get(from) ?? count;
      if (count > due) seen.missed += count - due;
      else if (count < due) seen.again++; // doubled, or out of order
      heard.set(from, Math.max(due, count + 1));
      if (from === n) this.longest = Math.max(this.longest, performance.now() - this.sent[count]);
    });
  }

  talk() {
    this.client.emit("room", this.room, `${this.n}:${this.sent.length}`);
    this.sent.push(performance.now());
  }
}

/**
 * @param {import("./index.js").Running} first
 * @param {(text: string) => void} say
 * @param {() => Promise<import("./index.js").Running>} start another one
 */
async function run(first, say, start) {
  const seen = { disconnects: 0, missed: 0, again: 0 };
  const talkers = [];
  const timers = [];
  const begin = async (n) => {
    const room = `room ${Math.floor(n / ROOM)}`;
    const client = await open(first.port, "websocket", { auth: { room } });
    talkers.push(new Talker(client, n, room, seen));
  };
  for (let n = 0; n < CLIENTS; n += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, CLIENTS - n) }, (_, i) => begin(n + i)),
    );
  // each at a time of its own
  for (const [n, talker] of talkers.entries()) {
    await (n % 20 === 0 && sleep((EVERY * 20) / CLIENTS));
    timers.push(setInterval(() => talker.talk(), EVERY));
  }
  await sleep(BETWEEN);
  const longest = [];
  let server = first;
  for (let i = 0; i < RESTARTS; i++) {
    for (const talker of talkers) talker.longest = 0;
    const next = await start();
    await sleep(BETWEEN / 2);
    const waits = talkers.map((talker) => talker.longest).toSorted((a, b) => a - b);
    longest.push(...waits);
    say(
      `restart ${i + 1}: p50 ${percentile(waits, 0.5).toFixed(0)}, p99 ${percentile(waits, 0.99).toFixed(0)} ms; ` +
        `${seen.disconnects} disconnects, ${seen.missed} missed, ${seen.again} doubled`,
    );
    await server.stop();
    server = next;
    await sleep(BETWEEN / 2);
  }
  for (const timer of timers) clearInterval(timer);
  await sleep(BETWEEN / 2);
  const { disconnects } = seen;
  for (const { client } of talkers) client.disconnect();
  await server.stop();
  fs.rmSync(MEETING, { force: true }); // the last one still offered
  longest.sort((a, b) => a - b);
  const time = (part) => percentile(longest, part).toFixed(0);
  return [
    `${RESTARTS}`,
    `${disconnects}`,
    `${seen.missed}, ${seen.again}`,
    [0.5, 0.9, 0.99, 1].map(time).join(", "),
  ];
}

module.exports = {
  name: "restart",
  title: `${RESTARTS} restarts, ${CLIENTS.toLocaleString("en-US")} clients in rooms of ${ROOM}, each tells its room something every second`,
  app: "restart",
  options: { takeOver: MEETING },
  columns: [
    "restarts",
    "disconnects",
    "missed, doubled or out of order",
    "wait p50, p90, p99, max (ms)",
  ],
  legend: [
    "The wait: for each client and each restart, the longest that something it told its room took to come back to it, around the restart. " +
      "Clients are Node's, by WebSocket, all in one process on the same machine as both servers.",
  ],
  lacking: ["socket.io", "uwebsockets", "bun", "socketioxide", "epoll"], // they can't hand clients over
  run,
};
