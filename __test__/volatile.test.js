"use strict";

/** Volatile events: nobody who reads loses one, whatever carries them; what does not read does not grow. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { spawn } = require("./support/child");
const { everything } = require("./support/board");
const { ours } = require("./support/implementations");

for (const workers of [1, 2, 4]) {
  for (const [wire, door] of Object.entries({ plain: "takeover", tls: "bridge" })) {
    test(`volatile: a cursor board with ${workers} workers, ${wire}`, async (t) => {
      const env = { FERROSOCKET_WORKERS: String(workers) };
      const child = spawn("volatile-board", ours, { args: [wire], env });
      t.after(() => child.kill());
      const { door: taken, board, unicast } = await child.message();
      assert.equal(taken, door);
      assert.deepEqual(board, everything(30, 5 * 2 * 29));
      assert.equal(unicast, 3 * 100 * 2);
      assert.equal((await child.exit()).code, 0);
    });
  }
}
