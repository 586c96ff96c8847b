"use strict";

/**
 * What the program throws while a client is served lands where it lands upstream, whoever the client is and however it has
 * come in; nobody else notices, and nothing stays counted that upstream does not count.
 *
 * The table is support/throwing-programs.js. Each side plays all of it in one process of its own, see children/throws.js.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { spawn } = require("../support/child");
const { oracle, ours, selected } = require("../support/implementations");
const { table } = require("../support/throwing-programs");

/** An hour on a slow machine is a minute on this one. */
const DEADLINE = 60_000;

async function play(implementation, door, transport) {
  const child = spawn("throws", implementation, { args: [door, transport] });
  const results = new Map();
  try {
    for (;;) {
      const message = await child.message(DEADLINE);
      if (message === null) return results;
      results.set(message.name, message.result);
    }
  } finally {
    child.kill();
  }
}

const sides = selected();
for (const transport of ["websocket", "polling"]) {
  test(`what a program throws [${transport}]`, async (t) => {
    const expected = sides.includes(oracle) ? await play(oracle, "node", transport) : undefined;
    for (const door of sides.includes(ours) ? ["fast", "node", "tls"] : []) {
      const played = await play(ours, door, transport);
      for (const row of table) {
        const result = played.get(row.name);
        if (result === undefined) continue;
        await t.test(`${row.name} [${door}]`, () => {
          const upstream = expected?.get(row.name);
          for (const [what, count] of Object.entries(result.left))
            assert.ok(count <= (upstream?.left[what] ?? 0), `${count} ${what} stay`);
          if (upstream === undefined) return;
          const { fired, landed, seen, alive } = upstream;
          assert.deepEqual([result.fired, result.landed], [fired, row.quiet ? [] : landed]);
          if (!row.stuck) assert.deepEqual([result.seen, result.alive], [seen, alive]);
        });
      }
    }
  });
}
