"use strict";

// What a second worker thread costs: `npm run bench:cores -- [rounds]`.
//
// Workers share neither connections nor locks, so a message must cost the worker threads the same CPU time
// whether there is one of them or two. That can be seen on a machine with two cores, which load generator and
// JavaScript need too; the throughput of more workers can't. "Waits" are sleeps, unless locks are waited for.

const { setTimeout: sleep } = require("node:timers/promises");

const { cases } = require("./cases.js");
const generator = require("./lib/generator.js");
const server = require("./lib/server.js");
const { medians } = require("./lib/stats.js");
const threads = require("./lib/threads.js");
const { peers } = require("./peers.js");

const CASES = new Set(["echo", "echo4", "ack", "broadcast4"]);
const WORKERS = [1, 2];
/** Seconds: of load before the measurement, of the measurement, of load behind it. */
const PACE = { before: 1.5, measured: 2, behind: 0.5 };

/** Measures one case on a fresh server. */
async function measure(oneCase, workers) {
  const peer = peers.find(({ name }) => name === "ferrosocket");
  const running = await server.start(peer, { ...oneCase, options: { workers } });
  const abort = new AbortController();
  try {
    const secs = PACE.measured + PACE.behind;
    const args = { ...oneCase.args, warm: PACE.before - 0.5, secs };
    const load = generator.run(oneCase.mode, running, args, abort.signal);
    load.catch(() => {}); // it is awaited below
    await sleep(PACE.before * 1000);
    const before = threads.use(running.pid);
    const began = performance.now();
    await sleep(PACE.measured * 1000);
    const after = threads.use(running.pid);
    const seconds = (performance.now() - began) / 1000;
    const { per_s } = await load;
    return { per_s, ...threads.perMessage(before, after, per_s * seconds) };
  } finally {
    abort.abort();
    await running.stop();
  }
}

async function main() {
  const rounds = Number(process.argv[2] ?? 3);
  generator.build();
  console.log("| case | workers | per second | worker µs | JS µs | waits of workers per 1,000 |");
  console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
  for (const oneCase of cases.filter(({ name }) => CASES.has(name))) {
    const found = WORKERS.map(() => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, workers] of WORKERS.entries()) found[i].push(await measure(oneCase, workers));
    for (const [i, workers] of WORKERS.entries()) {
      const { per_s, workers: cpu, main, waits } = medians(found[i]);
      const figures = [
        per_s.toFixed(0),
        cpu.toFixed(2),
        main.toFixed(2),
        (waits * 1000).toFixed(1),
      ];
      console.log(`| ${oneCase.title} | ${workers} | ${figures.join(" | ")} |`);
    }
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
