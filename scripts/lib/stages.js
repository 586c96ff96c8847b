"use strict";

// A list of stages, run in order under headings, with a summary at the end.

const fs = require("node:fs");
const { performance } = require("node:perf_hooks");
const { keepTimes, roughly } = require("./times");
const { bold, dim, green, heading, note, red, yellow } = require("./ui");

/**
 * @typedef {object} Stage
 * @property {string} name what it is, for the heading and the summary
 * @property {() => Promise<number>} run resolves with an exit code: 0 is success
 * @property {string | false} [skip] why it does not run here
 * @property {number} [usual] seconds that it is likely to take
 * @property {() => string[]} [failures] what failed in it, a line each, for the end of the summary
 */

/** Names a file to which what failed is appended, for who runs several scripts (.ci/run). */
const LIST = "FERROSOCKET_FAILURES";

const MARKS = {
  passed: green("passed"),
  failed: red("FAILED"),
  skipped: yellow("skipped"),
  "not run": dim("not run"),
};

/**
 * Runs the stages and prints how each went.
 * @param {string} title of the summary
 * @param {Stage[]} stages
 * @param {{ keepGoing?: boolean }} [options] `keepGoing`: a failure does not stop the stages after it
 * @returns {Promise<number>} exit code: 0 when none failed
 */
async function runStages(title, stages, { keepGoing = false } = {}) {
  const results = [];
  const failures = [];
  let failed = false;
  const total = stages.reduce((sum, { usual = 0 }) => sum + usual, 0);
  if (total > 0) note(`All of it takes ${roughly(total)}.`);
  for (const [index, { name, run, skip, usual, failures: list }] of stages.entries()) {
    if (skip) {
      results.push([name, "skipped", skip]);
      continue;
    }
    if (failed && !keepGoing) {
      results.push([name, "not run", ""]);
      continue;
    }
    heading(`[${index + 1}/${stages.length}] ${name}${usual ? `, ${roughly(usual)}` : ""}`);
    const start = performance.now();
    const code = await run();
    failed ||= code !== 0;
    if (code !== 0) failures.push(name, ...(list?.() ?? []).map((line) => `  ${line}`));
    const seconds = (performance.now() - start) / 1000;
    if (code === 0) keepTimes({ [name]: seconds });
    results.push([
      name,
      code === 0 ? "passed" : "failed",
      `${seconds.toFixed(1)} s${code === 0 ? "" : `, exit code ${code}`}`,
    ]);
  }
  const width = Math.max(...results.map(([name]) => name.length));
  console.log(`\n${bold(title)}`);
  for (const [name, result, remark] of results) {
    console.log(`  ${name.padEnd(width)}  ${MARKS[result]}${remark ? `  ${dim(remark)}` : ""}`);
  }
  if (failed) {
    console.log(`\n${bold("What failed")}`);
    for (const line of failures) console.log(`  ${red(line)}`);
    if (process.env[LIST]) fs.appendFileSync(process.env[LIST], `${failures.join("\n")}\n`);
  }
  return failed ? 1 : 0;
}

module.exports = { runStages };
