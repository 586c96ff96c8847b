"use strict";

// The JavaScript side of the border: each case in a process of its own, so that none leaves V8 its types and garbage.
// `node bench/micro/js.js NAME` is such a process; it prints `{ name, ns }`.
//
// What is measured is the CPU time of all threads of the process: V8's compilers and garbage collector count.

const { spawnSync } = require("node:child_process");
const { median } = require("../lib/stats.js");

/** Microseconds of CPU time of one sample, and before the first: the clock may tick in milliseconds. */
const SAMPLE = 50_000;
const WARM_UP = 400_000;
/** The figure is the median of so many. */
const SAMPLES = 9;

/** Microseconds of CPU time that so many calls take. */
async function cpuTime(run, calls) {
  const before = process.cpuUsage();
  for (let i = 0; i < calls; i++) await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Nanoseconds of CPU time that one operation takes. */
async function measure(run, operations) {
  let calls = 1;
  for (let spent = 0, last = 0; spent < WARM_UP; spent += last) {
    last = await cpuTime(run, calls);
    if (last < SAMPLE) calls *= 2;
  }
  const samples = [];
  while (samples.length < SAMPLES) samples.push(await cpuTime(run, calls));
  return (median(samples) / (calls * operations)) * 1000;
}

/** The names of the cases; they are asked of another process, as this one is not to load the server. */
function names() {
  return JSON.parse(run("--names"));
}

/** @param {string} name @returns {number} nanoseconds of CPU time of one operation */
function figure(name) {
  return JSON.parse(run(name)).ns;
}

function run(argument) {
  const { error, status, stdout } = spawnSync(process.execPath, [__filename, argument], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DEBUG: "" },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`the case "${argument}" failed`);
  return stdout;
}

async function main(argument) {
  const { BATCH, cases } = require("./cases.js");
  const { World } = require("./world.js");
  if (argument === "--names") return cases.map(({ name }) => name);
  const found = cases.find(({ name }) => name === argument);
  if (!found) throw new Error(`no such case: ${argument}`);
  const world = new World();
  const ns = await measure(await found.make(world), BATCH);
  await world.close();
  return { name: argument, ns };
}

if (require.main === module) {
  main(process.argv[2]).then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(error);
      process.exit(1); // clients may be left, which keep the process
    },
  );
}

module.exports = { figure, names };
