"use strict";

/** Servers that are one by a stream: what comes to whom, and what those get who come back. */

const assert = require("node:assert/strict");
const test = require("node:test");
const { io: connect } = require("socket.io-client");
const { eventually, until, within } = require("../support/waiting");
const { ready, RedisStage } = require("./stage");
const { lose, moveTo, traveller } = require("./travellers");

const LIMIT = { timeout: 120_000 };
const recovery = { connectionStateRecovery: {} };
/** The same; middlewares are asked about those who come back, too. */
const asking = { connectionStateRecovery: { skipMiddlewares: false } };

/** Waits until an event is the last one that clients have got: what two servers write has no order else. */
const come = (name, ...clients) =>
  eventually(() => clients.every(({ got }) => got.at(-1)?.[0] === name), `"${name}"`);

const upTo = (count) => Array.from({ length: count }, (_, index) => index);

test("a broadcast goes from the stream to the clients without JavaScript", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const [a, b] = [await stage.server({ streams: true }), await stage.server({ streams: true })];
  const clients = [await stage.client(a), await stage.client(b, { transports: ["polling"] })];
  for (const { io } of [a, b]) io.on("connection", (socket) => socket.join("red"));
  const red = await stage.client(b);
  await stage.meet(a, b);
  const before = [a, b].map(({ link }) => link.stats().toJavaScript);
  a.io.emit("event", "all", Buffer.from([1, 2]));
  await come("all", ...clients, red);
  b.io.to("red").emit("event", "red", { deep: [1, null, "é"] });
  await come("red", red);
  a.io.except("red").emit("event", "not red");
  await come("not red", ...clients);
  b.io.emit("event", "last");
  await come("last", ...clients, red);
  const others = [["all", Buffer.from([1, 2])], ["not red"], ["last"]];
  for (const { got } of clients) assert.deepEqual(got, others);
  assert.deepEqual(red.got, [
    ["all", Buffer.from([1, 2])],
    ["red", { deep: [1, null, "é"] }],
    ["last"],
  ]);
  assert.deepEqual(
    [a, b].map(({ link }) => link.stats().toJavaScript),
    before,
  );
});

test("all clients of all servers get all in one order", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const servers = [await stage.server({ streams: true }), await stage.server({ streams: true })];
  const clients = [];
  for (const server of servers) clients.push(await traveller(stage, server));
  for (const number of upTo(500)) servers[number % 2].io.emit("number", number);
  await eventually(() => clients.every(({ numbers }) => numbers.length === 500), "all numbers");
  assert.deepEqual(clients[0].numbers, clients[1].numbers);
  for (const parity of [0, 1]) {
    const own = clients[0].numbers.filter((number) => number % 2 === parity);
    assert.deepEqual(
      own,
      upTo(500).filter((number) => number % 2 === parity),
    );
  }
});

test("what is sent while a client is let in comes once", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const [a, b] = [
    await stage.server({ streams: true }, asking),
    await stage.server({ streams: true }, asking),
  ];
  let number = 0;
  const tell = () => [a, b][number % 2].io.to("room").emit("number", number++);
  a.io.on("connection", (socket) => socket.join("room"));
  const client = await traveller(stage, a);
  const watcher = await traveller(stage, a); // knows the order
  tell();
  await eventually(() => client.numbers.length === 1, "the first");
  await lose(client, a);
  tell();
  tell();
  await eventually(() => watcher.numbers.length === 3, "what is missed");
  // a middleware takes its time, and more is sent meanwhile
  b.io.use(async (socket, next) => {
    for (let i = 0; i < 20; i++) {
      tell();
      await eventually(() => watcher.numbers.length === number, "what is sent meanwhile");
    }
    tell();
    next();
    tell();
  });
  await moveTo(client, b);
  assert.equal(client.recovered, true);
  tell();
  await eventually(() => watcher.numbers.length === number, "all");
  await eventually(() => client.numbers.length >= number, "all that was missed");
  assert.deepEqual(client.numbers, watcher.numbers);
});

test("clients come back after all servers have been restarted", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const old = await stage.server({ streams: true }, recovery);
  old.io.on("connection", (socket) => {
    socket.join(["red", socket.handshake.auth.room]);
    socket.data.room = socket.handshake.auth.room;
  });
  const [one, two] = [
    await traveller(stage, old, { auth: { room: "one" } }),
    await traveller(stage, old, { auth: { room: "two" } }),
  ];
  old.io.emit("number", 0);
  await eventually(() => one.numbers.length + two.numbers.length === 2, "the first");
  const ids = [one.id, two.id];
  const publisher = await stage.server({ streams: true }, recovery);
  const ends = [one, two].map((client) => until(client, "disconnect"));
  await old.io.close();
  await Promise.all(ends);
  publisher.io.to("red").emit("number", 1);
  publisher.io.to("one").emit("number", 2, Buffer.from([7]));
  publisher.io.except("one").emit("number", 3);
  await publisher.io.close();

  const fresh = await stage.server({ streams: true }, recovery);
  const data = [];
  fresh.io.on("connection", (socket) => data.push([socket.recovered, socket.data]));
  await moveTo(one, fresh);
  await moveTo(two, fresh);
  fresh.io.to(["one", "two"]).emit("number", 4);
  await eventually(() => [one, two].every(({ numbers }) => numbers.at(-1) === 4), "the last");
  assert.deepEqual([one.id, two.id], ids);
  assert.deepEqual(one.numbers, [0, 1, 2, 4]);
  assert.deepEqual(two.numbers, [0, 1, 3, 4]);
  assert.deepEqual(data, [
    [true, { room: "one" }],
    [true, { room: "two" }],
  ]);
});

test("hundreds that go from server to server miss nothing", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const settings = [{ streams: { maxLen: 100_000 }, requestsTimeout: 60_000 }, recovery];
  const servers = [await stage.server(...settings), await stage.server(...settings)];
  const COUNT = 150;
  let number = 0;
  const tell = () => servers[number % 2].io.emit("number", number++);
  const publisher = await stage.publisher();
  /** The session of a client is there for other servers, and not the mark of one that has had it before. */
  const isStored = async ({ _pid: pid }) => {
    const stored = await publisher.get(`sio:session:${pid}`);
    return stored !== null && !stored.startsWith("claimed:");
  };
  const clients = await Promise.all(
    upTo(COUNT).map((index) => traveller(stage, servers[index % 2])),
  );
  tell();
  await eventually(() => clients.every(({ numbers }) => numbers.length === 1), "the first");
  for (let round = 0; round < 3; round++) {
    const moves = clients.map(async (client, index) => {
      const from = servers[(index + round) % 2];
      if (index % 3 === 0) {
        // it comes back to the same one, which may not have noticed yet
        client.io.engine.close();
        await moveTo(client, from);
      }
      tell();
      await lose(client, from);
      tell();
      while (!(await isStored(client)));
      await moveTo(client, servers[(index + round + 1) % 2]);
      assert.equal(client.recovered, true);
      tell();
    });
    await within(Promise.all(moves), "all to move", 60_000);
  }
  await eventually(() => clients.every(({ numbers }) => numbers.length >= number), "all numbers");
  const [{ numbers: order }] = clients;
  assert.deepEqual(
    [...order].sort((x, y) => x - y),
    upTo(number),
  );
  for (const { numbers } of clients) assert.deepEqual(numbers, order);
});

test("who has missed more than there is begins anew", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: { maxLen: 10 } }, recovery);
  const client = await traveller(stage, server);
  const watcher = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the first");
  await lose(client, server);
  for (const number of upTo(1_000)) server.io.emit("number", number);
  await eventually(() => watcher.numbers.length === 1_001, "all");
  const publisher = await stage.publisher();
  await publisher.xTrim("socket.io", "MAXLEN", 10);
  await moveTo(client, server);
  assert.equal(client.recovered, false);
  assert.deepEqual(client.numbers, [0]);
});

test("a client that has got nothing yet gets all of its session", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  const watcher = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => watcher.numbers.length === 1, "the first");
  const client = await traveller(stage, server);
  await lose(client, server);
  server.io.emit("number", 1);
  await eventually(() => watcher.numbers.length === 2, "the second");
  await moveTo(client, server);
  assert.equal(client.recovered, true);
  server.io.emit("number", 2);
  await eventually(() => client.numbers.length >= 2, "what is missed");
  assert.deepEqual(client.numbers, [1, 2]);
});

test("offsets that are none, and sessions of others, recover nobody", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  const publisher = await stage.publisher();
  await publisher.set("sio:session:text", "!");
  await publisher.set("sio:session:json", Buffer.from('{"sid":1}').toString("base64"));
  const client = await traveller(stage, server);
  const id = "99999999999999-0";
  for (const auth of [
    { pid: "text", offset: "0-0" },
    { pid: "json", offset: "0-0" },
    { pid: "nobody", offset: "0-0" },
    { pid: client._pid, offset: "1" },
    { pid: client._pid, offset: id },
    { pid: "*", offset: id },
    { pid: "nobody" },
    { pid: 1, offset: 2 },
  ]) {
    const other = await traveller(stage, server, { auth });
    assert.equal(other.recovered, false);
  }
});

test("a session of one namespace is of no use in another one", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  server.io.of("/admin").use((_socket, next) => next(new Error("not you")));
  const client = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the event");
  await lose(client, server);
  const auth = { pid: client._pid, offset: client._lastOffset };
  const other = connect(`http://127.0.0.1:${server.port}/admin`, {
    auth,
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
  });
  stage.defer(() => other.disconnect());
  const outcome = new Promise((resolve) => {
    other.once("connect_error", resolve);
    other.once("connect", () => resolve(undefined));
  });
  const error = await within(outcome, "the other one to be let in or not");
  assert.equal(error?.message, "not you");
  assert.deepEqual([...server.io.of("/admin").sockets], []);
});

test("Redis has lost what a client has missed: it begins anew", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  const client = await traveller(stage, server);
  const watcher = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the first");
  const offset = client._lastOffset;
  server.io.emit("number", 1);
  await eventually(() => watcher.numbers.length === 2, "the second");
  await (await stage.publisher()).del("socket.io");
  server.io.emit("number", 2);
  await eventually(() => watcher.numbers.length === 3, "the third");
  await lose(client, server);
  client._lastOffset = offset; // as if the second had not come
  await moveTo(client, server);
  assert.equal(client.recovered, false);
});

test("what is no entry is dropped and counted", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, recovery);
  const publisher = await stage.publisher();
  const client = await traveller(stage, server);
  client.on("event", (...args) => client.numbers.push(args[0]));
  const entry = (fields) => publisher.xAdd("socket.io", "*", fields);
  const good = { uid: "you", nsp: "/", type: "3" };
  const bad = [
    { a: "b" },
    { uid: "you", nsp: "/", type: "x" },
    good,
    { ...good, data: "{" },
    { ...good, data: "!" },
    { ...good, data: "gqdwYWNrZXQ=" },
    { ...good, data: '{"packet":{"type":2,"data":[]},"opts":{"rooms":[],"except":[]}}' },
    { ...good, data: '{"packet":{"type":2,"data":"x"},"opts":{"rooms":[],"except":[]}}' },
    { ...good, data: '{"packet":{"type":9,"data":["a"]},"opts":{"rooms":[],"except":[]}}' },
    { ...good, data: '{"packet":{"type":2,"data":["a"]},"opts":{"rooms":"x"}}' },
    { ...good, type: "4", data: '{"opts":{"rooms":[]},"rooms":1}' },
    { ...good, type: "250", data: "{}" },
  ];
  for (const fields of bad) await entry(fields);
  // as ours, but nobody has written them
  const own = { uid: server.adapter.uid, nsp: "/", type: "3" };
  const data = '{"packet":{"type":2,"data":["event","own"]},"opts":{"rooms":[],"except":[]}}';
  await entry({ ...own, data });
  await entry({ ...own, data, n: "5" });
  await entry({ ...own, data, n: "99999999999999999999999" });
  // and what is one, twice
  await entry({ ...good, data: data.replace("own", "once"), n: "7" });
  await entry({ ...good, data: data.replace("own", "twice"), n: "7" });
  await entry({ ...good, data: data.replace("own", "last") });
  await eventually(() => client.numbers.at(-1) === "last", "the last");
  server.io.emit("event", "own");
  await eventually(() => client.numbers.at(-1) === "own", "what is ours");
  assert.deepEqual(client.numbers, ["once", "last", "own"]);
  assert.equal(server.link.stats().malformed, bad.length);
});

test("Redis goes away and comes back: nothing is skipped", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const servers = [
    await stage.server({ streams: true }, recovery),
    await stage.server({ streams: true }, recovery),
  ];
  const clients = [await traveller(stage, servers[0]), await traveller(stage, servers[1])];
  let number = 0;
  const tell = () => servers[number % 2].io.emit("number", number++);
  for (let i = 0; i < 50; i++) tell();
  const publisher = await stage.publisher();
  // their connections are cut again and again, in the middle of what is sent
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 50; j++) tell();
    await publisher.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    for (let j = 0; j < 50; j++) tell();
    for (const { link } of servers) await within(ready(link), "the connection to be back");
  }
  await eventually(() => clients.every(({ numbers }) => numbers.length >= number), "all numbers");
  for (const parity of [0, 1]) {
    const of = (list) => list.filter((one) => one % 2 === parity);
    for (const { numbers } of clients) assert.deepEqual(of(numbers), of(upTo(number)));
  }
  assert.deepEqual(clients[0].numbers, clients[1].numbers);
  for (const { link } of servers) assert.equal(link.stats().gaps, 0);
});

test(
  "what does not fit while Redis is away goes to the clients of the server",
  LIMIT,
  async (t) => {
    const stage = await RedisStage.open(t);
    const server = await stage.server({ streams: true, maxBufferedBytes: 0 }, recovery);
    const client = await traveller(stage, server);
    const away = until(server.link, "state");
    await stage.redis.fail();
    await away;
    server.io.emit("number", 0); // waits
    server.io.emit("number", 1);
    server.io
      .of("/")
      .sockets.get(client.id)
      .emit("ask", () => {});
    const asked = until(client, "ask");
    await eventually(() => client.numbers.length === 1, "what does not wait");
    await asked;
    assert.deepEqual(client.numbers, [1]);
    assert.equal(server.link.stats().dropped, 2);
    await stage.redis.comeBack();
    await eventually(() => client.numbers.length === 2, "what has waited");
    assert.deepEqual(client.numbers, [1, 0]);
  },
);

test("who watches sees all of it, and nothing comes twice", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const [a, b] = [
    await stage.server({ streams: true }, asking),
    await stage.server({ streams: true }, asking),
  ];
  const shown = [];
  for (const { io } of [a, b])
    io.on("connection", (socket) => socket.onAnyOutgoing((_name, number) => shown.push(number)));
  const client = await traveller(stage, a);
  const watcher = await traveller(stage, b);
  assert.match(a.adapter.indirectReason, /onAnyOutgoing/);
  a.io.emit("number", 0);
  b.io.emit("number", 1);
  await eventually(() => client.numbers.length === 2, "the first two");
  await lose(client, a);
  a.io.emit("number", 2);
  b.io.emit("number", 3);
  await eventually(() => watcher.numbers.length === 4, "those that are missed");
  b.io.use((socket, next) => {
    b.io.emit("number", 4);
    a.io.emit("number", 5);
    next();
  });
  await moveTo(client, b);
  assert.equal(client.recovered, true);
  b.io.emit("number", 6);
  await eventually(() => client.numbers.length >= 7, "all");
  assert.deepEqual(client.numbers, watcher.numbers);
  assert.ok(shown.includes(0) && shown.includes(6));
});

test("events that await answers, volatile ones and requests keep their order", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const [a, b] = [
    await stage.server({ streams: true }, recovery),
    await stage.server({ streams: true }, recovery),
  ];
  const client = await traveller(stage, a);
  const got = [];
  client.onAny((name, ...args) => {
    got.push(name);
    if (typeof args.at(-1) === "function") args.at(-1)(name);
  });
  const socket = a.io.of("/").sockets.get(client.id);
  socket.emit("1");
  const answer = socket.emitWithAck("2");
  socket.volatile.emit("3");
  socket.emit("4");
  assert.equal(await answer, "2");
  b.io.socketsJoin("room");
  b.io.to("room").emit("5");
  b.io.in("room").socketsLeave("room");
  b.io.to("room").emit("never");
  b.io.emit("6");
  await eventually(() => got.at(-1) === "6", "the last");
  assert.deepEqual(got, ["1", "2", "3", "4", "5", "6"]);
  const end = until(client, "disconnect");
  b.io.disconnectSockets();
  assert.equal((await end)[0], "io server disconnect");
});

test("a client that is refused, or goes meanwhile, may try again", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const server = await stage.server({ streams: true }, asking);
  const client = await traveller(stage, server);
  server.io.emit("number", 0);
  await eventually(() => client.numbers.length === 1, "the first");
  await lose(client, server);
  server.io.emit("number", 1);
  let refuse = true;
  server.io.use((_socket, next) => next(refuse ? new Error("not now") : undefined));
  client.connect();
  await until(client, "connect_error");
  refuse = false;
  client.connect();
  await until(client, "connect");
  assert.equal(client.recovered, true);
  await eventually(() => client.numbers.length >= 2, "what was missed");
  assert.deepEqual(client.numbers, [0, 1]);
});

test("what is too old is trimmed", LIMIT, async (t) => {
  const stage = await RedisStage.open(t);
  const publisher = await stage.publisher();
  for (let i = 1; i <= 300; i++) await publisher.xAdd("events", `${i}-0`, { a: "b" });
  const server = await stage.server({ streams: { streamName: "events", maxAge: 60_000 } });
  const trimmed = async () => {
    while ((await publisher.xLen("events")) === 300);
  };
  await within(trimmed(), "entries to be trimmed");
  assert.equal(server.link.stats().malformed, 0);
});

test("options that can't be meant", () => {
  const { createAdapter } = require("../../redis");
  for (const [options, message] of [
    [{ streams: 1 }, /option streams can.t be 1: give true/],
    [{ streams: { maxLen: 0 } }, /option streams\.maxLen can.t be 0.*from 1/],
    [{ streams: { streamName: "" } }, /option streams\.streamName/],
    [{ streams: { other: 1 } }, /streams\.other.*streamName, streamCount, maxLen/],
    [{ streams: true, subscriptionMode: "dynamic" }, /option subscriptionMode.*leave it out/],
  ])
    assert.throws(() => createAdapter(options), message);
  createAdapter({ streams: true, subscriptionMode: "static", sharded: true });
  createAdapter({ streams: false, subscriptionMode: "dynamic" });
});
