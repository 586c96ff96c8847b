"use strict";

// What is measured.
//
// A case: `name` (for --case), `title`, `mode` and `args` of the load generator, and `by`, the figure
// that the ratio is made of. `quick` replaces arguments under --quick.

/** @typedef {"per_s" | "cpu_us" | "kib_per_connection"} Figure */
/**
 * @typedef {{ name: string, title: string, mode: string, by: Figure,
 *   args: Record<string, number>, quick?: Record<string, number> }} Case
 */

/** @type {Case[]} */
const cases = [
  {
    name: "echo",
    title: "echo 32 B, 100 × 1 in flight",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 1, size: 32 },
  },
  {
    name: "echo4",
    title: "echo 32 B, 100 × 4",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 32 },
  },
  {
    name: "echo4k",
    title: "echo 4 KB, 100 × 4",
    mode: "echo",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 4096 },
  },
  {
    name: "ack",
    title: "ack 32 B, 100 × 4",
    mode: "ack",
    by: "per_s",
    args: { conns: 100, depth: 4, size: 32 },
  },
  {
    name: "broadcast",
    title: "io.emit to 1,000, 1 outstanding",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 1000, window: 1, size: 32 },
  },
  {
    name: "broadcast4",
    title: "io.emit to 1,000, 4 outstanding",
    mode: "broadcast",
    by: "per_s",
    args: { conns: 1000, window: 4, size: 32 },
  },
  {
    name: "storm",
    title: "connects, 50 at a time",
    mode: "storm",
    by: "per_s",
    args: { conns: 50 },
  },
  {
    name: "idle",
    title: "idle connections",
    mode: "idle",
    by: "kib_per_connection",
    args: { conns: 15_000, secs: 3 },
    quick: { conns: 5000, secs: 1 },
  },
  {
    name: "paced",
    title: "echo 32 B, paced 5,000/s",
    mode: "echo",
    by: "cpu_us",
    args: { conns: 100, rate: 5000, size: 32 },
  },
];

module.exports = { cases };
