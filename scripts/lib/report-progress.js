"use strict";

// A reporter for `node --test`, beside the one that tells of each test: how far it is, a line for each file that is done,
// with a guess of how long the others will take;
// and a file with the names of what failed, for the summary at the end. (A third reporter for that would make Node.js warn.)

const fs = require("node:fs");
const path = require("node:path");
const { keepTimes, knownTimes, roughly, timeOfFiles } = require("./times");
const { dim, red } = require("./ui");

/** The environment variable that names that file. */
const FAILURES = "FERROSOCKET_TEST_FAILURES";

/** Seconds that a file takes of which nothing is known, on average. */
const USUAL = 7;

async function* progress(events) {
  /** @type {Map<string, number>} when the files began */
  const started = new Map();
  const failures = new Failures();
  const before = knownTimes();
  /** @type {Record<string, number>} */
  const times = {};
  /** @type {Set<string>} files that are not done */
  const left = new Set();
  let known = 0;
  let done = 0;
  for await (const { type, data } of events) {
    if (type === "test:fail" && data.todo === undefined) failures.add(data, started);
    // All files are queued before the first one is done.
    if (data.nesting !== 0 || !isFile(data)) continue;
    const file = path.relative("", data.file);
    if (type === "test:enqueue") {
      known++;
      left.add(file);
    }
    if (type === "test:dequeue") started.set(data.file, performance.now());
    if (type !== "test:complete") continue;
    done++;
    left.delete(file);
    const seconds = (performance.now() - started.get(data.file)) / 1000;
    if (!data.details.error) times[file] = seconds;
    const rest = left.size > 0 ? `, ${roughly(timeOfFiles([...left], before, USUAL))} left` : "";
    const count = `[${String(done).padStart(String(known).length)}/${known}]`;
    const result = data.details.error ? red("FAILED") : "passed";
    yield `${dim(count)} ${file} ${result} ${dim(`${seconds.toFixed(1)} s${rest}`)}\n`;
  }
  keepTimes(times);
}

/** Writes down what failed: `file: test > test in it`. */
class Failures {
  /** @type {string[]} those whose outermost test has not been told yet */
  pending = [];

  /**
   * @param {any} data of the event; those of the tests in a test come before its own
   * @param {Map<string, number>} files known ones, the one that began last at the end
   */
  add(data, files) {
    const { pending } = this;
    if (isFile(data)) pending.push("");
    else if (isParent(data)) this.pending = pending.map((name) => `${data.name} > ${name}`);
    else pending.push(data.name);
    if (data.nesting > 0) return;
    // A test that a helper of several files makes is told with the file of that.
    const file = files.has(data.file) ? data.file : [...files.keys()].at(-1);
    const name = path.relative("", file ?? "");
    const lines = this.pending.map((test) => `${name}${test && ": "}${test}\n`);
    if (process.env[FAILURES]) fs.appendFileSync(process.env[FAILURES], lines.join(""));
    this.pending = [];
  }
}

/** Whether an event is about a file as a whole. */
const isFile = ({ name, file }) =>
  name !== undefined && file !== undefined && path.resolve(name) === file;

/** Whether what failed did so only because something in it did. */
const isParent = ({ details }) => details.error?.failureType === "subtestsFailed";

// `node --test` takes what is exported as the reporter itself.
module.exports = Object.assign(progress, { FAILURES, USUAL });
