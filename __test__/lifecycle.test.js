"use strict";

/** Processes and threads: when one ends, when one stays, and that none crashes. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { ours, selected } = require("./support/implementations");
const { spawn } = require("./support/child");

const WORKERS = 50;

for (const implementation of selected()) {
  const named = (name, run) =>
    test(`${implementation.name}: ${name}`, { timeout: 480_000 }, async (t) => {
      const start = (...args) => {
        const process = spawn(...args);
        t.after(process.kill);
        return process;
      };
      await run(start);
    });

  const clean = ({ code, signal, stderr }) =>
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });

  for (const how of ["idle", "never"]) {
    named(`a process with a closed server ends by itself (${how})`, async (start) => {
      clean(await start("exits", implementation, { args: [how] }).exit());
    });
  }

  for (const transport of ["websocket", "polling"]) {
    named(`a process ends after io.close() with a client (${transport})`, async (start) => {
      const process = start("exits", implementation, { args: ["client", transport] });
      assert.equal(await process.message(), "connected");
      process.send("io.close");
      process.send("release");
      clean(await process.exit());
    });
  }

  named("a process with a WebSocket client stays after httpServer.close()", async (start) => {
    const process = start("exits", implementation, { args: ["client", "websocket"] });
    assert.equal(await process.message(), "connected");
    process.send("httpServer.close");
    assert.equal(await process.message(), "closing");
    process.send("disconnect");
    assert.equal(await process.message(), "closed", "close waits for the client");
    process.send("release");
    clean(await process.exit());
  });

  for (const transport of ["websocket", "polling"]) {
    named(`a handler that throws loses only its own event (${transport})`, async (start) => {
      const process = start("thrower", implementation, { args: [transport] });
      const { seen, errors } = await process.message();
      assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
      assert.deepEqual(errors, ["event 1", "event 4", "event 7"]);
      clean(await process.exit());
    });
  }

  named(
    `${WORKERS} worker_threads with a server each, closed, terminated and exited`,
    async (start) => {
      const process = start("workers", implementation, { args: [String(WORKERS)] });
      const outcomes = await process.message(450_000);
      assert.equal(outcomes.close + outcomes.terminate + outcomes.exit, WORKERS);
      clean(await process.exit());
    },
  );
}

test("worker threads begin with the first server and end with the last", async (t) => {
  const child = spawn("threads", ours);
  t.after(child.kill);
  const seen = await child.message();
  const { code, stderr } = await child.exit();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const [before, ...rounds] = seen;
  assert.equal(before, 0);
  for (const [i, count] of rounds.entries()) {
    if (i % 2 === 0) assert.ok(count > 0, "threads while a server is open");
    else assert.equal(count, 0, "none after it");
  }
});

for (const how of ["closed", "again", "recovery"]) {
  test(`a copy of the package whose servers are closed can be collected (${how})`, async (t) => {
    const child = spawn("copies", ours, { args: [how], execArgv: ["--expose-gc"] });
    t.after(child.kill);
    const { left, wakers, error } = await child.message(60_000);
    assert.deepEqual({ left, wakers, error }, { left: 0, wakers: [], error: undefined });
    const { code, stderr } = await child.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });
}
