"use strict";

/**
 * HTTP servers whose connections a worker accepts: to programs and to clients all is as if Node.js did. Scripts that say so run
 * on npm's server, too.
 */

const assert = require("node:assert/strict");
const { spawn: spawnProcess } = require("node:child_process");
const net = require("node:net");
const path = require("node:path");
const { test } = require("node:test");

const { EarlySocket } = require("./support/early-socket");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { serveKept } = require("./support/kept-server");
const { RawWebSocket } = require("./support/raw-websocket");
const { deferred, eventually, turns, until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const POLLING = "/socket.io/?EIO=4&transport=polling";
const skip = !LINUX && "Node.js accepts there";

/** A server that is ready, and ways to connect to it. */
async function serve(t, options = {}, { implementation = ours } = {}) {
  const served = await serveKept(t, implementation, options, (req, res) =>
    res.end(`app ${req.url}`),
  );
  const { io, httpServer, port, open, dial: keep } = served;
  const ask = async () => {
    const raw = await RawWebSocket.open(port, WEBSOCKET);
    open.push(raw);
    return raw;
  };
  const count = () =>
    new Promise((resolve) => httpServer.getConnections((_error, number) => resolve(number)));
  /** Waits until the HTTP server counts so many connections. */
  const counts = async (number) => {
    const wait = async () => {
      while ((await count()) !== number) await turns();
    };
    await within(wait(), `${number} connections`);
  };
  await turns(2);
  /** Whether a worker accepts. */
  const isLent = () => [...io.engine.workerListeners].some(({ isOpen }) => isOpen);
  return {
    io,
    httpServer,
    port,
    keep,
    ask,
    count,
    counts,
    isLent,
    taken: () => io.engine.acceptor.taken,
  };
}

const request = (target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
/** The beginning of a request of ours; its end is `st: a`. */
const HALF = `GET ${POLLING} HTTP/1.1\r\nHo`;
const nothing = () => {};
const allowed = (origin) => [
  `Access-Control-Allow-Origin: ${origin}`,
  "Access-Control-Allow-Credentials: true",
];
const sidOf = ({ body }) => JSON.parse(body.slice(1)).sid;

for (const implementation of selected()) {
  test(`${implementation.name}: one connection asks for our path, for another, and for ours again`, async (t) => {
    const { keep, count } = await serve(t, {}, { implementation });
    const kept = await keep();
    assert.equal((await kept.ask("/first")).body, "app /first");
    const sid = sidOf(await kept.ask(POLLING));
    assert.equal((await kept.ask("/second")).body, "app /second");
    assert.equal((await kept.ask(`${POLLING}&sid=${sid}`, { body: "40" })).body, "ok");
    assert.match((await kept.ask(`${POLLING}&sid=${sid}`)).body, /^40\{"sid"/);
    assert.equal((await kept.ask("/third")).body, "app /third");
    assert.equal(await count(), 1);
  });

  test(`${implementation.name}: our path first, then another`, async (t) => {
    const { keep, count } = await serve(t, {}, { implementation });
    const kept = await keep();
    const sid = sidOf(await kept.ask(POLLING));
    assert.equal((await kept.ask("/app")).body, "app /app");
    assert.equal((await kept.ask(`${POLLING}&sid=${sid}`, { body: "40" })).body, "ok");
    assert.equal(await count(), 1);
  });

  test(`${implementation.name}: pipelined requests are answered in their order`, async (t) => {
    const { keep } = await serve(t, {}, { implementation });
    const kept = await keep();
    kept.write(request("/1") + request(POLLING) + request("/2"));
    assert.equal((await kept.answer()).body, "app /1");
    assert.match((await kept.answer()).body, /^0\{"sid"/);
    assert.equal((await kept.answer()).body, "app /2");
    const other = await keep();
    other.write(request(POLLING) + request("/3"));
    assert.match((await other.answer()).body, /^0\{"sid"/);
    assert.equal((await other.answer()).body, "app /3");
  });

  test(`${implementation.name}: Expect is answered`, async (t) => {
    const { keep, io } = await serve(t, {}, { implementation });
    const first = await keep();
    const sid = sidOf(await first.ask(POLLING));
    const kept = await keep();
    const lines = ["Host: a", "Expect: 100-continue", "Content-Length: 2"];
    kept.write(`POST ${POLLING}&sid=${sid} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    assert.match((await kept.answer()).head, /^HTTP\/1.1 100 Continue/);
    const connection = until(io, "connection");
    kept.write("40");
    assert.equal((await kept.answer()).body, "ok");
    await connection;
  });

  test(`${implementation.name}: requests that come byte by byte`, async (t) => {
    const { keep } = await serve(t, {}, { implementation });
    for (const [target, expected] of [
      [POLLING, /^0\{"sid"/],
      ["/slow", /^app \/slow$/],
    ]) {
      const kept = await keep();
      kept.socket.setNoDelay(true);
      for (const byte of `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`) {
        kept.write(byte);
        await turns(1);
      }
      assert.match((await kept.answer()).body, expected);
    }
  });

  test(`${implementation.name}: when it is closed, nobody gets in; when it listens again, all do`, async (t) => {
    const { httpServer, port, ask } = await serve(t, {}, { implementation });
    assert.match(await (await ask()).next(), /^0/);
    for (let n = 0; n < 3; n++) {
      httpServer.close();
      httpServer.closeAllConnections();
      const [error] = await until(net.connect(port, "127.0.0.1"), "error");
      assert.equal(error.code, "ECONNREFUSED");
      httpServer.listen(port, "127.0.0.1");
      await until(httpServer, "listening");
      assert.equal(httpServer.address().port, port);
      const kept = await KeptConnection.open(port);
      t.after(() => kept.destroy());
      assert.match((await kept.ask(POLLING)).body, /^0/);
      assert.match(await (await ask()).next(), /^0/);
    }
  });

  test(`${implementation.name}: who has connected is counted, and a listener is shown who connects`, async (t) => {
    const { httpServer, keep, ask, counts } = await serve(t, {}, { implementation });
    const kept = await keep();
    await kept.ask("/app");
    const raw = await ask();
    await raw.next();
    await counts(2);
    const seen = [];
    const see = (socket) => seen.push(socket.remotePort);
    httpServer.on("connection", see);
    const late = await ask();
    await late.next();
    const other = await keep();
    await other.ask("/app");
    assert.deepEqual(seen, [late.socket.localPort, other.socket.localPort]);
    httpServer.removeListener("connection", see);
    await turns(2);
    await (await ask()).next();
    assert.equal(seen.length, 2);
    await counts(5);
  });

  test(`${implementation.name}: who has sent half a head is counted, and close() waits for the rest`, async (t) => {
    const { httpServer, keep, counts } = await serve(t, {}, { implementation });
    const kept = await keep();
    kept.write(HALF);
    await counts(1);
    await turns(3); // Node.js has read it: of whom it has read nothing, it ends
    const closed = until(httpServer, "close");
    httpServer.close();
    kept.write("st: a\r\nConnection: close\r\n\r\n");
    assert.match((await kept.answer()).body, /^0\{"sid"/);
    await closed;
  });

  test(`${implementation.name}: the engine closes: who has just come is served by the HTTP server`, async (t) => {
    const { io, port, keep, counts } = await serve(t, {}, { implementation });
    const kept = await keep();
    kept.write(HALF);
    await counts(1);
    const early = new KeptConnection(await EarlySocket.prepare(port));
    early.write(request("/early")); // returns when the kernel has it
    const border = io.engine.border?.();
    const waits = () => border === undefined || JSON.parse(border.native.stats()).inboxBytes > 0;
    while (LINUX && !waits()); // a worker has accepted it, and this thread has not heard of it
    io.engine.close();
    kept.write("st: a\r\n\r\n");
    assert.match((await kept.answer()).body, /^0\{"sid"/);
    assert.equal((await early.answer()).body, "app /early");
    early.destroy();
    await early.socket.exited;
  });

  test(`${implementation.name}: headers that are not ASCII are in UTF-8 before a text`, async (t) => {
    const cors = { origin: "http://a", exposedHeaders: "X-\u00c9" };
    for (const seen of [false, true]) {
      const { io, keep } = await serve(t, { cors }, { implementation });
      if (seen) io.engine.use((_req, _res, next) => next());
      const kept = await keep();
      const headers = { Origin: "http://a" };
      const { head, body } = await kept.ask(POLLING, { headers });
      const url = `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`;
      const heads = [head, (await kept.ask(url, { headers, body: "40" })).head];
      for (const text of heads)
        assert.match(text, /^Access-Control-Expose-Headers: X-\u00c3\u0089$/m); // as bytes
    }
  });

  test(`${implementation.name}: cors: a part that the program changes counts for who connects next`, async (t) => {
    const cors = { origin: ["http://a", "http://b"], credentials: true };
    const { keep } = await serve(t, { cors }, { implementation });
    /** Asks from an origin: the headers for it. */
    const ask = async (from) => {
      const kept = await keep();
      const { head } = await kept.ask(POLLING, { headers: { Origin: from } });
      return head.match(/^Access-Control-.*$/gim) ?? [];
    };
    assert.deepEqual(await ask("http://a"), allowed("http://a"));
    cors.origin.shift();
    await turns(2);
    assert.deepEqual(await ask("http://a"), allowed("http://a").slice(1));
    assert.deepEqual(await ask("http://b"), allowed("http://b"));
    cors.origin = true;
    await turns(2);
    assert.deepEqual(await ask("http://a"), allowed("http://a"));
    cors.credentials = false;
    await turns(2);
    for (const from of ["http://a", "http://b", "http://c"])
      assert.deepEqual(await ask(from), allowed(from).slice(0, 1));
  });
}

for (const implementation of selected()) {
  test(`${implementation.name}: the engine closes: WebSockets are refused until the server listens again`, async (t) => {
    const { io, httpServer, port, keep, ask } = await serve(t, {}, { implementation });
    await (await ask()).next();
    io.engine.close();
    for (let n = 0; n < 2; n++) {
      const kept = await keep();
      const sid = sidOf(await kept.ask(POLLING)); // by polling, the engine opens sessions
      await turns(3);
      for (const target of [WEBSOCKET, `${WEBSOCKET}&sid=${sid}`]) {
        const raw = await RawWebSocket.open(port, target);
        await raw.refusal();
        assert.deepEqual([raw.status, raw.body], [503, "Service Unavailable"]);
      }
      const raw = await RawWebSocket.open(port, WEBSOCKET, { version: "12" });
      await raw.refusal();
      assert.equal(raw.status, 400);
    }
    httpServer.close();
    httpServer.closeAllConnections();
    httpServer.listen(port, "127.0.0.1");
    await until(httpServer, "listening");
    for (let n = 0; n < 2; n++) {
      assert.match(await (await ask()).next(), /^0/);
      await turns(3);
    }
  });

  test(`${implementation.name}: who ends its half is answered where the HTTP server says so`, async (t) => {
    for (const says of [false, true]) {
      const { io, httpServer, keep } = await serve(t, {}, { implementation });
      httpServer.httpAllowHalfOpen = says;
      await turns(2);
      const kept = await keep();
      const connection = until(io.engine, "connection");
      const sid = sidOf(await kept.ask(POLLING));
      const [conn] = await connection;
      const closed = until(conn, "close");
      kept.send(`${POLLING}&sid=${sid}`);
      await eventually(() => conn.transport.writable, "a poll");
      kept.socket.end();
      if (!says) {
        assert.equal((await closed)[0], "transport error");
        continue;
      }
      await turns(20);
      conn.send("late");
      assert.equal((await kept.answer()).body, "4late");
    }
  });

  test(`${implementation.name}: who ends its half in the middle of a head is told so`, async (t) => {
    const { keep } = await serve(t, {}, { implementation });
    for (const half of [HALF, "GET /app HTTP/1.1\r\nHo"]) {
      const kept = await keep();
      kept.socket.end(half);
      assert.match((await kept.answer()).head, /^HTTP\/1.1 400 /);
    }
  });
}

test("a worker accepts while nothing stands against it", { skip }, async (t) => {
  const { httpServer, ask, isLent, taken, io } = await serve(t);
  assert.equal(isLent(), true);
  await (await ask()).next();
  await eventually(() => taken() === 1, "the news");

  // what is merely assigned counts from the end of the turn on
  httpServer.maxConnections = 100;
  await turns(2);
  assert.equal(isLent(), false);
  const conn = until(io.engine, "connection");
  httpServer.maxConnections = undefined;
  await turns(2);
  assert.equal(isLent(), false, "a listener of the engine");
  await (await ask()).next();
  await conn;
  await turns(2);
  assert.equal(isLent(), true);

  // a listener counts at once
  httpServer.on("connection", nothing);
  assert.equal(isLent(), false);
  httpServer.removeListener("connection", nothing);
  await turns(2);
  assert.equal(isLent(), true);
  io.engine.use((_req, _res, next) => next());
  assert.equal(isLent(), false);
  await turns(2);
  assert.equal(isLent(), true); // it takes none, and relays those of polling clients
});

test("who has sent half a head is counted before Node.js has it", { skip }, async (t) => {
  const { io, httpServer, keep } = await serve(t);
  const [listener] = io.engine.workerListeners;
  const told = deferred("the news");
  listener.onnewcomer = function (more) {
    Object.getPrototypeOf(listener).onnewcomer.call(listener, more);
    told.resolve([more, httpServer._connections]);
  };
  (await keep()).write(HALF);
  assert.deepEqual(await told.promise, [true, 1]);
});

test("a getter that throws keeps Node.js accepting, and nothing else", { skip }, async (t) => {
  const { io, httpServer, isLent } = await serve(t);
  const { isClosed } = io.engine;
  io.engine.isClosed = () => {
    throw new Error("a getter of the program");
  };
  httpServer.close();
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  await turns(2);
  io.engine.isClosed = isClosed;
  assert.equal(isLent(), false);
});

test(
  "who comes when a listener has been added in this very turn is shown to it",
  { skip },
  async (t) => {
    const { httpServer, port } = await serve(t);
    const early = await EarlySocket.prepare(port);
    const raw = new RawWebSocket(early);
    const seen = deferred("a connection");
    httpServer.on("connection", seen.resolve);
    raw.request(WEBSOCKET); // returns when the kernel has it
    assert.ok((await seen.promise).remotePort > 0);
    await within(raw.answered, "the answer");
    assert.equal(raw.status, 101);
    raw.destroy();
    await early.exited;
  },
);

test("options of the engine count for who comes next", { skip }, async (t) => {
  const { io, ask, isLent } = await serve(t);
  assert.equal(JSON.parse((await (await ask()).next()).slice(1)).pingInterval, 25_000);
  io.engine.opts.pingInterval = 12_345;
  assert.equal(JSON.parse((await (await ask()).next()).slice(1)).pingInterval, 12_345);
  assert.equal(isLent(), true);
});

test(
  "the engine closes: the HTTP server goes on, and opens sessions again",
  { skip },
  async (t) => {
    const { io, ask, keep, isLent } = await serve(t);
    await (await ask()).next();
    await eventually(() => io.engine.clientsCount === 1, "the session");
    io.engine.close();
    assert.equal(isLent(), false);
    await eventually(() => io.engine.clientsCount === 0, "the end");
    const kept = await keep();
    assert.equal((await kept.ask("/app")).body, "app /app");
    assert.match((await kept.ask(POLLING)).body, /^0/);
  },
);

test(
  "the engine closes while workers have something of it: who comes next is theirs again",
  { skip },
  async (t) => {
    const { io, ask, keep, isLent, taken } = await serve(t);
    const raw = await ask(); // it does not answer the closing handshake
    await raw.next();
    await eventually(() => io.engine.clientsCount === 1, "the session");
    io.engine.close();
    const kept = await keep();
    assert.match((await kept.ask(POLLING)).body, /^0/);
    await eventually(() => io.engine.takeover.size === 1, "its connection is a worker's");
    await eventually(isLent, "a worker accepts");
    const before = taken();
    await (await keep()).ask(POLLING);
    await eventually(() => taken() === before + 1, "the news");
    raw.destroy();
  },
);

test(
  "cors: the headers are those of Node.js, for origins that are known and for others",
  { skip },
  async (t) => {
    for (const origin of [
      undefined,
      "*",
      true,
      false,
      "http://a",
      ["http://a", "http://b"],
      ["http://a", /b$/],
      /b$/,
    ]) {
      const { httpServer, keep, taken } = await serve(t, { cors: { origin, credentials: true } });
      const answers = [];
      for (const shown of [false, true]) {
        if (shown) httpServer.on("connection", () => {}); // Node.js accepts
        const heads = [];
        for (const from of ["http://a", "http://b", "http://c", undefined]) {
          const kept = await keep();
          const { head } = await kept.ask(POLLING, { headers: from ? { Origin: from } : {} });
          heads.push(head.replace(/Date: .*\r\n/, "").replace(/Content-Length: .*/, ""));
        }
        answers.push(heads);
      }
      assert.deepEqual(answers[0], answers[1], String(origin));
      assert.ok(taken() > 0);
    }
  },
);

test(
  "no descriptor is left: who comes is closed, as by Node.js, and later ones are served",
  { skip },
  async (t) => {
    const file = path.join(__dirname, "children", "few-descriptors.js");
    const child = spawnProcess(
      "sh",
      ["-c", `ulimit -n 64 && exec "${process.execPath}" "${file}" "${ours.path}"`],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    t.after(() => child.kill());
    const [line] = await until(child.stdout, "data");
    const port = Number(line);
    const clients = Array.from({ length: 100 }, () => {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      t.after(() => socket.destroy());
      const raw = new RawWebSocket(socket);
      raw.request(WEBSOCKET);
      return raw;
    });
    await within(Promise.all(clients.map(({ answered }) => answered)), "all answers");
    const served = clients.filter(({ status }) => status === 101);
    assert.ok(served.length > 10 && served.length < 64, `${served.length}`);
    assert.ok(clients.every(({ status, ended }) => status === 101 || ended));
    for (const raw of served) raw.destroy();
    // descriptors are free again when the server has seen that
    const serveAgain = async () => {
      for (let status; status !== 101;) {
        const raw = await RawWebSocket.open(port, WEBSOCKET).catch(() => undefined);
        status = raw?.status;
        raw?.destroy();
      }
    };
    await within(serveAgain(), "a connection");
  },
);
