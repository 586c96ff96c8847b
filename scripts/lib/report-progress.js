"use strict";

// A reporter for `node --test`, beside the one that tells of each test: how far it is, a line for each file that is done;
// and a file with the names of what failed, for the summary at the end. (A third reporter for that would make Node.js warn.)

const fs = require("node:fs");
const path = require("node:path");
const { dim, red } = require("./ui");

/** The environment variable that names that file. */
const FAILURES = "FERROSOCKET_TEST_FAILURES";

async function* progress(events) {
  /** @type {Map<string, number>} when the files began */
  const started = new Map();
  const failures = new Failures();
  let known = 0;
  let done = 0;
  for await (const { type, data } of events) {
    if (type === "test:fail" && data.todo === undefined) failures.add(data, started);
    // All files are queued before the first one is done.
    if (data.nesting !== 0 || !isFile(data)) continue;
    if (type === "test:enqueue") known++;
    if (type === "test:dequeue") started.set(data.file, performance.now());
    if (type !== "test:complete") continue;
    done++;
    const seconds = ((performance.now() - started.get(data.file)) / 1000).toFixed(1);
    const count = `[${String(done).padStart(String(known).length)}/${known}]`;
    const result = data.details.error ? red("FAILED") : "passed";
    yield `${dim(count)} ${path.relative("", data.file)} ${result} ${dim(`${seconds} s`)}\n`;
  }
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
module.exports = Object.assign(progress, { FAILURES });
