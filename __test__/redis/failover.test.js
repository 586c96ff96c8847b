"use strict";

/** A Redis that dies while messages flow, and another one that takes its place: what comes, comes once, and it goes on. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { test } = require("node:test");
const { createServer } = require("node:http");
const { io: connect } = require("socket.io-client");
const { Server } = require("../..");
const { createAdapter } = require("../../redis");
const {
  command,
  freePort,
  RedisCluster,
  start,
  untilAnswer,
} = require("../support/redis-processes");
const { eventually, turns, until, within } = require("../support/waiting");
const { ready } = require("./stage");

const LIMIT = { timeout: 180_000 };

/** ms; a node that hangs is given up later. */
const PATIENCE = 8_000;

/** Rooms whose channels are in all parts of a Redis Cluster. */
const ROOMS = Array.from({ length: 24 }, (_, index) => `room ${index}`);

/** A server whose clients are in all rooms. */
async function open(t, options, serverOptions = {}) {
  const httpServer = createServer();
  const adapter = createAdapter({ requestsTimeout: 2_000, maxBackoff: 200, ...options });
  const io = new Server(httpServer, { adapter, ...serverOptions });
  t.after(() => within(io.close(), "a server to close"));
  io.on("connection", (socket) => socket.join(ROOMS));
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const link = io.of("/").adapter.redis;
  const server = { io, link, port: httpServer.address().port };
  await within(ready(link), "the link");
  return server;
}

/** A client, with what has come of each room. */
async function listen(t, { port }) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
  });
  t.after(() => client.disconnect());
  client.got = new Map(ROOMS.map((room) => [room, []]));
  client.on("number", (room, number) => client.got.get(room).push(number));
  client.reached = new Set();
  client.on("reach", (room) => client.reached.add(room));
  await until(client, "connect");
  return client;
}

/** Waits until what one server says in each room comes to a client of another. */
async function reach({ io }, client) {
  client.reached.clear();
  const asking = async () => {
    while (client.reached.size < ROOMS.length) {
      for (const room of ROOMS) if (!client.reached.has(room)) io.to(room).emit("reach", room);
      await turns(50);
    }
  };
  await within(asking(), "what is said to come in all rooms");
}

/** Says numbers in all rooms, again and again, until it is stopped; gives how many were said in each. */
function flow({ io }) {
  let number = 0;
  let going = true;
  const talking = (async () => {
    while (going) {
      for (const room of ROOMS) io.to(room).emit("number", room, number);
      number++;
      await turns(20);
    }
  })();
  return {
    async stop() {
      going = false;
      await talking;
      return number;
    },
    /** Waits until so many more have been said. */
    async more(count) {
      const goal = number + count;
      await eventually(() => number >= goal, "more numbers");
    },
  };
}

const upTo = (count) => Array.from({ length: count }, (_, index) => index);

/** Nothing twice, and in order. */
function assertOnce(client) {
  for (const [room, numbers] of client.got)
    for (let i = 1; i < numbers.length; i++)
      assert.ok(numbers[i] > numbers[i - 1], `${numbers[i - 1]}, ${numbers[i]} in ${room}`);
}

/** Requests end, with an answer of all. */
async function assertTogether(a, b, count = 1) {
  const meeting = async () => {
    while ((await a.io.of("/").adapter.serverCount()) !== 2) await turns(50);
  };
  await within(meeting(), "both to meet again");
  const asking = async () => {
    for (;;) {
      const sockets = await a.io.fetchSockets().catch(() => []);
      if (sockets.length === count) return;
    }
  };
  await within(asking(), "an answer");
  // in streams mode, what is asked and what is published go by connections of their own
  const ready = async () => {
    while (b.link.state !== "ready") await turns(50);
  };
  await within(ready(), "all connections to be there");
}

/** Where a link of a classic cluster has subscribed. */
async function homes(cluster) {
  const counts = new Map();
  for (const port of cluster.ports) {
    const list = String(await command(port, "CLIENT", "LIST", "TYPE", "pubsub"));
    counts.set(port, list.split("\n").filter(Boolean).length);
  }
  return counts;
}

for (const subscriptionMode of ["static", "dynamic"])
  test(`a primary of a Redis Cluster dies, classic, ${subscriptionMode}`, LIMIT, async (t) => {
    const cluster = await RedisCluster.open(t, { replicas: 1 });
    const options = { url: cluster.url, cluster: true, subscriptionMode };
    const [a, b] = [await open(t, options), await open(t, options)];
    const client = await listen(t, b);
    await reach(a, client);
    const numbers = flow(a);
    await numbers.more(20);
    // one that somebody has subscribed at
    const [home] = [...(await homes(cluster))].find(([, count]) => count > 0);
    await cluster.kill(home);
    await numbers.more(20);
    await cluster.failedOver(home);
    await reach(a, client);
    await numbers.more(20);
    await numbers.stop();
    await reach(a, client);
    assertOnce(client);
    await assertTogether(a, b);
  });

test("a primary of a Redis Cluster dies, sharded", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t, { replicas: 1 });
  const options = { url: cluster.url, cluster: true, sharded: true };
  const [a, b] = [await open(t, options), await open(t, options)];
  const client = await listen(t, b);
  await reach(a, client);
  const dead = await cluster.primaryOf(`socket.io#/#${ROOMS[0]}#`);
  const untouched = [];
  for (const room of ROOMS)
    if ((await cluster.primaryOf(`socket.io#/#${room}#`)) !== dead) untouched.push(room);
  assert.ok(untouched.length > 0 && untouched.length < ROOMS.length);
  const numbers = flow(a);
  await numbers.more(20);
  await cluster.kill(dead);
  await numbers.more(20);
  await cluster.failedOver(dead);
  await reach(a, client);
  await numbers.more(20);
  const count = await numbers.stop();
  await reach(a, client);
  assertOnce(client);
  // who is at other nodes has missed nothing
  for (const room of untouched) assert.deepEqual(client.got.get(room), upTo(count), room);
  await assertTogether(a, b);
});

/** Ends all connections to a Redis but its own. */
async function cut(port) {
  await command(port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await command(port, "CLIENT", "KILL", "TYPE", "pubsub");
}

test("all connections to a Redis Cluster are cut, again and again", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t);
  for (const mode of [{}, { sharded: true }, { streams: true }]) {
    const options = { url: cluster.url, cluster: true, ...mode };
    const [a, b] = [await open(t, options), await open(t, options)];
    const client = await listen(t, b);
    await reach(a, client);
    const numbers = flow(a);
    for (let round = 0; round < 5; round++) {
      await numbers.more(5);
      // the command's own connection may be among those that another round cuts
      await Promise.allSettled(cluster.ports.map(cut));
    }
    await reach(a, client);
    const count = await numbers.stop();
    await reach(a, client);
    assertOnce(client);
    if (mode.streams) {
      const all = () => [...client.got.values()].every((numbers) => numbers.length >= count);
      await eventually(all, "all numbers");
      for (const [room, numbers] of client.got) assert.deepEqual(numbers, upTo(count), room);
    }
    await assertTogether(a, b);
    await Promise.all([a.io.close(), b.io.close()]);
  }
});

const descriptors = () => fs.readdirSync("/proc/self/fd").length;
const hasProc = fs.existsSync("/proc/self/fd") ? LIMIT : { ...LIMIT, skip: "without /proc" };

test("servers of a Redis Cluster that are closed leave no descriptors", hasProc, async (t) => {
  const cluster = await RedisCluster.open(t);
  const comeAndGo = async (mode) => {
    const { io } = await open(t, { url: cluster.url, cluster: true, ...mode });
    io.emit("said");
    await io.close();
  };
  for (const mode of [{}, { sharded: true }, { streams: true }]) {
    await comeAndGo(mode); // what the first one makes stays for the next
    const before = descriptors();
    for (let round = 0; round < 5; round++) await comeAndGo(mode);
    await eventually(() => descriptors() <= before, `descriptors of ${JSON.stringify(mode)}`);
  }
});

/** Has another node have the slot of a key. `meanwhile` is called while some of its keys are here and some there. */
async function move(cluster, key, meanwhile = async () => {}) {
  const from = await cluster.primaryOf(key);
  const to = cluster.ports.find((port) => port !== from);
  const slot = String(await command(from, "CLUSTER", "KEYSLOT", key));
  const [source, target] = [
    await command(from, "CLUSTER", "MYID"),
    await command(to, "CLUSTER", "MYID"),
  ];
  await command(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source);
  await command(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", target);
  await meanwhile();
  for (const name of await command(from, "CLUSTER", "GETKEYSINSLOT", slot, "100")) {
    await command(from, "MIGRATE", "127.0.0.1", String(to), name, "0", "5000");
    await meanwhile();
  }
  for (const port of [to, from]) await command(port, "CLUSTER", "SETSLOT", slot, "NODE", target);
}

test("a slot of a Redis Cluster moves, and so do its channels", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t);
  const options = { url: cluster.url, cluster: true, sharded: true };
  const [a, b] = [await open(t, options), await open(t, options)];
  const client = await listen(t, b);
  await reach(a, client);
  const numbers = flow(a);
  for (const room of ROOMS.slice(0, 8)) {
    await move(cluster, `socket.io#/#${room}#`);
    await numbers.more(2);
  }
  await reach(a, client);
  await numbers.stop();
  await reach(a, client);
  assertOnce(client);
  await assertTogether(a, b);
});

test("the slot of a stream moves with what is in it: nothing is missed", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t);
  const options = { url: cluster.url, cluster: true, streams: true };
  const recovery = { connectionStateRecovery: {} };
  const [a, b] = [await open(t, options, recovery), await open(t, options, recovery)];
  const clients = [await listen(t, a), await listen(t, b)];
  let count = 0;
  const tell = async () => {
    for (let more = 0; more < 20; more++, count++)
      for (const room of ROOMS) a.io.to(room).emit("number", room, count);
    const has = (numbers) => numbers.length >= count;
    const have = () => clients.every(({ got }) => [...got.values()].every(has));
    await eventually(have, `${count} numbers in each room`);
  };
  await tell();
  for (let round = 0; round < 3; round++) {
    await move(cluster, "socket.io", tell);
    await tell();
  }
  for (const { got } of clients)
    for (const [room, numbers] of got) assert.deepEqual(numbers, upTo(count), room);
  await assertTogether(a, b, 2);
});

test("the primary of a stream dies: nothing is missed", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t, { replicas: 1 });
  const options = { url: cluster.url, cluster: true, streams: true };
  const recovery = { connectionStateRecovery: {} };
  const [a, b] = [await open(t, options, recovery), await open(t, options, recovery)];
  const clients = [await listen(t, a), await listen(t, b)];
  const tell = (from, to) => {
    for (let number = from; number < to; number++)
      for (const room of ROOMS) a.io.to(room).emit("number", room, number);
  };
  const have = (count) =>
    eventually(
      () =>
        clients.every(({ got }) => [...got.values()].every((numbers) => numbers.length >= count)),
      `${count} numbers in each room`,
    );
  tell(0, 20);
  await have(20);
  const dead = await cluster.primaryOf("socket.io");
  // Redis acknowledges what its replica may not have yet
  const [, offset] = /master_repl_offset:(\d+)/.exec(await command(dead, "INFO", "replication"));
  const isThere = (info) => Number(/slave0:.*offset=(\d+)/.exec(info)?.[1]) >= Number(offset);
  await untilAnswer("its replica to have all", dead, ["INFO", "replication"], isThere);
  await cluster.kill(dead);
  tell(20, 40);
  await cluster.failedOver(dead);
  tell(40, 60);
  await have(60);
  for (const { got } of clients)
    for (const [room, numbers] of got) assert.deepEqual(numbers, upTo(60), room);
  await assertTogether(a, b, 2);
});

test("a node hangs: who is asked hears of all others", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t);
  const options = { url: cluster.url, cluster: true, requestsTimeout: PATIENCE };
  const [a, b] = [await open(t, options), await open(t, options)];
  await listen(t, b);
  const [hanging] = [...(await homes(cluster))].find(([, count]) => count === 0);
  await cluster.hang(hanging);
  assert.equal((await within(a.io.fetchSockets(), "an answer")).length, 1);
  assert.equal(await within(a.io.of("/").adapter.serverCount(), "a count"), 2);
});

test("what waits for a slot that nobody has holds up no question", LIMIT, async (t) => {
  const cluster = await RedisCluster.open(t);
  for (const port of cluster.ports)
    await command(port, "CONFIG", "SET", "cluster-require-full-coverage", "no");
  const mode = { sharded: true, requestsTimeout: PATIENCE };
  const options = { url: cluster.url, cluster: true, ...mode };
  const [a, b] = [await open(t, options), await open(t, options)];
  const slotOf = (channel) => command(cluster.ports[0], "CLUSTER", "KEYSLOT", channel);
  const used = new Set();
  for (const name of ["", `${a.io.of("/").adapter.uid}#`, `${b.io.of("/").adapter.uid}#`])
    used.add(await slotOf(`socket.io#/#${name}`));
  let [room, slot] = [0];
  do slot = await slotOf(`socket.io#/#${++room}#`);
  while (used.has(slot));
  for (const port of cluster.ports) await command(port, "CLUSTER", "DELSLOTS", String(slot));
  const waiting = until(a.link, "state");
  a.io.to(String(room)).emit("waits");
  assert.equal((await waiting)[0], "reconnecting");
  assert.equal(await within(a.io.of("/").adapter.serverCount(), "a count"), 2);
});

for (const how of ["kill", "hang"])
  test(
    `a shard that is not the stream's: ${how}; whose session is elsewhere comes back`,
    LIMIT,
    async (t) => {
      const cluster = await RedisCluster.open(t);
      for (const port of cluster.ports)
        await command(port, "CONFIG", "SET", "cluster-require-full-coverage", "no");
      const options = { url: cluster.url, cluster: true, streams: true, requestsTimeout: PATIENCE };
      const server = await open(t, options, { connectionStateRecovery: {} });
      const stream = await cluster.primaryOf("socket.io");
      const dead = cluster.ports.find((port) => port !== stream);
      const clients = [];
      let [spared, hit] = [0, 0];
      while (spared < 4 || hit < 4) {
        const client = await listen(t, server);
        const [reached] = [until(client, "pid")];
        server.io.emit("pid"); // a client can come back when it has got something
        await reached;
        client.isSpared = (await cluster.primaryOf(`sio:session:${client._pid}`)) !== dead;
        if (client.isSpared) spared++;
        else hit++;
        clients.push(client);
      }
      await cluster[how](dead);
      const back = clients.map(async (client) => {
        client.io.reconnection(true);
        const connected = until(client, "connect");
        client.io.engine.close();
        await connected;
        return client.recovered || !client.isSpared;
      });
      assert.deepEqual(new Set(await Promise.all(back)), new Set([true]));
    },
  );

for (const streams of [false, true])
  test(`a Redis dies that Sentinels watch${streams ? ", streams" : ""}`, LIMIT, async (t) => {
    const [port, other, sentinel] = [await freePort(), await freePort(), await freePort()];
    const kill = await start(t, port, [], `port ${port}\nrepl-diskless-sync-delay 0`);
    await start(t, other, [], `port ${other}\nreplicaof 127.0.0.1 ${port}`);
    await untilAnswer("the replica", other, ["INFO", "replication"], (info) =>
      info.includes("master_link_status:up"),
    );
    const config = [
      `port ${sentinel}`,
      `sentinel monitor main 127.0.0.1 ${port} 1`,
      "sentinel down-after-milliseconds main 500",
      "sentinel failover-timeout main 2000",
    ];
    await start(t, sentinel, ["--sentinel"], config.join("\n"));
    const args = ["SENTINEL", "REPLICAS", "main"];
    await untilAnswer("the Sentinel to know both", sentinel, args, (list) => list.length === 1);
    const options = { url: `redis://127.0.0.1:${sentinel}`, sentinel: "main", streams };
    const [a, b] = [await open(t, options), await open(t, options)];
    const client = await listen(t, b);
    await reach(a, client);
    const numbers = flow(a);
    await numbers.more(20);
    await kill();
    await untilAnswer("the other to be it", other, ["INFO", "replication"], (info) =>
      info.includes("role:master"),
    );
    await reach(a, client);
    await numbers.more(20);
    await numbers.stop();
    await reach(a, client);
    assertOnce(client);
    await assertTogether(a, b);
  });
