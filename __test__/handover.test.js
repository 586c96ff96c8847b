"use strict";

/** `io.handOver()` and the option `takeOver`: clients go from one process to the next, and notice nothing. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const path = require("node:path");
const { test } = require("node:test");
const { Server } = require("..");
const { chain, dial, restart, talk } = require("./support/handing");
const { eventually, until, within } = require("./support/waiting");

const isLinux = process.platform === "linux";
const only = { skip: !isLinux && "Linux hands descriptors over" };

/** What a server knows of a client, which may be about to be disconnected: what it asks then is asked again. */
async function whereIs(client) {
  for (;;) {
    try {
      return await client.emitWithAck("where");
    } catch (error) {
      assert.match(error.message, /disconnected/);
    }
  }
}

/** Code that a process runs before the server is loaded. */
const preload = (name) => ["-r", path.join(__dirname, "children", `handing-${name}.js`)];

for (const [how, options, restarts] of [
  ["", {}, 4],
  // these take seconds, as kept connections are given the time to come to their end
  [", whose polling requests Node.js reads", { middleware: true }, 2],
  // so that most of them are not read at any time
  [
    ", while most may send no more",
    { limits: { events: { perClient: { rate: 20, burst: 5 } } } },
    2,
  ],
])
  test(`all talk on while servers are restarted${how}, and nothing is lost`, only, async (t) => {
    const all = chain(t, options);
    let server = all.start();
    await server.listens();
    const clients = [];
    for (let n = 0; n < 60; n++) {
      const library = n % 10 === 9 ? require("socket.io-client-2") : undefined;
      const nsp = n % 20 < 10 ? "" : "/other";
      clients.push(await dial(t, all, n, { ...(library && { library }), nsp }));
    }
    const talks = clients.map((client, n) => talk(client, n));
    for (let i = 0; i < restarts; i++) {
      const before = talks.map((each) => each.rounds());
      await eventually(() => talks.every((each, n) => each.rounds() > before[n] + 1), "talk");
      const { next, taken, handed } = await restart(all, server);
      assert.deepEqual(handed, { clients: 60, moved: 60 });
      assert.deepEqual(taken, { clients: 60, sockets: 63, refused: 0 }); // old clients are in "/", too
      server = next;
    }
    const before = talks.map((each) => each.rounds());
    await eventually(() => talks.every((each, n) => each.rounds() > before[n] + 1), "talk");
    await Promise.all(talks.map((each) => each.end()));
    for (const [n, each] of talks.entries()) {
      assert.deepEqual(each.faults, []);
      assert.deepEqual(clients[n].ends, []);
    }
    // whoever is in a room has heard all that was said there
    for (const [n, { heard }] of talks.entries())
      for (const [from, next] of heard) {
        await eventually(() => heard.get(from) === talks[from].rounds(), `${from} to ${n}`);
        assert.ok(next <= talks[from].rounds());
      }
    assert.equal((await server.counts()).clients, 60);
    // connections that were handed over are counted, and their ends
    for (const client of clients) client.disconnect();
    const ended = async () => {
      for (;;) if ((await server.counts()).connections === 0) return;
    };
    await within(ended(), "all connections to end");
  });

test("a socket is what it was: id, rooms, data, handshake", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  for (let n = 0; n < 3; n++) {
    const client = await dial(t, all, n, { extraHeaders: { "User-Agent": "a client" } });
    t.client = [...(t.client ?? []), client];
    await client.emitWithAck("keep", { secret: { n }, when: "then" });
  }
  const before = await Promise.all(t.client.map((client) => client.emitWithAck("where")));
  const again = t.client.map((client) => until(client, "served"));
  const { next } = await restart(all, first);
  for (const [n, client] of t.client.entries()) {
    const [name, recovered, met, rooms] = await again[n];
    assert.deepEqual([name, recovered, met], ["2", true, ["1", "2"]]);
    const after = await client.emitWithAck("where");
    assert.deepEqual(rooms.sort(), after.rooms);
    assert.deepEqual(after, {
      ...before[n],
      name: "2",
      recovered: true,
      data: { ...before[n].data, met: ["1", "2"] },
    });
    assert.equal(after.data.secret.n, n);
    assert.equal(after.agent, "a client");
    client.disconnect();
    assert.equal((await next.tells("left")).left, "client namespace disconnect");
  }
});

test("who was away gets what it has missed from both processes", only, async (t) => {
  const all = chain(t, { connectionStateRecovery: {} });
  const first = all.start();
  await first.listens();
  const away = await dial(t, all, 0, { reconnection: false });
  const here = await dial(t, all, 1);
  const { id } = away;
  const heard = [];
  away.on("said", (n) => heard.push(n));
  const say = async (n) => {
    const said = until(here, "said");
    here.emit("say", n, Buffer.from("x"));
    await said;
  };
  await say(0);
  await eventually(() => heard.length === 1, "the first");
  away.io.engine.close();
  assert.equal((await first.tells("left")).left, "transport close");
  await say(1);
  await say(2);
  const { next, handed } = await restart(all, first);
  assert.deepEqual(handed, { clients: 1, moved: 1 });
  await say(3);
  const served = until(away, "served");
  away.connect();
  assert.deepEqual((await served).slice(0, 2), ["2", true]);
  assert.equal(away.id, id);
  await say(4);
  await eventually(() => heard.length === 5, "the last");
  assert.deepEqual(heard, [0, 1, 2, 3, 4]);
  // and once more, by the next one
  const { taken } = await restart(all, next);
  assert.deepEqual(taken, { clients: 2, sockets: 2, refused: 0 });
  await say(5);
  await eventually(() => heard.length === 6, "the very last");
  assert.deepEqual(heard, [0, 1, 2, 3, 4, 5]);
});

test(
  "what was on its way to a client when it went over is not missed, if it is lost",
  only,
  async (t) => {
    const all = chain(t, { connectionStateRecovery: {} });
    let server = all.start();
    await server.listens();
    const lost = await dial(t, all, 0, { reconnection: false });
    const here = await dial(t, all, 1);
    const heard = [];
    lost.on("said", (n) => heard.push(n));
    const say = async (n) => {
      const said = until(here, "said");
      here.emit("say", n, Buffer.from("x"));
      await said;
    };
    await say(0);
    await eventually(() => heard.length === 1, "the first");
    lost.io.engine.transport.ws._socket.pause(); // it gets nothing any more
    await say(1);
    for (let i = 0; i < 2; i++) {
      ({ next: server } = await restart(all, server));
      await say(2 + i);
    }
    lost.io.engine.close();
    await server.tells("left");
    const connected = until(lost, "connect");
    lost.connect();
    await connected;
    assert.equal(lost.recovered, true);
    await eventually(() => heard.length >= 4, "what it has missed");
    assert.deepEqual(heard, [0, 1, 2, 3]);
  },
);

test("who was told something fleeting last is recovered by the next process", only, async (t) => {
  const all = chain(t, { connectionStateRecovery: {} });
  const first = all.start();
  await first.listens();
  const client = await dial(t, all, 0, { reconnection: false });
  const whispered = until(client, "whispered");
  client.emit("whisper", "a text");
  await whispered;
  client.io.engine.transport.ws._socket.pause(); // it takes that text for its offset, and gets no other one
  const { next } = await restart(all, first);
  client.io.engine.close();
  await next.tells("left");
  const connected = until(client, "connect");
  client.connect();
  await connected;
  assert.equal(client.recovered, true);
});

test("a program's veto ends a client, and no other", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2, 3].map((n) => dial(t, all, n)));
  const gone = until(clients[2], "disconnect");
  const { next, taken, handed } = await restart(all, first, { veto: "c2", slow: true });
  assert.deepEqual(handed, { clients: 4, moved: 4 });
  assert.deepEqual(taken, { clients: 4, sockets: 3, refused: 1 });
  assert.equal((await gone)[0], "io server disconnect");
  for (const client of [clients[0], clients[1], clients[3]])
    assert.deepEqual(await client.emitWithAck("echo", 1), 1);
  assert.equal(clients[2].connected, false);
  await eventually(() => clients[2].io.engine.readyState === "closed", "its connection's end");
  assert.deepEqual(clients[0].ends, []);
  next.kill();
});

test("what clients have asked is answered; who waits for a client is told", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
  for (const client of clients) {
    client.on("question", () => {}); // never answered
    await client.emitWithAck("ask");
    client.emit("never", () => assert.fail("answered"));
  }
  await first.offers({});
  const answers = clients.map((client, n) => client.emitWithAck("slow", n));
  const next = all.start();
  await first.tells("handed");
  for (let i = 0; i < 3; i++)
    assert.equal((await first.tells("asked")).asked, "SIO_ERR_HANDED_OVER");
  assert.deepEqual(await Promise.all(answers), [0, 1, 2]);
  await next.tells("taken");
  for (const client of clients) assert.equal(await client.emitWithAck("echo", 5), 5);
});

test("nobody comes: that is told, and all goes on", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  assert.equal((await first.tells("taken")).taken.reason, "nobody hands clients over");
  await first.listens();
  const client = await dial(t, all, 0);
  await first.offers({ within: 1 });
  assert.equal((await first.tells("failed")).failed, "SIO_ERR_NOBODY_TAKES_OVER");
  await eventually(() => !fs.existsSync(all.path), "the file to be gone");
  assert.equal(await client.emitWithAck("echo", 1), 1);
});

test("the socket is the user's alone, and strangers get nothing by it", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const client = await dial(t, all, 0);
  await first.offers({});
  for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(65536, 255)]) {
    assert.equal(fs.statSync(all.path).mode & 0o777, 0o600);
    const silent = net.connect(all.path);
    const sentAway = until(silent, "close");
    silent.end();
    await sentAway;
    const stranger = net.connect(all.path);
    stranger.on("error", () => {});
    const closed = until(stranger, "close");
    stranger.end(bytes);
    await closed;
    assert.equal(await client.emitWithAck("echo", 1), 1);
  }
  // who says nothing, or only begins to, is in nobody's way
  for (const bytes of [Buffer.alloc(0), Buffer.from([9]), Buffer.from([99, 0, 0, 0, 72, 0, 1])]) {
    const silent = net.connect(all.path);
    silent.on("error", () => {});
    silent.write(bytes);
    t.after(() => silent.destroy());
  }
  const next = all.start();
  const [{ handed }] = await Promise.all([first.tells("handed"), next.tells("taken")]);
  assert.deepEqual(handed, { clients: 1, moved: 1 });
  assert.equal(await client.emitWithAck("echo", 2), 2);
});

const asRoot = {
  skip: (!isLinux || process.getuid() !== 0) && "only root can be another user, too",
};

test("another user's process gets nothing", asRoot, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const client = await dial(t, all, 0);
  await first.offers({});
  const stranger = () => {
    const program = `
      const socket = require("node:net").connect(${JSON.stringify(all.path)});
      socket.on("error", (error) => console.log(error.code));
      socket.on("data", () => console.log("data"));
      socket.on("close", () => console.log("closed"));
      socket.write("x");`;
    const options = { uid: 65534, gid: 65534, encoding: "utf8" };
    return spawnSync(process.execPath, ["-e", program], options).stdout;
  };
  fs.chmodSync(path.dirname(all.path), 0o755);
  assert.match(stranger(), /^EACCES/);
  fs.chmodSync(all.path, 0o666); // as a program may do by mistake
  assert.doesNotMatch(stranger(), /data/);
  const next = all.start();
  assert.deepEqual((await first.tells("handed")).handed, { clients: 1, moved: 1 });
  await next.tells("taken");
  assert.equal(await client.emitWithAck("echo", 1), 1);
});

test("the other process is killed before it is ready: all goes on", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
  await first.offers({});
  const next = all.start({}, preload("dies-greeted"));
  assert.equal((await next.exit()).signal, "SIGKILL");
  assert.equal((await first.tells("failed")).failed, "SIO_ERR_HANDOVER_FAILED");
  for (const client of clients) assert.equal(await client.emitWithAck("echo", 1), 1);
  const newcomer = await dial(t, all, 4);
  assert.equal(await newcomer.emitWithAck("echo", 1), 1);
  const { handed } = await restart(all, first);
  assert.deepEqual(handed, { clients: 4, moved: 4 });
  for (const client of clients) assert.deepEqual(client.ends, []);
});

for (const who of ["new", "old"])
  test(
    `the ${who} process is killed in the middle: all are recovered by the one that is left`,
    only,
    async (t) => {
      const all = chain(t, { connectionStateRecovery: {} });
      const first = all.start({}, preload("never-ends"));
      await first.listens();
      const clients = [];
      for (let n = 0; n < 9; n++)
        clients.push(await dial(t, all, n, { reconnectionDelay: 1, reconnectionDelayMax: 50 }));
      const ids = clients.map(({ id }) => id);
      await Promise.all(clients.map((client, n) => client.emitWithAck("keep", { secret: n })));
      await first.offers({});
      const next = all.start({}, preload("tells-arrivals"));
      await next.tells("arrived");
      const [dead, left] = who === "new" ? [next, first] : [first, next];
      dead.kill();
      if (who === "new")
        assert.equal((await first.tells("failed")).failed, "SIO_ERR_HANDOVER_FAILED");
      else await next.tells("taken");
      for (const [n, client] of clients.entries()) {
        const { data, id, name, recovered, rooms } = await within(whereIs(client), "an answer");
        assert.deepEqual([id, data.secret, rooms.length], [ids[n], n, 2]);
        assert.deepEqual([name, recovered], [left.name, who === "old" || client.ends.length > 0]);
      }
      // five had gone over: with the old process dead, they have not noticed anything
      const unmoved = clients.filter(({ ends }) => ends.length === 0).length;
      assert.equal(unmoved, who === "old" ? 5 : 4);
      const newcomer = await dial(t, all, 10);
      assert.equal(await newcomer.emitWithAck("echo", 1), 1);
      assert.equal((await left.counts()).clients, 10);
    },
  );

test(
  "the program changes its mind when all is frozen: one serves, and it is the old one",
  only,
  async (t) => {
    const all = chain(t);
    const first = all.start();
    await first.listens();
    const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
    await first.offers({ fails: "not now" });
    const next = all.start();
    assert.equal((await first.tells("failed")).message, "not now");
    const { taken } = await next.tells("taken");
    assert.deepEqual(taken, {
      clients: 0,
      sockets: 0,
      refused: 0,
      reason: "the other process refuses: not now",
    });
    for (const client of clients) assert.equal(await client.emitWithAck("echo", 1), 1);
    for (let n = 3; n < 23; n++) assert.equal((await (await dial(t, all, n)).served)[0], "1");
    for (const client of clients) assert.deepEqual(client.ends, []);
    // the other one listens as soon as it can
    first.kill();
    await next.listens();
    assert.equal((await (await dial(t, all, 0)).served)[0], "2");
  },
);

test(
  "the new process is killed when it has all: the old one goes on, with recovery",
  only,
  async (t) => {
    const all = chain(t, { connectionStateRecovery: {} });
    const first = all.start();
    await first.listens();
    const clients = [];
    for (let n = 0; n < 6; n++)
      clients.push(await dial(t, all, n, { reconnectionDelay: 1, reconnectionDelayMax: 50 }));
    const ids = clients.map(({ id }) => id);
    await first.offers({});
    const next = all.start({}, preload("dies-entering"));
    assert.equal((await next.exit()).signal, "SIGKILL");
    assert.equal((await first.tells("failed")).failed, "SIO_ERR_HANDOVER_FAILED");
    for (const [n, client] of clients.entries()) {
      const { id, name, recovered } = await within(whereIs(client), "an answer");
      assert.deepEqual([id, name, recovered], [ids[n], "1", true]);
    }
    const { handed } = await restart(all, first);
    assert.deepEqual(handed, { clients: 6, moved: 6 });
  },
);

test(
  "the new process may open too few files for all: the old one goes on, with recovery",
  only,
  async (t) => {
    const all = chain(t, { connectionStateRecovery: {} });
    const first = all.start();
    await first.listens();
    const files = fs.readdirSync(`/proc/${first.child.pid}/fd`).length + 8;
    const clients = [];
    for (let n = 0; n < 40; n++)
      clients.push(await dial(t, all, n, { reconnectionDelay: 1, reconnectionDelayMax: 50 }));
    const ids = clients.map(({ id }) => id);
    await first.offers({});
    const next = all.start({}, [], { files });
    const { failed, message } = await first.tells("failed");
    assert.equal(failed, "SIO_ERR_HANDOVER_FAILED");
    assert.match(message, /may open no more files.*ulimit -n/);
    assert.match((await next.tells("taken")).taken.reason, /may open no more files/);
    for (const [n, client] of clients.entries()) {
      const { id, auth, name } = await within(whereIs(client), "an answer");
      assert.deepEqual([id, auth.name, name], [ids[n], `c${n}`, "1"]);
    }
    next.kill();
    const { handed } = await restart(all, first);
    assert.deepEqual(handed, { clients: 40, moved: 40 });
  },
);

/** A process that has as many files open as it may, by connections that say nothing more; gives what ends these. */
async function full(t, all, offers) {
  const probe = chain(t).start();
  await probe.listens();
  const files = openFiles(probe) + 30;
  probe.kill();
  const first = all.start({}, [], { files });
  await first.listens();
  const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
  if (offers) await first.offers({});
  const idle = Array.from({ length: 60 }, () => net.connect(all.port, "127.0.0.1"));
  for (const socket of idle) {
    socket.on("error", () => {}); // Node.js closes some of those for which it has no descriptor
    socket.write("GET / HTTP/1.1\r\n");
  }
  t.after(() => idle.forEach((socket) => socket.destroy()));
  await eventually(() => openFiles(first) >= files, "no descriptor to be left");
  return { first, clients, empty: () => idle.forEach((socket) => socket.destroy()) };
}

/** How many files a process has open. */
function openFiles({ child }) {
  return fs.readdirSync(`/proc/${child.pid}/fd`).length;
}

test("a process that is full hands its clients over to one that may open more", only, async (t) => {
  const all = chain(t);
  const { first, clients, empty } = await full(t, all, true);
  const next = all.start();
  const { taken } = await next.tells("taken");
  assert.deepEqual(taken, { clients: 3, sockets: 3, refused: 0 });
  empty();
  assert.deepEqual((await first.tells("handed")).handed, { clients: 3, moved: 3 });
  for (const client of clients) {
    assert.equal(await client.emitWithAck("echo", 1), 1);
    assert.deepEqual(client.ends, []);
  }
});

test("a process that is full offers its clients as soon as it can", only, async (t) => {
  const all = chain(t);
  const { first, clients, empty } = await full(t, all, false);
  await first.offers({ within: 0 });
  const { failed, message } = await first.tells("failed");
  assert.equal(failed, "SIO_ERR_HANDOVER_FAILED");
  assert.match(message, /may open no more files.*ulimit -n/);
  await first.offers({});
  empty();
  await eventually(() => fs.existsSync(all.path), "the offer");
  const next = all.start();
  assert.deepEqual((await first.tells("handed")).handed, { clients: 3, moved: 3 });
  await next.listens();
  for (const client of clients) assert.equal(await client.emitWithAck("echo", 1), 1);
});

test("middlewares of the engine look at the requests of those who come, too", only, async (t) => {
  const all = chain(t, { middleware: true });
  const first = all.start();
  await first.listens();
  const clients = [];
  for (let n = 0; n < 4; n++)
    clients.push(await dial(t, all, n, { extraHeaders: { "User-Agent": `agent ${n}` } }));
  assert.equal((await clients[0].emitWithAck("where")).seen, "1");
  const gone = until(clients[1], "disconnect");
  const { next, taken } = await restart(all, first, { refused: "agent 1" });
  assert.deepEqual(taken, { clients: 4, sockets: 3, refused: 1 });
  for (const n of [0, 2, 3]) {
    assert.equal((await clients[n].emitWithAck("where")).seen, "2");
    assert.deepEqual(clients[n].ends, []);
  }
  assert.match((await gone)[0], /^transport /);
  next.kill();
});

test("who waits for a middleware that never answers keeps nobody else out", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2, 3].map((n) => dial(t, all, n)));
  const { next, taken } = await restart(all, first, { mute: "c2", connectTimeout: 600_000 });
  assert.deepEqual(taken, { clients: 4, sockets: 3, refused: 0 });
  for (const n of [0, 1, 3]) assert.equal(await clients[n].emitWithAck("echo", n), n);
  assert.deepEqual(clients[2].ends, []);
  next.kill();
});

test("who waits for the answers of many is told", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
  clients[0].on("question", (reply) => reply("yes"));
  for (const client of clients.slice(1)) client.on("question", () => {}); // never answered
  const { asking } = await clients[0].emitWithAck("askAll");
  assert.equal(asking, true);
  await restart(all, first);
  assert.deepEqual(await first.tells("asked"), {
    asked: "SIO_ERR_HANDED_OVER",
    responses: ["yes"],
  });
});

for (const [who, name] of [
  ["the old process sees it", "other-version"],
  ["the new process sees it", "sees-other-version"],
])
  test(
    `one that speaks another version gets nobody: the clients are let go to it, where ${who}`,
    only,
    async (t) => {
      const all = chain(t);
      const first = all.start();
      await first.listens();
      const clients = [];
      for (let n = 0; n < 3; n++)
        clients.push(await dial(t, all, n, { reconnectionDelay: 1, reconnectionDelayMax: 50 }));
      await first.offers({ drain: { over: 100 } });
      const again = clients.map((client) => until(client, "served"));
      const next = all.start({}, preload(name));
      const { taken } = await next.tells("taken");
      const { handed } = await first.tells("handed");
      assert.deepEqual([handed.clients, handed.moved], [3, 0]);
      assert.match(handed.reason, /version/);
      assert.match(taken.reason, /version/);
      await next.listens();
      for (const served of again) assert.deepEqual((await served).slice(0, 2), ["2", false]);
      for (const client of clients) assert.equal(client.ends.length, 1);
    },
  );

for (const [when, name] of [
  ["is ready", "dies-greeted"],
  ["listens", "dies-entering"],
])
  test(
    `one that speaks another version and dies before it ${when} leaves all as it was`,
    only,
    async (t) => {
      const all = chain(t);
      const first = all.start();
      await first.listens();
      const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
      await first.offers({ drain: { over: 0 } });
      const next = all.start({}, [...preload("other-version"), ...preload(name)]);
      assert.equal((await next.exit()).signal, "SIGKILL");
      assert.equal((await first.tells("failed")).failed, "SIO_ERR_HANDOVER_FAILED");
      for (const client of clients) assert.equal(await client.emitWithAck("echo", 1), 1);
      const newcomer = await dial(t, all, 4);
      assert.equal(await newcomer.emitWithAck("echo", 1), 1);
      const { handed } = await restart(all, first);
      assert.deepEqual(handed, { clients: 4, moved: 4 });
      for (const client of clients) assert.deepEqual(client.ends, []);
    },
  );

test("one that starts in the middle gets them from whoever has them then", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const clients = await Promise.all([0, 1, 2].map((n) => dial(t, all, n)));
  await first.offers({ waits: true });
  const second = all.start();
  await first.tells("finishing");
  const third = all.start();
  await third.tells("created");
  first.send({ does: "finish" });
  await second.tells("taken");
  await second.offers({});
  assert.deepEqual((await third.tells("taken")).taken, { clients: 3, sockets: 3, refused: 0 });
  assert.deepEqual((await second.tells("handed")).handed, { clients: 3, moved: 3 });
  for (const client of clients) {
    assert.equal((await client.emitWithAck("where")).name, "3");
    assert.deepEqual(client.ends, []);
  }
});

test("one that starts before the last one offers them gets them from that", only, async (t) => {
  const all = chain(t);
  const first = all.start();
  await first.listens();
  const client = await dial(t, all, 0);
  const { next } = await restart(all, first); // the first one has ended
  const third = all.start();
  await third.tells("created");
  await next.offers({});
  const [{ taken }] = await Promise.all([third.tells("taken"), next.tells("handed")]);
  assert.deepEqual(taken, { clients: 1, sockets: 1, refused: 0 });
  await third.listens();
  assert.equal(await client.emitWithAck("echo", 1), 1);
  assert.deepEqual(client.ends, []);
});

test("what can't be", async (t) => {
  const io = new Server();
  await assert.rejects(io.handOver("/tmp/x"), { code: "SIO_ERR_HANDOVER_UNSUPPORTED" });
  const httpServer = http.createServer();
  const attached = new Server(httpServer);
  t.after(() => attached.close());
  await assert.rejects(attached.handOver(""), { code: "SIO_ERR_INVALID_OPTION" });
  for (const name of ["within", "ready", "settle"])
    await assert.rejects(attached.handOver("/tmp/x", { [name]: -1 }), {
      code: "SIO_ERR_INVALID_OPTION",
    });
  await assert.rejects(attached.handOver("/tmp/x", { finish: 1 }), {
    code: "SIO_ERR_INVALID_OPTION",
  });
  assert.deepEqual(await within(attached.takenOver, "nothing"), {
    clients: 0,
    sockets: 0,
    refused: 0,
  });
});
