"use strict";

/** Connection state recovery on another node than the one that was lost, by the adapters that can. */

const assert = require("node:assert/strict");
const { until } = require("../support/waiting");
const { clusterScenario } = require("./cluster");

const settings = {
  of: ({ recovers }) => recovers,
  options: { connectionStateRecovery: {} },
};

/** Moves a client to another node and waits until it is connected there. */
async function moveTo(client, node) {
  client.io.uri = `http://127.0.0.1:${node.port}`;
  client.connect();
  await until(client, "connect");
}

/** Waits until a node has noticed that a client is gone. */
async function gone(node, id) {
  const here = async () => (await node.of("/").local.fetchSockets()).some((one) => one.id === id);
  while (await here());
}

clusterScenario("a client gets on another node what it has missed", settings, async (stage) => {
  const { tell, trace } = stage;
  const [a, b, c] = stage.nodes;
  const lost = await stage.client("lost", a, { rooms: ["red", "green"] });
  await stage.client("there", b, { rooms: ["red"] });
  await tell(b, b.of("/").emit("event", "before"), ["lost", "there"]);
  const { id } = lost;

  for (const [from, to] of [
    [a, c],
    [c, b],
    [b, b],
  ]) {
    lost.io.engine.close();
    await gone(from, id);
    await tell(a, a.of("/").emit("event", "missed, of all", Buffer.from([1])), ["there"]);
    await tell(b, b.of("/").to("red").emit("event", "missed, of a room"), ["there"]);
    await tell(c, c.of("/").to("green").emit("event", "missed, of another room"), []);
    await tell(c, c.of("/").to("blue").emit("event", "not for it"), []);
    await tell(a, a.of("/").except("red").emit("event", "not for it either"), []);

    const { got } = lost;
    await moveTo(lost, to);
    assert.equal(lost.recovered, true);
    assert.equal(lost.id, id);
    await tell(to, to.of("/").to("green").emit("event", "after"), ["lost"]);
    assert.equal(lost.got, got + 4);
    trace("server", stage.known(await a.of("/").fetchSockets()));
  }
});

clusterScenario("of a node that was killed, nobody is recovered", settings, async (stage) => {
  const { tell } = stage;
  const [a, b] = stage.nodes;
  const lost = await stage.client("lost", a);
  await tell(b, b.of("/").emit("event", "before"), ["lost"]);
  const ended = until(lost, "disconnect");
  await a.kill();
  await ended;
  await moveTo(lost, b);
  assert.equal(lost.recovered, false);
});
