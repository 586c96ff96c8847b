"use strict";

/** The option `limits`: who comes too often, or in too great numbers, is refused before this thread hears of it. */

const assert = require("node:assert/strict");
const diagnostics = require("node:diagnostics_channel");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const tls = require("node:tls");
const { test } = require("node:test");

const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const { attach } = require("../engine.io.js");
const CLIENTS = require("./support/client-versions");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";
const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CREDENTIALS = { key: fixture("key.pem"), cert: fixture("cert.pem") };
/** So slow that none comes back while a test runs. */
const NEVER = 1e-6;

/** A server with these limits, and what its program has heard. */
async function serve(t, limits, { prepare = () => {}, secure = false, options } = {}) {
  const httpServer = secure ? https.createServer(CREDENTIALS) : http.createServer();
  const io = new Server(httpServer, { limits, ...options });
  prepare(io);
  const heard = [];
  io.engine.on("connection_error", ({ code }) => heard.push(code));
  const open = [];
  t.after(async () => {
    for (const one of open) one.destroy();
    await io.close();
  });
  await new Promise((resolve) => httpServer.listen(0, "127.0.0.1", resolve));
  const { port } = httpServer.address();
  await turns(2);

  /** Asks for a session from an address; gives status, headers and body, and a way to end it. */
  const ask = (target = POLLING, from = "127.0.0.1", lines = "") => {
    const plain = net.connect({ port, host: "127.0.0.1", localAddress: from });
    const socket = secure ? tls.connect({ socket: plain, rejectUnauthorized: false }) : plain;
    open.push(socket);
    const upgrade = target.includes("websocket")
      ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      : "";
    socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n${lines}${upgrade}\r\n`);
    const answer = new Promise((resolve, reject) => {
      let text = "";
      socket.on("error", reject);
      socket.setEncoding("latin1");
      const look = () => {
        const [head, body] = text.split(/\r\n\r\n([^]*)/);
        const length = /content-length: (\d+)/i.exec(head)?.[1] ?? 0;
        if (body === undefined || body.length < Number(length)) return;
        if (/transfer-encoding: chunked/i.test(head) && !body.endsWith("0\r\n\r\n")) return;
        const [, status] = head.split(" ");
        resolve({ status: Number(status), head, body, end: () => socket.destroy() });
      };
      socket.on("data", (chunk) => {
        text += chunk;
        look();
      });
      socket.on("end", () => reject(new Error(`ended behind ${JSON.stringify(text)}`)));
    });
    answer.catch(() => {});
    return within(answer, `an answer to ${target} from ${from}`);
  };
  /** A client that comes from an address. */
  const dial = (from, { lib = connect, ...options } = {}) => {
    const agent = new http.Agent({ localAddress: from });
    const client = lib(`http://127.0.0.1:${port}`, { forceNew: true, agent, ...options });
    open.push({ destroy: () => client.disconnect() });
    return client;
  };
  const limited = () => {
    const { values } = io.metrics().socketio_handshakes_limited;
    return Object.fromEntries(
      values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.limit, value]),
    );
  };
  return { io, port, heard, ask, dial, limited };
}

const PAGE = "Origin: http://web.example\r\n";

/** The ways by which a handshake may come in. */
const WAYS = [
  { name: "as a worker accepts it", forLinux: true },
  {
    name: "as Node.js accepts it",
    prepare: (io) => io.httpServer.on("connection", () => {}),
  },
  { name: "behind a middleware", prepare: (io) => io.engine.use((_req, _res, next) => next()) },
  { name: "over TLS of Node.js", secure: true },
  {
    name: "over TLS of a worker",
    secure: true,
    options: LINUX ? { tls: "native" } : {},
    forLinux: true,
  },
];

for (const { name, forLinux, ...way } of WAYS)
  for (const target of [POLLING, WEBSOCKET])
    test(`too many sessions of an address are refused, and others are let in: ${name}, ${target}`, async (t) => {
      const connects = { perAddress: { rate: NEVER, burst: 2 } };
      const { ask, heard, limited } = await serve(t, { connects }, way);
      const opens = target === POLLING ? 200 : 101;
      assert.equal((await ask(target)).status, opens);
      assert.equal((await ask(target)).status, opens);
      const refused = await ask(target);
      assert.equal(refused.status, 429);
      assert.match(refused.head, /^Retry-After: \d+$/im);
      if (target === POLLING)
        assert.match(refused.body, /\{"code":6,"message":"Too many requests"\}/);
      else assert.equal(refused.body, "Too many requests");
      assert.equal((await ask(target, "127.0.0.2")).status, opens);
      assert.deepEqual(limited(), { connects_per_address: 1 });
      if (forLinux && LINUX) assert.deepEqual(heard, [], "this thread has not heard of it");
    });

for (const { name, ...way } of WAYS)
  test(`sessions of all together are bounded, and who is refused for its address takes nothing of that: ${name}`, async (t) => {
    const connects = {
      perAddress: { rate: NEVER, burst: 1 },
      total: { rate: NEVER, burst: 2 },
    };
    const { ask, limited } = await serve(t, { connects }, way);
    assert.equal((await ask()).status, 200);
    for (let i = 0; i < 5; i++) assert.equal((await ask()).status, 429);
    assert.equal((await ask(POLLING, "127.0.0.2")).status, 200);
    assert.equal((await ask(POLLING, "127.0.0.3")).status, 429);
    assert.deepEqual(limited(), { connects: 1, connects_per_address: 5 });
  });

for (const { name, ...way } of WAYS)
  for (const target of [POLLING, WEBSOCKET])
    test(`a client more than there may be waits until one has gone: ${name}, ${target}`, async (t) => {
      const { ask, io, limited } = await serve(t, { maxClients: 1 }, way);
      const opens = target === POLLING ? 200 : 101;
      const first = await ask(target);
      assert.equal(first.status, opens);
      const refused = await ask(target);
      assert.equal(refused.status, 503);
      assert.match(refused.head, /^Retry-After: 1$/im);
      assert.deepEqual(limited(), { max_clients: 1 });
      await eventually(() => io.engine.clientsCount === 1);
      for (const conn of Object.values(io.engine.clients)) conn.close(true);
      // the worker hears of it a moment later
      for (let status; status !== opens;) ({ status } = await ask(target));
    });

test("the address is the client's, as trusted proxies tell it", async (t) => {
  const limits = { maxClientsPerAddress: 1 };
  const { port, io } = await serve(t, limits, { options: { trustProxy: ["loopback"] } });
  const status = async (from, target = POLLING) => {
    const headers = { "X-Forwarded-For": from };
    return (await fetch(`http://127.0.0.1:${port}${target}`, { headers })).status;
  };
  assert.equal(await status("192.0.2.1"), 200);
  assert.equal(await status("192.0.2.1"), 429);
  assert.equal(await status("192.0.2.2"), 200);
  io.engine.use((_req, _res, next) => next());
  assert.equal(await status("192.0.2.2"), 429);
  assert.equal(await status("192.0.2.3"), 200);
});

test("a connection that is kept, as by a proxy, opens no more sessions than others", async (t) => {
  const { heard, limited, port } = await serve(t, { maxClients: 1 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = (target) =>
    new Promise((resolve, reject) => {
      const request = http.get({ port, host: "127.0.0.1", path: target, agent });
      request.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      });
      request.on("error", reject);
    });
  assert.equal(await within(ask(POLLING), "an answer"), 200);
  assert.equal(await within(ask(POLLING), "an answer"), 503);
  assert.deepEqual(limited(), { max_clients: 1 });
  if (LINUX) assert.deepEqual(heard, []);
});

test("many that come at once get no more places than there are", async (t) => {
  const { ask, io } = await serve(t, { maxClients: 5, maxClientsPerAddress: 3 });
  const from = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
  const targets = [POLLING, WEBSOCKET];
  const all = Array.from({ length: 60 }, (_, i) => ask(targets[i % 2], from[i % 3]));
  const answers = await Promise.all(all);
  const opened = answers.map(({ status }, i) => ({ status, from: from[i % 3] }));
  const let_in = opened.filter(({ status }) => status === 200 || status === 101);
  assert.equal(let_in.length, 5);
  for (const address of from)
    assert.ok(let_in.filter(({ from: of }) => of === address).length <= 3, address);
  await eventually(() => io.engine.clientsCount === 5);
});

test("an upgrade needs no place, and nothing of the rates", async (t) => {
  const connects = { perAddress: { rate: NEVER, burst: 1 } };
  const { dial, io } = await serve(t, { connects, maxClients: 1, maxClientsPerAddress: 1 });
  const client = dial("127.0.0.1");
  const upgraded = new Promise((resolve) => client.io.engine?.once("upgrade", resolve));
  await until(client, "connect");
  await within(upgraded, "the upgrade");
  assert.equal(io.engine.clientsCount, 1);
});

for (const [version, lib] of Object.entries(CLIENTS))
  for (const transport of ["polling", "websocket"])
    test(`a client that is refused hears of it, and comes again by itself: ${version}, ${transport}`, async (t) => {
      const { dial } = await serve(t, { maxClients: 1 }, { options: { allowEIO3: true } });
      const first = dial("127.0.0.1", { transports: [transport] });
      await until(first, "connect");
      const options = { lib, transports: [transport], reconnectionDelay: 10 };
      const second = dial("127.0.0.2", options);
      const [error] = await until(second, "connect_error");
      if (transport === "polling") assert.equal(error.description, 503);
      // the older ones have the WebSocket of Node.js, where there is one, which does not tell
      else if (version >= "3") assert.match(error.description.message, /503/);
      first.disconnect();
      await until(second, "connect");
    });

test("a program that takes its time for a handshake lets in no more than there are places", async (t) => {
  const waiting = [];
  const { ask } = await serve(
    t,
    { maxClients: 1 },
    { prepare: (io) => (io.engine.opts.allowRequest = (_req, done) => waiting.push(done)) },
  );
  const answers = [ask(), ask(), ask()];
  await eventually(() => waiting.length === 3);
  for (const done of waiting) done(null, true);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.deepEqual(statuses.toSorted(), [200, 503, 503]);
});

for (const { name, forLinux, ...way } of WAYS)
  test(`clients that have joined no namespace are bounded, until they join or go: ${name}`, async (t) => {
    if (forLinux && !LINUX) return t.skip("no worker accepts here");
    const limits = { maxUnauthenticated: 3, maxUnauthenticatedPerAddress: 2 };
    const { ask, io, limited, port } = await serve(t, limits, way);
    const scheme = way.secure ? "https" : "http";
    const own = { forceNew: true, rejectUnauthorized: false, reconnectionDelay: 5 };
    const joined = connect(`${scheme}://127.0.0.1:${port}`, { ...own, transports: ["websocket"] });
    t.after(() => joined.disconnect());
    await until(joined, "connect"); // it does not count any more
    const first = await ask(WEBSOCKET);
    assert.equal((await ask()).status, 200);
    assert.equal((await ask()).status, 429);
    assert.equal((await ask(POLLING, "127.0.0.2")).status, 200);
    assert.equal((await ask(WEBSOCKET, "127.0.0.3")).status, 503);
    assert.deepEqual(limited(), { max_unauthenticated: 1, max_unauthenticated_per_address: 1 });
    assert.equal(io.engine.clientsCount, 4);
    first.end(); // it makes room for one
    await eventually(() => io.engine.clientsCount === 3, "the end of the first");
    assert.equal((await ask(WEBSOCKET)).status, 101);
  });

test("a client counts until a middleware has let it in, and one that is refused for as long as it stays", async (t) => {
  const waiting = [];
  const prepare = (io) => {
    io.of("/closed").use((_socket, next) => next(new Error("no")));
    io.of("/slow").use((_socket, next) => waiting.push(next));
  };
  const { ask, port } = await serve(t, { maxUnauthenticated: 2 }, { prepare });
  const refused = await RawWebSocket.open(port, WEBSOCKET);
  t.after(() => refused.destroy());
  await refused.next(); // its session
  refused.text("40/closed,");
  assert.equal(await refused.next(), '44/closed,{"message":"no"}');
  const slow = connect(`http://127.0.0.1:${port}/slow`, { forceNew: true });
  t.after(() => slow.disconnect());
  await eventually(() => waiting.length === 1, "the middleware");
  assert.equal((await ask()).status, 503);
  waiting[0]();
  await until(slow, "connect");
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 503);
});

test("an engine by itself has no clients that are to join something", async (t) => {
  const engine = attach(http.createServer(), { limits: { maxUnauthenticated: 1 } });
  const { httpServer } = engine;
  t.after(() => {
    engine.close();
    httpServer.close();
  });
  await new Promise((resolve) => httpServer.listen(0, "127.0.0.1", resolve));
  const target = `http://127.0.0.1:${httpServer.address().port}/engine.io/?EIO=4&transport=polling`;
  for (let n = 0; n < 3; n++) assert.equal((await fetch(target)).status, 200);
});

/** How a program lets handshakes wait, and what ends one of them without a session. */
const WAITINGS = {
  allowRequest: (io, waiting) =>
    (io.engine.opts.allowRequest = (_req, done) => waiting.push((ok) => done(null, ok))),
  "a middleware": (io, waiting) =>
    io.engine.use((_req, _res, next) =>
      waiting.push((ok) => next(ok ? undefined : new Error("no"))),
    ),
  generateId: (io, waiting) => {
    let n = 0;
    io.engine.generateId = () =>
      new Promise((resolve, reject) =>
        waiting.push((ok) => (ok ? resolve(`id ${n++}`) : reject(new Error("no")))),
      );
  },
};

for (const [name, prepare] of Object.entries(WAITINGS))
  for (const target of [POLLING, WEBSOCKET])
    test(`handshakes that wait for a program are bounded: ${name}, ${target}`, async (t) => {
      const waiting = [];
      const { ask, io, limited, port } = await serve(
        t,
        { maxPendingHandshakes: 3, maxPendingHandshakesPerAddress: 2 },
        { prepare: (io) => prepare(io, waiting) },
      );
      const opens = target === POLLING ? 200 : 101;
      const first = ask(target);
      await eventually(() => waiting.length === 1, "the first");
      const gone = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.1" });
      gone.on("error", () => {}).write(`GET ${POLLING} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await eventually(() => waiting.length === 2, "the second");
      assert.equal((await ask(target)).status, 429);
      const third = ask(target, "127.0.0.2");
      await eventually(() => waiting.length === 3, "the third");
      assert.equal((await ask(target, "127.0.0.3")).status, 503);
      const limit = "max_pending_handshakes";
      assert.deepEqual(limited(), { [limit]: 1, [`${limit}_per_address`]: 1 });
      assert.equal(waiting.length, 3, "the program has not heard of these");
      // each end makes room: that of the connection, a refusal, and a session, which no more is pending
      gone.resetAndDestroy();
      const [another] = await askUntilHeard(() => ask(target), waiting, 4);
      waiting[0](false);
      assert.ok((await first).status >= 400);
      waiting[2](true);
      assert.equal((await third).status, opens);
      waiting[3](true);
      assert.equal((await another).status, opens);
      const last = [ask(target, "127.0.0.4"), ask(target, "127.0.0.4"), ask(target, "127.0.0.5")];
      await eventually(() => waiting.length === 7, "three more");
      for (const decide of waiting.slice(4)) decide(true);
      for (const answer of last) assert.equal((await answer).status, opens);
      assert.equal(io.engine.clientsCount, 5);
    });

test("who keeps asking for a namespace that is not there does not stay for that", async (t) => {
  const options = { connectTimeout: 100 };
  const { io, port } = await serve(t, { maxUnauthenticated: 1 }, { options });
  const raw = await RawWebSocket.open(port, WEBSOCKET);
  t.after(() => raw.destroy());
  await eventually(() => {
    for (let n = 0; n < 200; n++) raw.text("40/nowhere,");
    return io.engine.clientsCount === 0;
  }, "the end of the session");
});

test("a handshake that a program passes on when its connection has gone is not pending", async (t) => {
  const waiting = [];
  const { ask, io } = await serve(
    t,
    { maxPendingHandshakes: 1 },
    { prepare: (io) => (io.engine.opts.allowRequest = (_req, done) => waiting.push(done)) },
  );
  const late = http.createServer((req, res) =>
    res.once("close", () => io.engine.handleRequest(req, res)),
  );
  t.after(() => late.close());
  await new Promise((resolve) => late.listen(0, "127.0.0.1", resolve));
  const socket = net.connect(late.address().port, "127.0.0.1");
  socket.write(`GET ${POLLING} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await until(late, "request");
  socket.destroy();
  await eventually(() => waiting.length === 1, "the program to hear of it");
  const answer = ask();
  await eventually(() => waiting.length === 2, "the program to hear of another one");
  waiting[1](null, true);
  assert.equal((await answer).status, 200);
});

/**
 * Asks until the program has heard so many handshakes: the end of a connection takes a moment to be noticed. Gives the promise of the
 * last answer, in an array.
 */
async function askUntilHeard(ask, waiting, count) {
  for (;;) {
    let answer;
    const asked = ask();
    asked.then((it) => (answer = it)).catch(() => {});
    await eventually(() => waiting.length === count || answer !== undefined, "an answer, or none");
    if (waiting.length === count) return [asked];
    assert.equal(answer.status, 429);
  }
}

test("programs are told how many were refused", async (t) => {
  const { ask, io } = await serve(t, { connects: { total: { rate: NEVER, burst: 1 } } });
  const told = [];
  const listen = (message) => told.push(message);
  diagnostics.subscribe("ferrosocket:limited", listen);
  t.after(() => diagnostics.unsubscribe("ferrosocket:limited", listen));
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 429);
  await eventually(() => told.length > 0 || !LINUX);
  if (LINUX) assert.deepEqual(told, [{ engine: io.engine, refused: { connects: 1 } }]);
});

for (const { name, forLinux, prepare } of WAYS.slice(0, 2))
  test(`what is refused within a second is told behind it: ${name}`, async (t) => {
    if (forLinux && !LINUX) return t.skip("no worker accepts here");
    const connects = { total: { rate: NEVER, burst: 1 } };
    const { ask } = await serve(t, { connects }, { prepare });
    let told = 0;
    const listen = ({ refused }) => (told += refused.connects);
    diagnostics.subscribe("ferrosocket:limited", listen);
    t.after(() => diagnostics.unsubscribe("ferrosocket:limited", listen));
    assert.equal((await ask()).status, 200);
    await ask();
    await eventually(() => told === 1);
    for (let i = 0; i < 5; i++) assert.equal((await ask()).status, 429);
    await eventually(() => told === 6);
  });

test("what a browser asks before a handshake takes nothing, and is answered when there is no place", async (t) => {
  const limits = { connects: { perAddress: { rate: NEVER, burst: 1 } }, maxClients: 1 };
  const options = { cors: { origin: "http://web.example" } };
  const { ask, port } = await serve(t, limits, { options });
  const askBefore = () =>
    new Promise((resolve, reject) => {
      const headers = {
        Origin: "http://web.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
      };
      const request = http.request({ port, path: POLLING, method: "OPTIONS", headers });
      request.on("response", (response) => resolve(response.resume().statusCode));
      request.on("error", reject).end();
    });
  assert.equal(await askBefore(), 204);
  assert.equal((await ask()).status, 200);
  assert.equal(await askBefore(), 204);
  assert.equal((await ask()).status, 429);
});

for (const { name, options: more, ...way } of WAYS)
  for (const origin of ["http://web.example", /^http:\/\/web\./])
    test(`a page of another origin may read that it is refused: ${name}, ${origin}`, async (t) => {
      const cors = { origin: [origin], credentials: true };
      const options = { cors, ...more };
      const { ask, limited } = await serve(t, { maxClients: 1 }, { ...way, options });
      for (const status of [200, 503]) {
        const answer = await ask(POLLING, "127.0.0.1", PAGE);
        assert.equal(answer.status, status);
        assert.match(answer.head, /^Access-Control-Allow-Origin: http:\/\/web.example$/im);
        assert.match(answer.head, /^Access-Control-Allow-Credentials: true$/im);
        assert.match(answer.head, /^Vary: Origin$/im);
      }
      assert.deepEqual(limited(), { max_clients: 1 });
    });

test("a program that decides who may read answers is not asked for who is refused", async (t) => {
  let asked = 0;
  const origin = (_origin, done) => {
    asked++;
    done(null, true);
  };
  const { ask } = await serve(t, { maxClients: 1 }, { options: { cors: { origin } } });
  assert.equal((await ask(POLLING, "127.0.0.1", PAGE)).status, 200);
  const refused = await ask(POLLING, "127.0.0.1", PAGE);
  assert.equal(refused.status, 503);
  assert.doesNotMatch(refused.head, /Access-Control/i);
  assert.equal(asked, 1);
});

/** A program that lets nobody in. */
const refuseAll = (io) => (io.engine.opts.allowRequest = (_req, done) => done("no", false));

test("a handshake takes its token before a program looks at it, and who has no token takes none", async (t) => {
  const connects = { perAddress: { rate: NEVER, burst: 3 } };
  const { ask } = await serve(t, { connects }, { prepare: refuseAll });
  for (const [target, status] of [
    ["/socket.io/?EIO=4&transport=none", 400],
    [POLLING, 403],
    ["/socket.io/?EIO=4&transport=polling&sid=nobody", 400],
    [POLLING, 403],
    [POLLING, 429],
    [POLLING, 429],
  ])
    assert.equal((await ask(target)).status, status, target);
});

test("who has no address counts for all only", { skip: !LINUX }, async (t) => {
  const httpServer = http.createServer();
  const limits = { connects: { perAddress: { rate: NEVER, burst: 1 } }, maxClients: 2 };
  const io = new Server(httpServer, { limits });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "limits-"));
  t.after(async () => {
    await io.close();
    fs.rmSync(folder, { recursive: true });
  });
  const socketPath = path.join(folder, "socket");
  await new Promise((resolve) => httpServer.listen(socketPath, resolve));
  const ask = () =>
    new Promise((resolve, reject) => {
      const request = http.get({ socketPath, path: POLLING, headers: { Host: "a" } });
      request.on("response", (response) => resolve(response.resume().statusCode));
      request.on("error", reject);
    });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push(await within(ask(), "an answer"));
  assert.deepEqual(statuses, [200, 200, 503]);
});

const make = (limits) => () => new Server(http.createServer(), { limits });

test("a limit that is misspelt is an error, and so is one that can't be", () => {
  for (const [limits, message] of [
    [5, /^option limits can't be 5: give an object/],
    [{ conects: {} }, /^option limits can't be an object with conects: its parts are connects, /],
    [{ connects: 5 }, /^option limits.connects can't be 5: give an object with some of perAddress/],
    [{ connects: { total: 0 } }, /^option limits.connects.total can't be 0: give a number greater/],
    [
      { connects: { total: { burst: 5 } } },
      /^option limits.connects.total.rate can't be undefined/,
    ],
    [
      { connects: { perAddress: { rate: 5, burst: 0.5 } } },
      /^option limits.connects.perAddress.burst can't be 0.5: give a number from 1 on/,
    ],
    [{ maxClients: 1.5 }, /^option limits.maxClients can't be 1.5: give a whole number/],
    [
      { maxClientsPerAddress: "5" },
      /^option limits.maxClientsPerAddress can't be "5": give a whole/,
    ],
    [{ ipv6Prefix: 129 }, /^option limits.ipv6Prefix can't be 129: give a whole number of bits/],
  ])
    assert.throws(make(limits), (error) => {
      assert.match(error.message, message);
      return error.code === "SIO_ERR_INVALID_OPTION";
    });
  for (const limits of [undefined, null, false, {}, { connects: {} }]) make(limits)();
});
