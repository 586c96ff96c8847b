"use strict";

/** `@socket.io/sticky`: all workers of node:cluster behind one port, each session with one of them. */

const assert = require("node:assert/strict");
const { clusterScenario } = require("./cluster");

const settings = { of: ({ inCluster }) => inCluster, options: { sticky: true } };

const TRANSPORTS = { p: ["polling"], w: ["websocket"], u: ["polling", "websocket"] };

clusterScenario("clients behind one port", settings, async (stage) => {
  const { tell, trace, known } = stage;
  const [a, b, c] = stage.nodes;
  const names = [];
  for (const [kind, transports] of Object.entries(TRANSPORTS))
    for (const number of [1, 2, 3, 4]) {
      const name = `${kind}${number}`;
      const client = await stage.client(name, a, { transports, rooms: [kind] });
      names.push(name);
      if (transports.length > 1 && client.io.engine.transport.name === "polling")
        await new Promise((resolve) => client.io.engine.once("upgrade", resolve));
    }
  const of = (kind) => names.filter((name) => name.startsWith(kind));
  const long = "long ".repeat(20_000);

  for (const [name, node] of Object.entries({ a, b, c })) {
    await tell(node, node.of("/").emit("event", name, "to all", long.length), names);
    await tell(node, node.of("/").to("p").emit("event", name, long), of("p"));
    await tell(node, node.of("/").except("u").emit("event", name), [...of("p"), ...of("w")]);
    const answers = await node.of("/").timeout(10_000).emitWithAck("ask", long);
    assert.deepEqual(answers.sort(), names.slice().sort());
  }
  trace("sockets", known(await b.of("/").fetchSockets()));
  for (const client of Object.values(stage.clients)) {
    const answer = await client.timeout(10_000).emitWithAck("echo", long);
    assert.equal(answer, long);
  }
});
