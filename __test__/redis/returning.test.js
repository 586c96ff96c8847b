"use strict";

/** Clients that come back while Redis does not answer: what they can have asked is bounded, and nobody loses a session by that. */

const assert = require("node:assert/strict");
const test = require("node:test");
const { RawWebSocket } = require("../support/raw-websocket");
const { eventually, within } = require("../support/waiting");
const { RedisStage } = require("./stage");
const { lose, moveTo, traveller } = require("./travellers");

const LIMIT = { timeout: 120_000 };
const recovery = { connectionStateRecovery: {} };

/** Notes what Redis is asked by a server. */
function noteQuestions({ link }) {
  const asked = [];
  const { restore } = link;
  link.restore = function (cluster, pid, ...rest) {
    asked.push(pid);
    return restore.call(this, cluster, pid, ...rest);
  };
  return asked;
}

/** Notes of each socket of a server whether it has come back. */
function noteRecovered({ io }) {
  const recovered = [];
  io.on("connection", (socket) => recovered.push(socket.recovered));
  return recovered;
}

/** A connection by which packets are said by hand. */
async function speaker(stage, { port }) {
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  stage.defer(() => raw.socket.destroy());
  return raw;
}

const connecting = (nsp, auth) => `40${nsp},${JSON.stringify(auth)}`;

test("a connection asks once for a namespace, and for so many of them", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const asking = { connectionStateRecovery: { skipMiddlewares: false } };
  const server = await stage.server({ streams: true }, asking);
  const others = [];
  server.io.of(/^\/any/).on("connection", (socket) => others.push(socket.nsp.name));
  const held = [];
  server.io.use((_socket, next) => held.push(next));
  const asked = noteQuestions(server);
  await stage.redis.fail();
  const raw = await speaker(stage, server);
  for (let i = 0; i < 50; i++) raw.text(connecting("/", { pid: `one${i}`, offset: "1-0" }));
  for (let i = 0; i < 150; i++) raw.text(connecting(`/any${i}`, { pid: `other${i}` }));
  // these begin anew
  await eventually(() => held.length === 49 && others.length === 51, "those that do not wait");
  assert.equal(others[0], "/any99");
  assert.equal(asked.length, 100);
  assert.equal(asked.filter((pid) => pid.startsWith("one")).length, 1);
  // and so do the others when there is no answer
  await eventually(() => held.length === 50 && others.length === 150, "all");
  await stage.redis.comeBack();
  held.length = 0;
  const coming = traveller(stage, server);
  const letIn = async () => {
    await eventually(() => held.length > 0, "the middleware to be asked");
    held.shift()();
  };
  await letIn();
  const client = await coming;
  await lose(client, server);
  const back = moveTo(client, server);
  await letIn();
  await back;
  assert.equal(client.recovered, true);
});

test("who comes again before Redis has answered has the session", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true, requestsTimeout: 60_000 }, recovery);
  const client = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the first");
  const { id } = client;
  await lose(client, server);
  server.io.emit("number", 1);
  const publisher = await stage.publisher();
  const stored = async () => {
    while ((await publisher.keys("sio:session:*")).length === 0);
  };
  await within(stored(), "the session to be stored");
  await publisher.sendCommand(["CLIENT", "PAUSE", "100000", "WRITE"]);
  const asked = noteQuestions(server);
  const impatient = await speaker(stage, server);
  const auth = { pid: client._pid, offset: client._lastOffset };
  impatient.text(connecting("/", auth));
  await eventually(() => asked.length === 1, "the first to ask");
  const back = moveTo(client, server);
  const isLetGo = () => impatient.ended || impatient.frames.some(({ opcode }) => opcode === 8);
  await eventually(isLetGo, "the first to be let go");
  await publisher.sendCommand(["CLIENT", "UNPAUSE"]);
  await back;
  assert.equal(client.recovered, true);
  assert.equal(client.id, id);
  await eventually(() => client.numbers.length >= 2, "what was missed");
  assert.deepEqual(client.numbers, [0, 1]);
  assert.equal(asked.length, 1);
});

test("a session that is found too late can be come back with", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true, requestsTimeout: 300 }, recovery);
  const client = await traveller(stage, server);
  await lose(client, server);
  const publisher = await stage.publisher();
  /** Waits until Redis has written so many texts: the session, the claim, and the session again. */
  const written = async (count) => {
    for (;;) {
      const stats = await publisher.sendCommand(["INFO", "commandstats"]);
      const [, calls] = /cmdstat_set:calls=(\d+)/.exec(stats) ?? [];
      if (Number(calls) >= count) return;
    }
  };
  await within(written(1), "the session to be stored");
  await publisher.sendCommand(["CLIENT", "PAUSE", "100000", "WRITE"]);
  const auth = { pid: client._pid };
  const recovered = noteRecovered(server);
  await traveller(stage, server, { auth });
  assert.deepEqual(recovered, [false]);
  await publisher.sendCommand(["CLIENT", "UNPAUSE"]);
  await within(written(3), "the session to be put back");
  await moveTo(client, server);
  assert.equal(client.recovered, true);
});

test("an offset that names no entry recovers nobody, and costs no session", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  const client = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the event");
  await lose(client, server);
  const recovered = noteRecovered(server);
  const pid = client._pid;
  for (const offset of ["18446744073709551616-0", "0-18446744073709551616", "1", "", "-"])
    await traveller(stage, server, { auth: { pid, offset } });
  assert.deepEqual(recovered, [false, false, false, false, false]);
  await moveTo(client, server);
  assert.equal(client.recovered, true);
});

test("of two servers one gets a session", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const servers = [
    await stage.server({ streams: true }, recovery),
    await stage.server({ streams: true }, recovery),
  ];
  const recovered = servers.map(noteRecovered);
  for (let round = 0; round < 20; round++) {
    const client = await traveller(stage, servers[0]);
    await lose(client, servers[0]);
    for (const list of recovered) list.length = 0;
    const auth = { pid: client._pid };
    const both = await Promise.all(servers.map((server) => traveller(stage, server, { auth })));
    assert.deepEqual(recovered.flat().sort(), [false, true]);
    for (const one of both) one.disconnect();
  }
});
