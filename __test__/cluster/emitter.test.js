"use strict";

/** `@socket.io/redis-emitter`: a process without a server tells a cluster's clients. */

const { Emitter } = require("@socket.io/redis-emitter");
const { until } = require("../support/waiting");
const { nodeRedis } = require("./adapters");
const { clusterScenario } = require("./cluster");

const settings = { of: ({ emitter }) => emitter, nodes: 2 };

clusterScenario("an emitter from outside", settings, async (stage) => {
  const { expect, known, left, reach, trace } = stage;
  const [a, b] = stage.nodes;
  await stage.client("a1", a, { rooms: ["red"] });
  const b1 = await stage.client("b1", b, { rooms: ["red", "blue"] });
  await stage.client("b2", b, { rooms: ["blue"], transports: ["polling"] });
  await stage.client("other", a, { nsp: "/other", rooms: ["red"] });

  const redis = await nodeRedis(stage.service.path);
  stage.defer(() => redis.destroy());
  const emitter = new Emitter(redis);
  /** Tells by the emitter, and goes on when Redis has it: the mark that follows comes from a node. */
  const told = async (call, names) => {
    const reached = expect(names);
    call();
    await redis.ping();
    await reached(a);
  };

  await told(() => emitter.emit("event", "to all", 1, { deep: [null] }), ["a1", "b1", "b2"]);
  await told(() => emitter.to("red").emit("event", "to a room"), ["a1", "b1"]);
  await told(() => emitter.to(["red", "blue"]).except("red").emit("event", "but one"), ["b2"]);
  await told(() => emitter.except("blue").emit("event", "to others"), ["a1"]);
  await told(() => emitter.to(b1.id).emit("event", "to one", Buffer.from([0, 255])), ["b1"]);
  await told(() => emitter.volatile.to("red").emit("event", "volatile"), ["a1", "b1"]);
  await told(() => emitter.compress(false).emit("event", "as it is"), ["a1", "b1", "b2"]);
  await told(() => emitter.of("/other").emit("event", "elsewhere"), ["other"]);
  await told(() => emitter.of("/other").to("red").emit("event", "a room there"), ["other"]);

  emitter.in("blue").socketsJoin("green");
  await reach(b1, (from) => from.to("green"));
  await told(() => emitter.to("green").emit("event", "green"), ["b1", "b2"]);
  emitter.in(b1.id).socketsLeave("green");
  await left(b1, b, "green");
  await told(() => emitter.to("green").emit("event", "green still"), ["b2"]);
  trace("rooms", known(await a.of("/").fetchSockets()));

  emitter.serverSideEmit("told", "by the emitter", 1);
  for (const node of [a, b]) {
    while (node.told.length === 0) await node.of("/").local.fetchSockets();
    trace("told", node.told);
  }
  const ended = until(b1, "disconnect");
  emitter.in(b1.id).disconnectSockets();
  await ended;
  await told(() => emitter.emit("event", "who is left"), ["a1", "b2"]);
});
