"use strict";

/** What does not fit, and what Redis does not allow. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { RedisStage } = require("./stage");

test("a broadcast that is larger than what may wait is sent when nothing waits", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server({ maxBufferedBytes: 1_000 });
  const b = await stage.server();
  await stage.meet(a, b);
  const client = await stage.client(b);
  await stage.reach(a, client);
  const large = new Promise((resolve) => client.once("large", resolve));
  while (a.link.stats().buffered > 0) await new Promise((resolve) => setImmediate(resolve));
  a.io.emit("large", "x".repeat(100_000));
  assert.equal((await large).length, 100_000);
});

test("what Redis refuses to tell is not asked for again and again", async (t) => {
  const stage = await RedisStage.open(t);
  const a = await stage.server({ requestsTimeout: 200 });
  const publisher = await stage.publisher();
  await publisher.sendCommand(["ACL", "SETUSER", "default", "-pubsub"]);
  assert.equal(await a.io.of("/").adapter.serverCount(), 1);
  const info = await publisher.sendCommand(["INFO", "commandstats"]);
  const [, rejected] = /cmdstat_pubsub.*rejected_calls=(\d+)/.exec(info) ?? [];
  assert.ok(Number(rejected) < 5, info);
});
