"use strict";

// What the threads of a process have used so far, by the kernel's books.

const fs = require("node:fs");

/**
 * @typedef {object} Use
 * @property {number} workers CPU time of the worker threads, µs
 * @property {number} main CPU time of the JavaScript thread, µs
 * @property {number} waits how often a worker thread gave its core up: to sleep until there is something to do, or for a lock
 */

/**
 * @param {number} pid
 * @returns {Use}
 */
function use(pid) {
  const use = { workers: 0, main: 0, waits: 0 };
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
    const read = (/** @type {string} */ file) =>
      fs.readFileSync(`/proc/${pid}/task/${thread}/${file}`, "utf8");
    const worker = read("comm").startsWith("ferrosocket");
    if (!worker && Number(thread) !== pid) continue;
    use[worker ? "workers" : "main"] += Number(read("schedstat").split(" ")[0]) / 1000;
    if (worker) use.waits += Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(read("status"))?.[1]);
  }
  return use;
}

/**
 * @param {Use} before
 * @param {Use} after
 * @param {number} messages what the difference is divided by
 * @returns {Use} for each message
 */
function perMessage(before, after, messages) {
  return {
    workers: (after.workers - before.workers) / messages,
    main: (after.main - before.main) / messages,
    waits: (after.waits - before.waits) / messages,
  };
}

module.exports = { use, perMessage };
