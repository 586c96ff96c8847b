"use strict";

/** Every operation of the API that reaches other nodes, by each of the official adapters. */

const assert = require("node:assert/strict");
const { eventually, until } = require("../support/waiting");
const { clusterScenario } = require("./cluster");

/** Three nodes with a client each, and one more on the second; and clients of another namespace. */
async function settle(stage) {
  const [a, b, c] = stage.nodes;
  const a1 = await stage.client("a1", a, { rooms: ["red"] });
  const b1 = await stage.client("b1", b, { rooms: ["red", "blue"] });
  const b2 = await stage.client("b2", b, { rooms: ["blue"], transports: ["polling"] });
  const c1 = await stage.client("c1", c, { transports: ["polling", "websocket"] });
  await stage.client("other a", a, { nsp: "/other", rooms: ["red"] });
  await stage.client("other c", c, { nsp: "/other" });
  return { a, b, c, a1, b1, b2, c1 };
}

clusterScenario("broadcasts", { variants: true }, async (stage) => {
  const { tell } = stage;
  const { a, b, c, a1, b1, b2, c1 } = await settle(stage);
  const bytes = Buffer.from([0, 1, 2, 0xff]);
  const large = "long ".repeat(4_000);

  for (const [name, node] of Object.entries({ a, b, c })) {
    const chain = () => node.of("/");
    await tell(node, chain().emit("event", name, "to all"), ["a1", "b1", "b2", "c1"]);
    await tell(node, chain().to("red").emit("event", name, "to a room"), ["a1", "b1"]);
    await tell(node, chain().in(["red", "blue"]).emit("event", name, "to two"), ["a1", "b1", "b2"]);
    await tell(node, chain().to("red").to("blue").except("red").emit("event", name, "but one"), [
      "b2",
    ]);
    await tell(node, chain().except(["red", "blue"]).emit("event", name, "to others"), ["c1"]);
    await tell(node, chain().to(c1.id).emit("event", name, "to one"), ["c1"]);
    await tell(node, chain().to("nobody").emit("event", name, "to nobody"), []);
    await tell(node, chain().to("red").volatile.emit("event", name, "volatile"), ["a1", "b1"]);
    await tell(node, chain().compress(false).emit("event", name, "as it is"), [
      "a1",
      "b1",
      "b2",
      "c1",
    ]);
    await tell(node, chain().emit("event", name, { deep: [bytes] }, bytes), [
      "a1",
      "b1",
      "b2",
      "c1",
    ]);
    await tell(node, chain().to("red").emit("event", name, large, "ünïcödé 🎈", null, 1.5), [
      "a1",
      "b1",
    ]);
    await tell(node, node.of("/other").emit("event", name, "elsewhere"), ["other a", "other c"]);
    await tell(node, node.of("/other").to("red").emit("event", name, "a room there"), ["other a"]);
  }
  await tell(a, a.of("/").local.emit("event", "local"), ["a1"]);
  await tell(b, b.of("/").local.to("red").emit("event", "local, to a room"), ["b1"]);

  const socket = b.socket(b1.id);
  await tell(b, socket.emit("event", "to itself"), ["b1"]);
  await tell(b, socket.broadcast.emit("event", "to all others"), ["a1", "b2", "c1"]);
  await tell(b, socket.to("red").emit("event", "to others in the room"), ["a1"]);
  await tell(b, socket.to(["red", "blue"]).emit("event", "in both"), ["a1", "b2"]);
  await tell(b, socket.except("blue").emit("event", "not in"), ["a1", "c1"]);
  await tell(b, b.socket(b2.id).to(a1.id).emit("event", "to one"), ["a1"]);
});

clusterScenario("acks of a broadcast", {}, async (stage) => {
  const { trace } = stage;
  const { a, b } = await settle(stage);
  const ask = async (what, call) => {
    const answers = await call.then(
      (responses) => ({ responses }),
      ({ message, responses }) => ({ message, responses }),
    );
    answers.responses.sort();
    trace("acks", what, answers);
    return answers;
  };

  const all = await ask("all answer", a.of("/").timeout(10_000).emitWithAck("ask", 1));
  assert.deepEqual(all, { responses: ["a1", "b1", "b2", "c1"] });
  const room = await ask("a room", b.of("/").to("red").timeout(10_000).emitWithAck("ask"));
  assert.deepEqual(room, { responses: ["a1", "b1"] });
  const bytes = b.of("/").except("red").timeout(10_000).emitWithAck("ask", Buffer.from("bytes"));
  assert.deepEqual(await ask("with bytes", bytes), { responses: ["b2", "c1"] });
  const nobody = await ask(
    "nobody is there",
    a.of("/").to("nobody").timeout(1_000).emitWithAck("ask"),
  );
  assert.deepEqual(nobody.responses, []);
  // some adapters wait for other nodes in spite of "local"
  const local = await ask("here only", b.of("/").local.timeout(1_000).emitWithAck("ask"));
  assert.deepEqual(local.responses, ["b1", "b2"]);

  const some = await ask("some answer", b.of("/").timeout(2_000).emitWithAck("ask some"));
  assert.deepEqual(some, { message: "operation has timed out", responses: ["a1"] });
  const none = await ask("none answers", b.of("/").timeout(200).emitWithAck("unheard of"));
  assert.deepEqual(none, { message: "operation has timed out", responses: [] });
});

clusterScenario("sockets of other nodes", { variants: true }, async (stage) => {
  const { known, left, reach, tell, trace, nodes } = stage;
  const { a, b, c, a1, b1, b2, c1 } = await settle(stage);

  for (const [name, node] of Object.entries({ a, b, c })) {
    const all = known(await node.of("/").fetchSockets());
    assert.deepEqual(all, [
      ["a1", ["red"]],
      ["b1", ["blue", "red"]],
      ["b2", ["blue"]],
      ["c1", []],
    ]);
    trace("sockets", name, all, known(await node.of("/other").fetchSockets()));
    trace("of a room", name, known(await node.of("/").in("red").except("blue").fetchSockets()));
    trace("of this node", name, known(await node.of("/").local.fetchSockets()));
    // an older way to ask; not each adapter answers it for other nodes
    const ids = await node.of("/").in("blue").allSockets();
    trace("all sockets", name, [b1, b2].filter(({ id }) => ids.includes(id)).length);
  }

  await a.of("/").in("blue").socketsJoin(["green", "yellow"]);
  await reach(b1, (from) => from.to("green"));
  await reach(b2, (from) => from.to("yellow"));
  await tell(c, c.of("/").to("green").emit("event", "green"), ["b1", "b2"]);
  await c.of("/").in(b1.id).socketsLeave("green");
  await left(b1, b, "green");
  await tell(c, c.of("/").to("green").emit("event", "green still"), ["b2"]);
  await b.of("/").socketsJoin("everybody");
  for (const client of [a1, c1]) await reach(client, (from) => from.to("everybody"));
  await tell(a, a.of("/").to("everybody").emit("event", "everybody"), ["a1", "b1", "b2", "c1"]);
  for (const node of nodes) trace("rooms", known(await node.of("/").fetchSockets()));

  const ends = [until(b1, "disconnect"), until(b2, "disconnect")];
  await a.of("/").in("blue").disconnectSockets();
  await Promise.all(ends);
  await tell(a, a.of("/").emit("event", "who is left"), ["a1", "c1"]);
  const closed = until(c1, "disconnect");
  await a.of("/").in(c1.id).disconnectSockets(true);
  await closed;
  await tell(b, b.of("/").emit("event", "one is left"), ["a1"]);
  trace("left", known(await c.of("/").fetchSockets()));
});

/** Waits until a node has been told so much by others. */
const told = (node, count) => eventually(() => node.told.length >= count, "what others say");

clusterScenario("events between servers", {}, async (stage) => {
  const { nodes, trace } = stage;
  const { a, b, c } = await settle(stage);

  await a.of("/").serverSideEmit("told", "by a", 1, { deep: [true] });
  await b.of("/other").serverSideEmit("told", "by b");
  await c.of("/").serverSideEmit("told", "by c");
  await Promise.all([told(a, 2), told(b, 2), told(c, 2)]);
  // nobody hears what it says itself; of two that speak, either may come first
  for (const [index, node] of nodes.entries())
    trace(`told to ${index}`, node.told.map((one) => one.slice()).sort());

  for (const [name, node] of Object.entries({ a, b, c })) {
    const answers = await node.of("/").serverSideEmitWithAck("asked", name);
    trace("answers", name, answers.sort());
    assert.equal(answers.length, 2);
  }
  trace("elsewhere", (await a.of("/other").serverSideEmitWithAck("asked", 1)).sort());
  await assert.rejects(
    async () => a.of("/").serverSideEmitWithAck("asked in vain"),
    (error) => {
      trace("in vain", error.message, error.responses);
      return true;
    },
  );
});
