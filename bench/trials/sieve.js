"use strict";

// What a server takes of what other servers broadcast and none of its clients is concerned by: most of it, in a large cluster. A Redis
// on the same machine ends before the server does, so a program says what it would.

const { open } = require("../lib/clients.js");
const { FakeRedis } = require("../lib/fake-redis.js");
const threads = require("../lib/threads.js");
const { pack } = require("../../lib/redis/msgpack.js");

const ROUNDS = 3;
/** Broadcasts in a round. */
const COUNT = 1_000_000;
/** As of a room that nobody is in; its event has 32 characters. */
const CHANNEL = "socket.io#/#nobody is in here#";

const opts = { rooms: [], except: [], flags: {} };
const packet = (...data) => ({ type: 2, data, nsp: "/" });
const foreign = pack([
  "other",
  packet("event", "x".repeat(32)),
  { ...opts, rooms: ["nobody is in here"] },
]);
const last = pack(["other", packet("last"), opts]);

/** @param {import("./index.js").Running} server */
async function run({ port, pid, redis }, say) {
  const client = await open(port);
  const publish = await redis.publisher();
  const round = async () => {
    const end = new Promise((resolve) => client.once("last", resolve));
    const [before, began] = [threads.use(pid), performance.now()];
    await publish(CHANNEL, foreign, COUNT);
    await publish("socket.io#/#", last);
    await end;
    const took = performance.now() - began;
    const { workers, main } = threads.perMessage(before, threads.use(pid), COUNT);
    return { rate: (COUNT / took) * 1_000, cpu: workers + main, main };
  };
  const rounds = [];
  for (let n = 0; n < ROUNDS; n++) {
    rounds.push(await round());
    say(`round ${n + 1} of ${ROUNDS}`);
  }
  client.disconnect();
  // the first one compiles; what the machine does beside it makes the others slower, never faster
  const { rate, cpu, main } = rounds.reduce((a, b) => (b.cpu < a.cpu ? b : a));
  return [Math.round(rate).toLocaleString("en-US"), cpu.toFixed(2), main.toFixed(2)];
}

module.exports = {
  name: "sieve",
  title: `Broadcasts of other nodes that concern nobody, ${COUNT.toLocaleString("en-US")} at a time, from a program that says them as fast as they are taken`,
  cluster: true,
  redis: () => FakeRedis.start(),
  columns: ["a second", "CPU, µs each", "of it JavaScript"],
  legend: [`CPU: that of the server, of the best of ${ROUNDS} rounds.`],
  run,
};
