"use strict";

/** Hand-overs between two servers of one process, which are closed, late or twice. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const { deferred, eventually, until, within } = require("./support/waiting");

const only = { skip: process.platform !== "linux" && "Linux hands descriptors over" };
const NOBODY = { clients: 0, sockets: 0, refused: 0 };

/** A folder for the socket of hand-overs. */
function place(t) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "handover-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return path.join(directory, "s");
}

/** A server that listens, and answers. */
async function serve(t, name, options = {}, listens = true) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  io.on("connection", (socket) => socket.on("who", (reply) => reply(name)));
  t.after(() => io.close());
  if (!listens) return { io, httpServer };
  await new Promise((resolve) => httpServer.listen(0, "127.0.0.1", resolve));
  return { io, httpServer, port: httpServer.address().port };
}

async function dial(t, port, options = {}) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    transports: ["websocket"],
    ...options,
  });
  client.ends = 0;
  client.on("disconnect", () => client.ends++);
  t.after(() => client.disconnect());
  await within(until(client, "connect"), "a client to connect");
  return client;
}

test("clients go from one server of a process to another", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  const listening = once(two.httpServer, "listening");
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(two.io.takenOver, "the clients"), {
    clients: 1,
    sockets: 1,
    refused: 0,
  });
  assert.deepEqual(await within(handed, "the end"), { clients: 1, moved: 1 });
  await listening;
  assert.equal(await client.emitWithAck("who"), "two");
  assert.equal(client.ends, 0);
  await assert.rejects(one.io.handOver(socket), { code: "SIO_ERR_SERVER_CLOSED" });
  // and on to a third one, which is that of the lock before it, too
  const again = two.io.handOver(socket);
  const three = await serve(t, "three", { takeOver: socket }, false);
  three.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(again, "the end"), { clients: 1, moved: 1 });
  assert.equal(await client.emitWithAck("who"), "three");
});

test(
  "one that is closed hands nobody over, and says that apart from what has failed",
  only,
  async (t) => {
    const socket = place(t);
    const one = await serve(t, "one");
    const handed = one.io.handOver(socket, { within: Infinity });
    const failed = assert.rejects(handed, { code: "SIO_ERR_SERVER_CLOSED" });
    await one.io.close();
    await within(failed, "the failure");
    await assert.rejects(one.io.handOver(socket), { code: "SIO_ERR_SERVER_CLOSED" });
  },
);

test("one that is closed while it waits for the other one takes nobody", only, async (t) => {
  for (const when of ["at once", "greeted", "listening"]) {
    const socket = place(t);
    const one = await serve(t, "one");
    const client = await dial(t, one.port);
    const handed = one.io.handOver(socket, { finish: () => new Promise(() => {}), settle: 60_000 });
    const failed = assert.rejects(handed, /the server has been closed/);
    const two = await serve(t, "two", { takeOver: socket }, false);
    if (when === "greeted") await eventuallyGreeted(two.io);
    if (when === "listening") {
      two.httpServer.listen(one.port, "127.0.0.1");
      await eventuallyGreeted(two.io);
    }
    two.httpServer.once("listening", () => assert.fail("it listens"));
    await within(two.io.close(), "its end");
    assert.deepEqual(await two.io.takenOver, { ...NOBODY, reason: "the server has been closed" });
    await within(failed, "the failure");
    assert.equal(await client.emitWithAck("who"), "one");
    assert.equal(client.ends, 0);
    assert.equal(await (await dial(t, one.port)).emitWithAck("who"), "one");
    // whoever opens it again may
    two.httpServer.removeAllListeners("listening");
    await new Promise((resolve) => two.httpServer.listen(0, resolve));
    await new Promise((resolve) => two.httpServer.close(resolve));
  }
});

/** Middlewares are asked about those who come, so they can have the others wait. */
const recovery = { connectionStateRecovery: { skipMiddlewares: false } };

/** What a program may do to end clients. */
const ENDS = {
  "socket.disconnect()": (_io, sockets) => sockets.forEach((socket) => socket.disconnect(true)),
  "io.disconnectSockets()": (io) => io.disconnectSockets(true),
  "socket.conn.close()": (_io, sockets) => sockets.forEach((socket) => socket.conn.close(true)),
  "io.drain()": (io) => io.drain({ over: 0 }),
  "io.close()": (io) => io.close(),
};

for (const [how, end] of Object.entries(ENDS))
  for (const isTaken of [true, false])
    test(
      `${how} ends nobody who has gone over; the other one takes them: ${isTaken}`,
      only,
      async (t) => {
        const socket = place(t);
        const one = await serve(t, "one", recovery);
        const told = [];
        one.io.on("connection", (each) => {
          for (const event of ["disconnecting", "disconnect"])
            each.on(event, (reason) => told.push(`${event}: ${reason}`));
        });
        const quick = { reconnectionDelay: 1, reconnectionDelayMax: 20 };
        const clients = [
          await dial(t, one.port, quick),
          await dial(t, one.port, { ...quick, transports: ["polling"] }),
        ];
        const sockets = [...one.io.of("/").sockets.values()];
        const handed = one.io.handOver(socket).catch(({ code }) => code);
        const two = await serve(t, "two", { takeOver: socket, ...recovery }, false);
        const thought = deferred();
        two.io.use((_socket, next) => void thought.promise.then(() => next()));
        two.httpServer.listen(one.port, "127.0.0.1");
        await eventually(() => sockets.every(({ connected }) => !connected), "all to go");
        const ending = end(one.io, sockets);
        if (!isTaken) await two.io.close();
        thought.resolve();
        assert.deepEqual(
          await within(handed, "the end"),
          isTaken ? { clients: 2, moved: 2 } : "SIO_ERR_HANDOVER_FAILED",
        );
        await within(ending, "the program's end");
        assert.deepEqual(told, []);
        assert.deepEqual([one.io.engine.clientsCount, one.io.of("/").sockets.size], [0, 0]);
        assert.deepEqual(
          sockets.map(({ rooms }) => rooms.size),
          [0, 0],
        );
        if (!isTaken) return;
        for (const client of clients) {
          assert.equal(await client.emitWithAck("who"), "two");
          assert.equal(client.ends, 0);
        }
      },
    );

test("one that is closed while middlewares think takes nobody, and says so", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const failed = assert.rejects(one.io.handOver(socket), { code: "SIO_ERR_HANDOVER_FAILED" });
  const two = await serve(t, "two", { takeOver: socket }, false);
  const thinking = new Promise((resolve) => two.io.use((_socket, next) => resolve(next)));
  two.httpServer.listen(one.port, "127.0.0.1");
  const letIn = await within(thinking, "the socket");
  const next = assert.rejects(two.io.handOver(socket), { code: "SIO_ERR_SERVER_CLOSED" });
  await within(two.io.close(), "its end");
  assert.deepEqual(await within(two.io.takenOver, "what came of it"), {
    ...NOBODY,
    reason: "the server has been closed",
  });
  await within(next, "the end of what waits for it");
  await within(failed, "the failure");
  letIn();
  if (!client.connected || client.ends === 0) await within(until(client, "connect"), "it");
  assert.equal(await client.emitWithAck("who"), "one");
});

test("a namespace that throws as it is asked for keeps nobody else out", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const asking = new Promise((resolve) => one.io.of("/made").use(() => resolve()));
  const made = connect(`http://127.0.0.1:${one.port}/made`, {
    forceNew: true,
    transports: ["websocket"],
    reconnection: false,
  });
  t.after(() => made.disconnect());
  await within(asking, "the middleware");
  const handed = one.io.handOver(socket, { settle: 0 });
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.io.of(fail);
  const gone = new Promise((resolve) => made.io.on("close", resolve));
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(two.io.takenOver, "the clients"), {
    clients: 2,
    sockets: 1,
    refused: 0,
  });
  await within(handed, "the end");
  await within(gone, "the end of who has asked");
  assert.equal(await client.emitWithAck("who"), "two");
  assert.equal(client.ends, 0);
});

test(
  "what was emitted while another server had the clients is not missed when they come back",
  only,
  async (t) => {
    const socket = place(t);
    const one = await serve(t, "one", { connectionStateRecovery: {} });
    const client = await dial(t, one.port);
    const heard = [];
    client.onAny((event, n) => heard.push(`${event} ${n}`));
    one.io.emit("news", 0);
    await eventually(() => heard.length === 1, "the first news");
    const failed = assert.rejects(one.io.handOver(socket), { code: "SIO_ERR_HANDOVER_FAILED" });
    const two = await serve(t, "two", { connectionStateRecovery: {}, takeOver: socket }, false);
    two.io._takeOver.listen = () => {}; // and does not say so
    two.io.on("connection", (each) => each.emit("hello", 1));
    two.httpServer.listen(one.port, "127.0.0.1");
    await eventually(() => heard.includes("hello 1"), "the other server");
    for (const n of [1, 2, 3]) one.io.emit("news", n); // with numbers that the other one has given, too
    await two.io.close();
    await failed;
    await eventually(() => heard.includes("news 3"), "the news");
    assert.equal(client.recovered, true);
    one.io.emit("news", 4);
    await eventually(() => heard.includes("news 4"), "the last news");
    assert.deepEqual(heard, ["news 0", "hello 1", "news 1", "news 2", "news 3", "news 4"]);
  },
);

/** Waits until the other process has answered. */
async function eventuallyGreeted(io) {
  const { _takeOver: taking } = io;
  const { ongreeted } = Object.getPrototypeOf(taking);
  await new Promise((resolve) => {
    taking.ongreeted = function (...args) {
      Reflect.apply(ongreeted, this, args);
      resolve();
    };
  });
}

test("one that is closed listens no more, though it was about to", only, async (t) => {
  const two = await serve(t, "two", { takeOver: place(t) }, false);
  two.httpServer.listen(0);
  await two.io.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(two.httpServer.listening, false);
});

test(
  "one that does not get ready is not waited for longer than for one that comes",
  only,
  async (t) => {
    for (const how of ["within", "signal"]) {
      const socket = place(t);
      const one = await serve(t, "one");
      const client = await dial(t, one.port);
      const controller = new AbortController();
      const options = how === "within" ? { within: 300 } : { signal: controller.signal };
      const handed = one.io.handOver(socket, options);
      const two = await serve(t, "two", { takeOver: socket }, false); // and never listens
      if (how === "signal") void eventuallyGreeted(two.io).then(() => controller.abort());
      const expected =
        how === "within" ? { code: "SIO_ERR_NOBODY_TAKES_OVER" } : { name: "AbortError" };
      await assert.rejects(within(handed, "the end"), expected);
      assert.match((await two.io.takenOver).reason, /^the other process refuses: /);
      assert.equal(await client.emitWithAck("who"), "one");
      const next = one.io.handOver(socket);
      const three = await serve(t, "three", { takeOver: socket }, false);
      three.httpServer.listen(one.port, "127.0.0.1");
      assert.deepEqual(await within(next, "the end"), { clients: 1, moved: 1 });
      assert.equal(await client.emitWithAck("who"), "three");
    }
  },
);

test(
  "takenOver waits for an HTTP server, and for the end of one that has none",
  only,
  async (t) => {
    const socket = place(t);
    const late = new Server({ takeOver: socket });
    const taken = late.takenOver;
    const httpServer = http.createServer();
    late.attach(httpServer);
    assert.equal((await within(taken, "the result")).reason, "nobody hands clients over");
    await late.close();
    const none = new Server({ takeOver: socket });
    const nothing = none.takenOver;
    await assert.rejects(none.close()); // as npm's: there is no engine
    assert.deepEqual(await within(nothing, "the result"), NOBODY);
  },
);

test("a port that is about to be free is waited for", only, async (t) => {
  const before = http.createServer();
  await new Promise((resolve) => before.listen(0, "127.0.0.1", resolve));
  const { port } = before.address();
  const two = await serve(t, "two", { takeOver: place(t) }, false);
  const listening = once(two.httpServer, "listening");
  two.httpServer.listen(port, "127.0.0.1");
  setImmediate(() => setImmediate(() => before.close()));
  await within(listening, "it to listen");
  assert.equal(await (await dial(t, port)).emitWithAck("who"), "two");
});

test(
  "a server on the path of a Unix socket is told so before anything is stopped",
  only,
  async (t) => {
    const socket = place(t);
    const httpServer = http.createServer((_request, response) => response.end("here"));
    const io = new Server(httpServer);
    t.after(() => io.close());
    const file = `${socket}.http`;
    await new Promise((resolve) => httpServer.listen(file, resolve));
    await assert.rejects(io.handOver(socket), { code: "SIO_ERR_HANDOVER_UNSUPPORTED" });
    const request = http.get({ socketPath: file });
    const [response] = await once(request, "response");
    assert.equal((await response.setEncoding("utf8").toArray()).join(""), "here");
  },
);

test("one that comes in the middle takes them over from whoever has them then", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  let finish;
  const finishes = new Promise((resolve) => (finish = resolve));
  let isAtIt;
  const begins = new Promise((resolve) => (isAtIt = resolve));
  const handed = one.io.handOver(socket, {
    settle: Infinity,
    finish() {
      isAtIt();
      return finishes;
    },
  });
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  await begins;
  const three = await serve(t, "three", { takeOver: socket }, false);
  three.httpServer.listen(one.port, "127.0.0.1");
  finish();
  assert.deepEqual(await within(handed, "the end"), { clients: 1, moved: 1 });
  assert.deepEqual(await two.io.takenOver, { clients: 1, sockets: 1, refused: 0 });
  const again = two.io.handOver(socket);
  assert.deepEqual(await within(again, "the end"), { clients: 1, moved: 1 });
  assert.deepEqual(await three.io.takenOver, { clients: 1, sockets: 1, refused: 0 });
  assert.equal(await client.emitWithAck("who"), "three");
  assert.equal(client.ends, 0);
});

test("one that is to hand over what it has not got yet does so when it has", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  const again = two.io.handOver(socket);
  const more = two.io.handOver(socket);
  await eventuallyGreeted(two.io); // else the third one may be the first that is heard
  two.httpServer.listen(one.port, "127.0.0.1");
  const three = await serve(t, "three", { takeOver: socket }, false);
  three.httpServer.listen(one.port, "127.0.0.1");
  await assert.rejects(more, { code: "SIO_ERR_HANDOVER_FAILED" });
  assert.deepEqual(await within(handed, "the end"), { clients: 1, moved: 1 });
  assert.deepEqual(await within(again, "the end"), { clients: 1, moved: 1 });
  assert.equal(await client.emitWithAck("who"), "three");
  assert.equal(client.ends, 0);
});

for (const [when, transports] of [
  ["while nobody is read", ["polling"]],
  ["while nobody is read", ["websocket"]],
  ["when all have gone", ["polling"]],
  ["with an id that comes when all have gone", ["polling"]],
])
  test(`who is let in ${when} is not lost, by ${transports}`, only, async (t) => {
    const socket = place(t);
    const one = await serve(t, "one");
    const asked = new Promise((resolve) => {
      if (!when.startsWith("with an id"))
        one.io.engine.use((_request, _response, next) => resolve(next));
      else
        one.io.engine.generateId = () =>
          new Promise((chosen) => resolve(() => chosen("an id of its own")));
    });
    const client = connect(`http://127.0.0.1:${one.port}`, { forceNew: true, transports });
    t.after(() => client.disconnect());
    const errors = [];
    client.on("connect_error", (error) => errors.push(error));
    client.on("disconnect", (reason) => errors.push(reason));
    const letIn = await within(asked, "the request");
    const early = when === "while nobody is read";
    const handed = one.io.handOver(socket, {
      settle: Infinity,
      async finish() {
        if (!early) return;
        letIn();
        await eventually(() => one.io.engine.clientsCount === 1, "the client");
      },
    });
    const two = await serve(t, "two", { takeOver: socket }, false);
    two.httpServer.listen(one.port, "127.0.0.1");
    assert.equal((await within(two.io.takenOver, "the clients")).clients, early ? 1 : 0);
    if (!two.httpServer.listening) await until(two.httpServer, "listening");
    if (!early) letIn();
    if (!client.connected) await until(client, "connect");
    assert.equal(await client.emitWithAck("who"), "two");
    assert.deepEqual(errors, []);
    client.disconnect();
    await within(handed, "the end");
  });

function fail() {
  throw new Error("of the program");
}

test("one whose handshake is gone, or throws, keeps nobody else from going", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const sockets = [];
  one.io.on("connection", (each) => sockets.push(each));
  const clients = [];
  for (let i = 0; i < 3; i++) clients.push(await dial(t, one.port));
  sockets[1].handshake = null;
  Object.defineProperty(sockets[2].handshake, "time", { get: fail });
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(handed, "the end"), { clients: 3, moved: 2 });
  await eventually(() => clients[2].ends === 1, "the third one to begin anew");
  assert.equal(clients[0].ends + clients[1].ends, 0);
});

for (const method of ["GET", "POST"])
  test(
    `a ${method} that the engine's middleware thinks about while all go is the other one's`,
    only,
    async (t) => {
      const socket = place(t);
      const one = await serve(t, "one");
      let thinks = false;
      let held;
      one.io.engine.use((request, _response, next) => {
        if (thinks && request.method === method) held = next;
        else next();
      });
      const client = connect(`http://127.0.0.1:${one.port}`, {
        forceNew: true,
        transports: ["polling"],
      });
      t.after(() => client.disconnect());
      const ends = [];
      client.on("disconnect", (reason) => ends.push(reason));
      await within(until(client, "connect"), "a client to connect");
      thinks = true;
      client.emit("who", () => {}); // its answer has the next GET come
      await eventually(() => held !== undefined, "the request");
      const handed = one.io.handOver(socket, { settle: 50 });
      const two = await serve(t, "two", { takeOver: socket }, false);
      two.httpServer.listen(one.port, "127.0.0.1");
      assert.equal((await within(two.io.takenOver, "the clients")).clients, 1);
      held();
      assert.equal(await within(client.emitWithAck("who"), "an answer"), "two");
      assert.deepEqual(ends, []);
      client.disconnect();
      await within(handed, "the end");
    },
  );

test("a session that is opened as all go holds nothing up", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  one.httpServer.keepAliveTimeout = 60_000;
  let letIn;
  const asked = new Promise((resolve) =>
    one.io.engine.use((_request, _response, next) => {
      letIn = next;
      resolve();
    }),
  );
  const client = connect(`http://127.0.0.1:${one.port}`, {
    forceNew: true,
    transports: ["websocket"],
  });
  t.after(() => client.disconnect());
  await within(asked, "the request");
  // the last that is looked at before all go, a turn later
  const get = () => {
    if (one.io.engine.isLeaving) setImmediate(letIn);
    return 0;
  };
  Object.defineProperty(one.io.engine, "receiving", { get, set() {} });
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  await within(handed, "the end");
  if (!client.connected) await within(until(client, "connect"), "it to come back");
  assert.equal(await client.emitWithAck("who"), "two");
});

test(
  "who is late begins anew with the next process, as a client that nothing is known of",
  only,
  async (t) => {
    const socket = place(t);
    const one = await serve(t, "one");
    one.io.on("connection", (each) => each.join("room"));
    const [quick, late] = [await dial(t, one.port), await dial(t, one.port)];
    const heard = [];
    for (const event of ["connect", "disconnect"]) late.on(event, () => heard.push(event));
    const first = one.io.handOver(socket);
    const two = await serve(t, "two", { takeOver: socket }, false);
    const thinking = new Promise((resolve) => {
      two.io.use((each, next) => (each.id === late.id ? resolve(next) : next()));
    });
    two.httpServer.listen(one.port, "127.0.0.1");
    assert.equal((await within(two.io.takenOver, "the clients")).sockets, 1);
    await within(first, "the end");
    const letIn = await thinking;
    const second = two.io.handOver(socket, { settle: 50 });
    const three = await serve(t, "three", { takeOver: socket }, false);
    three.httpServer.listen(one.port, "127.0.0.1");
    assert.equal((await within(three.io.takenOver, "the clients")).sockets, 1);
    await within(second, "the end");
    letIn();
    if (!late.connected) await within(until(late, "connect"), "it to come back");
    for (const client of [quick, late]) assert.equal(await client.emitWithAck("who"), "three");
    assert.deepEqual(heard, ["disconnect", "connect"]);
    assert.equal(quick.ends, 0);
    assert.equal((await three.io.fetchSockets()).length, 2);
  },
);

test("who is late stays where it is when the next hand-over finds nobody", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  const thinking = new Promise((resolve) => two.io.use((_socket, next) => resolve(next)));
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.equal((await within(two.io.takenOver, "the clients")).sockets, 0);
  await within(handed, "the end");
  const letIn = await thinking;
  await assert.rejects(two.io.handOver(socket, { within: 1 }), {
    code: "SIO_ERR_NOBODY_TAKES_OVER",
  });
  letIn();
  assert.equal(await within(client.emitWithAck("who"), "an answer"), "two");
  assert.equal(client.ends, 0);
});

test("a hand-over that waits for another one to end hears its signal", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false); // it never listens
  await eventuallyGreeted(two.io);
  const reason = new Error("the program's");
  const aborted = two.io.handOver(`${socket}2`, { signal: AbortSignal.abort(reason) });
  await assert.rejects(aborted, reason);
  const controller = new AbortController();
  const later = two.io.handOver(`${socket}2`, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(later, reason);
  const failed = assert.rejects(handed, { code: "SIO_ERR_SERVER_CLOSED" });
  await one.io.close();
  await failed;
});

test("a path where nobody has come is free as soon as the hand-over has ended", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  for (let i = 0; i < 20; i++) {
    const controller = new AbortController();
    const handed = one.io.handOver(socket, { signal: controller.signal });
    controller.abort();
    await assert.rejects(handed, { name: "AbortError" });
  }
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(handed, "the end"), { clients: 1, moved: 1 });
  assert.equal(await client.emitWithAck("who"), "two");
});

test(
  "one that comes and does not listen is sent away, and the next one gets them",
  only,
  async (t) => {
    const socket = place(t);
    const one = await serve(t, "one");
    const client = await dial(t, one.port);
    const hung = one.io.handOver(socket, { within: Infinity, ready: 1 });
    const two = await serve(t, "two", { takeOver: socket }, false); // it never listens
    await assert.rejects(within(hung, "the failure"), {
      code: "SIO_ERR_HANDOVER_FAILED",
      message: /did not listen within 1 ms: .*option ready/,
    });
    assert.match((await two.io.takenOver).reason, /did not listen/);
    const handed = one.io.handOver(socket, { within: Infinity, ready: Infinity });
    const three = await serve(t, "three", { takeOver: socket }, false);
    three.httpServer.listen(one.port, "127.0.0.1");
    assert.deepEqual(await within(handed, "the end"), { clients: 1, moved: 1 });
    assert.equal(await client.emitWithAck("who"), "three");
    assert.equal(client.ends, 0);
  },
);

test("of two that come at once, one takes them over from the other", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const client = await dial(t, one.port);
  const handed = one.io.handOver(socket);
  const others = [];
  for (const name of ["two", "three"]) {
    const { io, httpServer } = await serve(t, name, { takeOver: socket }, false);
    httpServer.listen(one.port, "127.0.0.1");
    others.push(io);
  }
  await within(handed, "the end");
  const taking = others.map(async (io) => ({ io, ...(await io.takenOver) }));
  const first = await Promise.race(taking);
  assert.equal(first.clients, 1);
  await within(first.io.handOver(socket), "the end");
  const last = await taking.find((_each, n) => others[n] !== first.io);
  assert.equal(last.clients, 1);
  assert.equal(await client.emitWithAck("who"), last.io === others[0] ? "two" : "three");
  assert.equal(client.ends, 0);
});

test("one that comes when nobody has them any more listens by itself", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const handed = one.io.handOver(socket, { finish: () => new Promise(() => {}), settle: Infinity });
  const failed = assert.rejects(handed, { code: "SIO_ERR_SERVER_CLOSED" });
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  await eventuallyGreeted(two.io);
  const three = await serve(t, "three", { takeOver: socket }, false);
  const listening = once(three.httpServer, "listening");
  three.httpServer.listen(one.port, "127.0.0.1");
  await two.io.close();
  await one.io.close();
  await within(failed, "the failure");
  await within(listening, "it to listen");
  assert.match((await three.io.takenOver).reason, /nobody hands clients over/);
  assert.equal(await (await dial(t, one.port)).emitWithAck("who"), "three");
});

test("an HTTP server that is closed before it may listen does not", only, async (t) => {
  for (const isOffered of [true, false]) {
    const socket = place(t);
    const one = await serve(t, "one");
    const client = await dial(t, one.port);
    const settled = isOffered
      ? one.io.handOver(socket, { finish: () => new Promise(() => {}) })
      : 0;
    const failed = settled && assert.rejects(settled, /the HTTP server has been closed/);
    const two = await serve(t, "two", { takeOver: socket }, false);
    two.httpServer.once("listening", () => assert.fail("it listens"));
    two.httpServer.listen(one.port, "127.0.0.1");
    if (isOffered) await eventuallyGreeted(two.io);
    const closed = once(two.httpServer, "close");
    // as of one that listens
    assert.equal(await new Promise((resolve) => two.httpServer.close(resolve)), undefined);
    await within(closed, "its end");
    if (isOffered) {
      assert.equal((await two.io.takenOver).reason, "the HTTP server has been closed");
      await within(failed, "the failure");
    }
    assert.equal(await client.emitWithAck("who"), "one");
    assert.equal(client.ends, 0);
    // it may listen again
    two.httpServer.removeAllListeners("listening");
    await new Promise((resolve) => two.httpServer.listen(0, resolve));
    await new Promise((resolve) => two.httpServer.close(resolve));
    const [error] = await new Promise((resolve) =>
      two.httpServer.close((...given) => resolve(given)),
    );
    assert.equal(error.code, "ERR_SERVER_NOT_RUNNING");
  }
});

test("who has put methods of its own on an HTTP server finds them there", only, async (t) => {
  const httpServer = http.createServer();
  const calls = [];
  for (const name of ["listen", "close"]) {
    const before = httpServer[name];
    httpServer[name] = function (...args) {
      calls.push(name);
      return Reflect.apply(before, this, args);
    };
  }
  const { close } = httpServer;
  const io = new Server(httpServer, { takeOver: place(t) });
  t.after(() => io.close());
  // and one that comes later
  const held = httpServer.listen;
  httpServer.listen = function (...args) {
    calls.push("late");
    return Reflect.apply(held, this, args);
  };
  await new Promise((resolve) => httpServer.listen(0, resolve));
  assert.deepEqual(calls, ["late", "listen"]);
  assert.equal(httpServer.close, close);
  await io.close();
  assert.deepEqual(calls, ["late", "listen", "close"]);
});

test("one with more than can be carried begins anew, and is counted", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  one.io.on("connection", (each) => {
    if (each.handshake.auth.large) each.data.large = Buffer.alloc(16 << 20);
  });
  const client = await dial(t, one.port);
  const large = connect(`http://127.0.0.1:${one.port}`, {
    forceNew: true,
    auth: { large: true },
    transports: ["websocket"],
    reconnectionDelay: 1,
  });
  t.after(() => large.disconnect());
  await within(until(large, "connect"), "a client to connect");
  const again = until(large, "connect");
  const handed = one.io.handOver(socket);
  const two = await serve(t, "two", { takeOver: socket }, false);
  two.httpServer.listen(one.port, "127.0.0.1");
  assert.deepEqual(await within(handed, "the end"), { clients: 2, moved: 1 });
  await within(again, "it to come back");
  assert.equal(await large.emitWithAck("who"), "two");
  assert.equal(client.ends, 0);
});

test(
  "what listeners throw or send as one begins anew keeps nobody else from going",
  only,
  async (t) => {
    const socket = place(t);
    const one = await serve(t, "one");
    one.io.on("connection", (each) => {
      if (!each.handshake.auth.large) return;
      each.data.large = Buffer.alloc(16 << 20);
      each.on("disconnect", () => {
        one.io.emit("left");
        fail();
      });
    });
    const before = await dial(t, one.port);
    const large = await dial(t, one.port, { auth: { large: true }, reconnectionDelay: 1 });
    const after = await dial(t, one.port);
    const heard = [];
    for (const client of [before, after]) client.on("left", () => heard.push(client.id));
    const thrown = new Promise((resolve) => {
      process.prependOnceListener("uncaughtException", resolve);
    });
    const others = process.listeners("uncaughtException").slice(1);
    for (const other of others) process.removeListener("uncaughtException", other);
    const again = until(large, "connect");
    const handed = one.io.handOver(socket);
    const two = await serve(t, "two", { takeOver: socket }, false);
    two.httpServer.listen(one.port, "127.0.0.1");
    assert.deepEqual(await within(handed, "the end"), { clients: 3, moved: 2 });
    assert.equal((await within(thrown, "the error")).message, "of the program");
    for (const other of others) process.on("uncaughtException", other);
    await within(again, "it to come back");
    for (const client of [before, large, after])
      assert.equal(await client.emitWithAck("who"), "two");
    assert.equal(before.ends + after.ends, 0);
    assert.deepEqual(heard, []);
  },
);

test("what stands against a path is told, and what mends it", only, async (t) => {
  const socket = place(t);
  const one = await serve(t, "one");
  const other = await serve(t, "other");
  const cases = [
    [
      one.io,
      `${socket}/not/there`,
      "SIO_ERR_HANDOVER_PATH",
      /can't be ".*": .*give that of a file/,
    ],
    [one.io, socket, "SIO_ERR_HANDOVER_PATH", /no(ne of a)? socket: remove it/],
    [one.io, path.join(path.dirname(socket), "x".repeat(120)), "SIO_ERR_INVALID_OPTION", /bytes/],
  ];
  fs.writeFileSync(socket, "mine");
  for (const [io, where, code, message] of cases)
    await assert.rejects(io.handOver(where), { code, message });
  assert.equal(fs.readFileSync(socket, "utf8"), "mine");
  fs.rmSync(socket);
  const controller = new AbortController();
  const handed = one.io.handOver(socket, { signal: controller.signal });
  await assert.rejects(other.io.handOver(socket), {
    code: "SIO_ERR_HANDOVER_PATH",
    message: /clients are offered there already: .*another path/,
  });
  controller.abort();
  await assert.rejects(handed, { name: "AbortError" });
  const file = `${socket}.file`;
  fs.writeFileSync(file, "mine");
  const taking = () => new Server(http.createServer(), { takeOver: path.join(file, "x") });
  assert.throws(taking, {
    code: "SIO_ERR_HANDOVER_PATH",
    message: /^option takeOver can't be ".*": /,
  });
});
