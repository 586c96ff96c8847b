"use strict";

// The stateful fuzzer: many clients at a time that behave, or do not, over real sockets, against a server in a process of its own.
//
//     npm run fuzz -- stateful 3600            # so many seconds
//     node fuzz/stateful/run.js --scenes 500   # so many scenes: the same work whatever the machine
//     node fuzz/stateful/run.js --scenes 40 --seed 7 --from 1200   # what was said from scene 1200 on, once more
//     node fuzz/stateful/run.js --thread       # the server is in a worker thread
//
// Fails when a canary is harmed (a lost, foreign, or disordered event), a secret reaches a stranger, the server ends or
// throws, or something stays behind once all others have gone: sessions, sockets, rooms, descriptors, threads, memory.
// A scene follows from the seed and its number; when what comes how late differs each time.

const { fork } = require("node:child_process");
const { randomInt } = require("node:crypto");
const path = require("node:path");
const { parseArgs } = require("node:util");
const { canaries } = require("./canary");
const { Random } = require("./random");
const { play } = require("./scenes");

/** Scenes at a time, and scenes after which it is looked at what is left. */
const AT_A_TIME = 8;
const ROUND = 250;
/** What may be left for so long after a round; the server's own deadlines are far shorter. */
const PATIENCE = 60_000; // ms
/** What a round may leave of what is never given back at once. */
const SLACK = { fds: 12, threads: 4, rss: 200 << 20 };

class Failure extends Error {}

/** The server in its process. */
class Target {
  /** @param {boolean} inThread */
  constructor(inThread) {
    this.secret = `secret-${randomInt(2 ** 40)}`;
    this.pids = [{ nsp: "", pid: "nobody" }];
    this.failed = new Promise((_, reject) => {
      this.fail = (why) => reject(new Failure(why));
    });
    this.failed.catch(() => {});
    this.child = fork(path.join(__dirname, "server.js"), inThread ? ["thread"] : [], {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    let said = "";
    this.child.stderr.on("data", (chunk) => (said = (said + chunk).slice(-10_000)));
    this.child.on("exit", (code, signal) =>
      this.fail(`the server ended (${signal ?? code})\n${said}`),
    );
  }

  /** The next message of the server. */
  heard() {
    return Promise.race([
      new Promise((resolve) => this.child.once("message", resolve)),
      this.failed,
    ]);
  }

  async open() {
    Object.assign(this, await this.heard());
  }

  async stats() {
    const heard = this.heard();
    this.child.send("stats");
    return (await heard).stats;
  }

  close() {
    this.child.removeAllListeners("exit");
    this.child.disconnect();
    return new Promise((resolve) => this.child.once("exit", resolve));
  }
}

/** Waits until nothing is left but the canaries. */
async function settle(target, expected, baseline) {
  const late = Date.now() + PATIENCE;
  for (;;) {
    const stats = await target.stats();
    const left = Object.entries(expected).filter(([what, number]) => stats[what] !== number);
    for (const [what, slack] of Object.entries(SLACK))
      if (baseline && stats[what] > baseline[what] + slack) left.push([what, baseline[what]]);
    if (left.length === 0) return stats;
    if (Date.now() > late)
      throw new Failure(
        left
          .map(([what, number]) => `${what}: ${stats[what]} in the place of ${number}`)
          .join(", "),
      );
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Scenes `from` to `to`, some at a time. */
async function round(target, seed, from, to) {
  let next = from;
  const player = async () => {
    while (next < to) {
      const number = next++;
      await play(new Random(Math.imul(seed ^ number, 0x9e3779b1) ^ number), target);
    }
  };
  await Promise.race([target.failed, Promise.all(Array.from({ length: AT_A_TIME }, player))]);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: "string" },
      scenes: { type: "string" },
      from: { type: "string" },
      thread: { type: "boolean" },
    },
  });
  const seed = Number(values.seed ?? randomInt(2 ** 31));
  const from = Number(values.from ?? 0);
  const scenes = values.scenes === undefined ? Infinity : Number(values.scenes);
  const end = scenes === Infinity ? Date.now() + 1000 * Number(positionals[0] ?? 60) : Infinity;
  console.log(`seed ${seed}`);
  const target = new Target(values.thread === true);
  let number = from;
  /** @type {ReturnType<typeof canaries>} */
  let birds = [];
  try {
    await target.open();
    birds = canaries(target);
    await Promise.race([Promise.all(birds.map((bird) => bird.ready)), target.failed]);
    const { sockets, clients, rooms } = await settled(target, birds);
    const expected = { sockets, clients, rooms, pending: 0 };
    let baseline;
    let stats;
    while (number < from + scenes && Date.now() < end) {
      const to = Math.min(number + ROUND, from + scenes);
      await round(target, seed, number, to);
      stats = await settle(target, expected, baseline);
      baseline ??= stats; // the first round is for what is made once
      number = to;
    }
    const { connections, recovered, events, native, refused } = stats?.reached ?? {};
    const isReached = connections > 0 && recovered > 0 && events > 0 && refused > 0;
    const isNative = native > 0 || process.platform !== "linux" || values.thread === true;
    if (number - from >= 2 * ROUND && !(isReached && isNative))
      throw new Failure("what is said here reaches nothing any more: see packets.js");
    const asked = birds.map((bird) => bird.asked);
    for (const bird of birds) bird.stop();
    const { rss, fds, threads } = stats ?? {};
    const grown = `${Math.round((rss - baseline?.rss) / 2 ** 20)} MiB more memory than after the first round`;
    console.log(`${number - from} scenes, ${asked.join(" + ")} questions of canaries answered`);
    console.log(
      `${connections} sockets connected, ${recovered} recovered, ${events} events of guests`,
    );
    console.log(`${native} of them with TLS of a worker, ${refused} handshakes refused`);
    console.log(`${grown}, ${fds} descriptors, ${threads} threads`);
    await target.close();
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`FAILED: ${error.message}`);
    const silent = birds.map(({ name, heard }) => `${name} ${Date.now() - heard} ms`);
    console.error(`silent are: ${silent.join(", ")}`); // all of them: the machine was busy
    console.error(
      `again: node fuzz/stateful/run.js --seed ${seed} --from ${number} --scenes ${ROUND}${values.thread ? " --thread" : ""}`,
    );
    target.child.kill();
    return 1;
  }
}

/** What the server holds once each canary has its room. */
async function settled(target, birds) {
  await Promise.race([
    target.failed,
    new Promise((resolve) => {
      const look = () =>
        birds.every((bird) => bird.ticks > 0) ? resolve(0) : setTimeout(look, 20);
      look();
    }),
  ]);
  const stats = await target.stats();
  if (stats.sockets !== birds.length + 1 && stats.sockets !== birds.length)
    throw new Failure(`${stats.sockets} sockets of ${birds.length} canaries`);
  return stats;
}

main().then((code) => process.exit(code));
