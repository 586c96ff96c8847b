"use strict";

/** Redis that goes away and comes back, and nodes that are killed. */

const assert = require("node:assert/strict");
const { until } = require("../support/waiting");
const { clusterScenario } = require("./cluster");

const onRedis = { of: ({ needs }) => needs === "redis", nodes: 2 };

clusterScenario("Redis is killed and comes back", onRedis, async (stage) => {
  const { reach, service, tell } = stage;
  const [a, b] = stage.nodes;
  const a1 = await stage.client("a1", a, { rooms: ["red"] });
  const b1 = await stage.client("b1", b, { rooms: ["red"], transports: ["polling"] });
  await tell(a, a.of("/").to("red").emit("event", "before"), ["a1", "b1"]);

  const got = { a1: [], b1: [] };
  a1.on("meanwhile", (number) => got.a1.push(number));
  b1.on("meanwhile", (number) => got.b1.push(number));
  await service.fail();
  for (let number = 0; number < 20; number++)
    await a
      .of("/")
      .to(number % 2 ? "red" : [])
      .emit("meanwhile", number);
  // whatever comes of it, it ends
  const asked = [a.of("/").fetchSockets(), b.of("/").serverSideEmitWithAck("asked")];
  const ends = Promise.allSettled(asked.map(async (answer) => answer));
  await service.comeBack();
  await ends;

  for (const client of [a1, b1]) {
    await reach(client);
    await reach(client, (from) => from.to("red"));
  }
  await tell(b, b.of("/").to("red").emit("event", "after"), ["a1", "b1"]);
  await tell(a, a.of("/").emit("event", "to all"), ["a1", "b1"]);
  // what others missed is lost; nothing comes twice, or out of order
  for (const [name, numbers] of Object.entries(got))
    assert.deepEqual(
      [...new Set(numbers)].sort((x, y) => x - y),
      numbers,
      name,
    );
  assert.equal(got.a1.length, 20);
  assert.deepEqual(stage.known(await a.of("/").fetchSockets()), [
    ["a1", ["red"]],
    ["b1", ["red"]],
  ]);
});

/** What a request comes to; if it fails, the answers that it got all the same. */
const outcome = async (ask) => ask().catch(({ responses }) => responses);

clusterScenario("a node is killed", {}, async (stage) => {
  const { tell } = stage;
  const [a, b, c] = stage.nodes;
  await stage.client("a1", a, { rooms: ["red"] });
  await stage.client("b1", b, { rooms: ["red"] });
  const c1 = await stage.client("c1", c, { rooms: ["red"] });
  const ended = until(c1, "disconnect");
  await c.kill();
  await ended;
  await tell(a, a.of("/").to("red").emit("event", "to those who are left"), ["a1", "b1"]);
  // Each of these ends, and has what those who are left say. Whether it is known by then that the third is gone depends on the
  // adapter, and on when it looked last.
  await outcome(async () => b.of("/").fetchSockets());
  const answers = await outcome(async () => b.of("/").serverSideEmitWithAck("asked"));
  assert.deepEqual(answers, [[[], ["a1"]]]);
  const acks = await outcome(async () => b.of("/").timeout(1_000).emitWithAck("ask"));
  assert.deepEqual(acks.sort(), ["a1", "b1"]);
});
