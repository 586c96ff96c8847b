"use strict";

/** Engine.IO without Socket.IO: `ferrosocket/engine.io` beside npm `engine.io`, with upstream's client. */

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const http = require("node:http");
const net = require("node:net");
const path = require("node:path");
const { test } = require("node:test");
const { Socket: Client } = require("engine.io-client");
const { Socket: Client3 } = require("engine.io-client-3");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { selected } = require("./support/implementations");
const { eventually, gather, turns, until, within } = require("./support/waiting");

const root = path.join(__dirname, "..");

/** The engine of each side, and its Socket.IO. */
const load = {
  oracle: () => ({ lib: require("engine.io"), io: require("socket.io") }),
  ours: () => ({ lib: require("../engine.io.js"), io: require("../index.js") }),
};

const MODES = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

/** What a program may send: nothing of it is looked at, whether it is like a packet of Socket.IO or not. */
const MESSAGES = [
  "",
  "0",
  '2["event"]',
  '2/nsp,1["event",',
  "51-no packet",
  "\u0000",
  "ü",
  "👋 \u2028",
  "a".repeat(5_000),
  "ü€👋".repeat(2_000),
  Buffer.from([]),
  Buffer.from([4, 0, 255]),
  Buffer.alloc(100_000, "x"),
];

/** Enough of a message to tell it from others, in a form that failures can be read in. */
function brief([data]) {
  if (data === undefined) return undefined;
  const hash = createHash("sha1").update(typeof data === "string" ? data : Buffer.from(data));
  return `${typeof data} ${data.length ?? data.byteLength} ${hash.digest("hex")}`;
}

/** An empty text comes as nothing. */
const EXPECTED = MESSAGES.map((message) => brief([message === "" ? undefined : message]));

for (const { name } of selected()) {
  const { lib, io } = load[name]();

  /** A server on a port of its own, closed with the test, and how to connect to it. */
  const serve = async (t, options = {}, make = (opts) => new lib.Server(opts)) => {
    const httpServer = http.createServer();
    const engine = make(options);
    engine.attach(httpServer, options);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const url = `http://127.0.0.1:${httpServer.address().port}`;
    const clients = [];
    t.after(async () => {
      for (const client of clients) client.close();
      engine.close();
      httpServer.closeAllConnections();
      httpServer.close();
      await until(httpServer, "close");
    });
    const dial = (mode = "websocket", Kind = Client, more = {}) => {
      const client = new Kind(url, { transports: MODES[mode], ...more });
      clients.push(client);
      return client;
    };
    return { engine, httpServer, url, dial };
  };

  test(`${name}: what is exported`, () => {
    assert.deepEqual(Object.keys(lib).sort(), Object.keys(load.oracle().lib).sort());
    assert.equal(lib.protocol, 4);
    assert.equal(lib.parser, require("engine.io-parser"));
    const { uServer } = require("engine.io");
    const server = new lib.uServer({ pingInterval: 7 });
    assert.ok(server instanceof uServer && server instanceof lib.uServer);
    assert.equal(server.opts.pingInterval, 7);
    assert.ok(!(new lib.Server() instanceof lib.uServer));
    assert.deepEqual(
      Object.entries(lib.transports).map(([kind, { upgradesTo }]) => [kind, upgradesTo]),
      [
        ["polling", ["websocket", "webtransport"]],
        ["websocket", []],
        ["webtransport", []],
      ],
    );
  });

  test(`${name}: the engine of a Socket.IO server is a Server, its connections are Sockets`, async (t) => {
    const httpServer = http.createServer();
    const server = new io.Server(httpServer);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    assert.ok(server.engine instanceof lib.Server);
    const client = connect(`http://127.0.0.1:${httpServer.address().port}`, {
      transports: ["websocket"],
    });
    t.after(async () => {
      client.disconnect();
      await within(server.close(), "close");
    });
    const [socket] = await until(server, "connection");
    assert.ok(socket.conn instanceof lib.Socket);
    assert.ok(socket.conn.transport instanceof lib.Transport);
    assert.ok(socket.conn.transport instanceof lib.transports.websocket);
    assert.ok(!(socket.conn.transport instanceof lib.transports.webtransport));
  });

  test(`${name}: ES modules get the same`, async () => {
    const module = name === "ours" ? path.join(root, "engine.io.mjs") : "engine.io";
    const all = await import(module);
    assert.deepEqual(Object.keys(all).sort(), Object.keys(lib).sort());
    for (const [key, value] of Object.entries(all)) assert.equal(value, lib[key], key);
  });

  for (const mode of Object.keys(MODES)) {
    test(`${name}: messages both ways as they are, ${mode}`, async (t) => {
      const { engine, dial } = await serve(t);
      const client = dial(mode);
      const [conn] = await until(engine, "connection");
      const back = gather(client, "message", MESSAGES.length);
      const come = gather(conn, "message", MESSAGES.length);
      conn.on("message", (data) => conn.send(data));
      if (client.readyState !== "open") await until(client, "open");
      if (mode === "upgrade" && client.transport.name === "polling") await until(client, "upgrade");
      for (const message of MESSAGES) client.send(message);
      assert.deepEqual((await come).map(brief), EXPECTED);
      assert.deepEqual((await back).map(brief), EXPECTED);
      assert.equal(conn.transport.name, MODES[mode].at(-1));
      const closed = until(conn, "close");
      client.close();
      assert.deepEqual((await closed)[0], "transport close");
    });

    test(`${name}: callbacks of send() in order, ${mode}`, async (t) => {
      const { engine, dial } = await serve(t);
      const client = dial(mode);
      const [conn] = await until(engine, "connection");
      const told = [];
      const sent = new Promise((resolve) => {
        for (let i = 0; i < 10; i++)
          conn.send(`${i}`, (transport) => {
            told.push([i, transport instanceof lib.Transport]);
            if (i === 9) resolve();
          });
      });
      const come = gather(client, "message", 10);
      await within(sent, "the callbacks");
      assert.deepEqual(
        told,
        Array.from({ length: 10 }, (_, i) => [i, true]),
      );
      assert.deepEqual(
        (await come).flat(),
        Array.from({ length: 10 }, (_, i) => `${i}`),
      );
    });
  }

  for (const [mode, headers] of Object.entries({
    polling: "",
    websocket: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n`,
  })) {
    test(`${name}: the server hears of a connection before its client is told, ${mode}`, async (t) => {
      const { engine, httpServer } = await serve(t);
      const known = [];
      engine.on("connection", (conn) => known.push(conn.id));
      await turns(3); // a worker accepts, if it may
      for (let round = 1; round <= 5; round++) {
        const socket = net.connect(httpServer.address().port, "127.0.0.1");
        const answered = new Promise((resolve) => {
          socket.once("connect", () => {
            socket.write(
              `GET /engine.io/?EIO=4&transport=${mode} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`,
            );
            // the answer is there before the event loop next looks, which tells of this socket first: it has just been writable
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
          });
          socket.once("data", () => resolve(known.length));
        });
        assert.equal(await within(answered, "an answer"), round);
        socket.destroy();
      }
    });
  }

  test(`${name}: a client that says nothing stays`, async (t) => {
    // a time of Socket.IO, which is none of an engine by itself
    const { engine, dial } = await serve(t, { pingInterval: 10, connectTimeout: 1 });
    dial();
    const [conn] = await until(engine, "connection");
    await gather(conn, "heartbeat", 5);
    assert.equal(conn.readyState, "open");
  });

  test(`${name}: a subclass has its say`, async (t) => {
    const calls = [];
    class Own extends lib.Server {
      prepare(req) {
        calls.push("prepare");
        super.prepare(req);
      }
      verify(req, upgrade, done) {
        calls.push(`verify ${req._query.transport} ${upgrade}`);
        super.verify(req, upgrade, done);
      }
      generateId() {
        calls.push("generateId");
        return "one";
      }
    }
    const { engine, dial } = await serve(t, {}, (opts) => new Own(opts));
    const client = dial();
    const [conn] = await until(engine, "connection");
    assert.equal(conn.id, "one");
    if (client.readyState !== "open") await until(client, "open");
    assert.equal(client.id, "one");
    assert.deepEqual(calls, ["prepare", "verify websocket true", "generateId"]);
  });

  test(`${name}: a listener of the transport changes the headers of an answer`, async (t) => {
    const { engine, url } = await serve(t);
    const ask = (query, init) => fetch(`${url}/engine.io/?EIO=4&transport=polling${query}`, init);
    const opened = ask("");
    const [conn] = await until(engine, "connection");
    const seen = [];
    const change = (headers, req) => {
      seen.push([req.method, headers["cache-control"]]);
      headers["x-mark"] = "1";
    };
    conn.transport.on("headers", change);
    await (await opened).text();
    const session = `&sid=${conn.id}`;
    const posted = await ask(session, { method: "POST", body: "4hello" });
    conn.send("hi");
    const polled = await ask(session);
    assert.deepEqual(
      [posted, polled].map(({ headers }) => headers.get("x-mark")),
      ["1", "1"],
    );
    conn.transport.off("headers", change);
    const last = await ask(session, { method: "POST", body: "4hello" });
    assert.equal(last.headers.get("x-mark"), null);
    assert.deepEqual(seen, [
      ["POST", "no-store"],
      ["GET", "no-store"],
    ]);
  });

  for (const mode of ["polling", "websocket"]) {
    test(`${name}: the heartbeat of protocol 3 is shown, ${mode}`, async (t) => {
      const { engine, dial } = await serve(t, { allowEIO3: true, pingInterval: 20 });
      const events = [];
      let conn;
      engine.on("connection", (it) => {
        conn = it;
        conn.on("packet", ({ type }) => events.push(`in ${type}`));
        conn.on("packetCreate", ({ type }) => events.push(`out ${type}`));
        conn.on("heartbeat", () => events.push("heartbeat"));
      });
      dial(mode, Client3);
      await eventually(() => events.length >= 6, "two beats");
      const beat = ["in ping", "out pong", "heartbeat"];
      assert.deepEqual(events.slice(0, 6), [...beat, ...beat]);
    });
  }

  test(`${name}: a frame that is encoded already is sent as it is`, async (t) => {
    const { engine, dial } = await serve(t);
    const client = dial();
    const [conn] = await until(engine, "connection");
    const come = gather(client, "message", 4);
    conn.send("a", { wsPreEncodedFrame: [Buffer.from([0x81, 4]), Buffer.from("4one")] });
    conn.send("b", { wsPreEncodedFrame: [Buffer.from([0x82, 2, 7, 8])] });
    conn.send("c", {
      wsPreEncodedFrame: [Buffer.from([0x81, 126, 0, 201]), Buffer.alloc(201, "4")],
    });
    conn.send("d");
    const [[one], [two], [three], [four]] = await come;
    assert.equal(one, "one");
    assert.deepEqual(Buffer.from(two), Buffer.from([7, 8]));
    assert.equal(three, "4".repeat(200));
    assert.equal(four, "d");
  });

  test(`${name}: onError() ends a connection as its transport would`, async (t) => {
    const { engine, dial } = await serve(t);
    const client = dial();
    const [conn] = await until(engine, "connection");
    const closed = gather(conn, "close", 1);
    const gone = until(client, "close");
    const error = new Error("mine");
    conn.onError(error);
    conn.onError(error);
    assert.deepEqual(await closed, [["transport error", error]]);
    await gone;
    assert.equal(engine.clientsCount, 0);
  });

  for (const mode of ["polling", "websocket"]) {
    test(`${name}: what a message listener puts off comes before the end, ${mode}`, async (t) => {
      const { engine, dial } = await serve(t);
      const seen = [];
      engine.on("connection", (conn) => {
        conn.on("message", (data) => {
          process.nextTick(process.nextTick, () => seen.push(`${data} ${conn.readyState}`));
        });
        conn.on("close", (reason) => seen.push(reason));
      });
      const client = dial(mode);
      await until(client, "open");
      client.send("last");
      client.close();
      await eventually(() => seen.length === 2);
      assert.deepEqual(seen, ["last open", "transport close"]);
    });

    test(`${name}: npm's Socket.IO on it hears why a client goes, ${mode}`, async (t) => {
      const { engine, url } = await serve(t, { path: "/socket.io" });
      const server = new Server();
      server.bind(engine);
      const client = connect(url, { transports: MODES[mode], forceNew: true });
      const [[socket]] = await Promise.all([until(server, "connection"), until(client, "connect")]);
      const gone = until(socket, "disconnect");
      client.disconnect();
      assert.equal((await gone)[0], "client namespace disconnect");
    });
  }

  test(`${name}: an upgrade that is handled twice is an error, and the first has it`, async (t) => {
    const { engine, httpServer, dial } = await serve(t);
    const handled = until(httpServer, "upgrade");
    const client = dial("websocket");
    const [conn] = await until(engine, "connection");
    const [req, socket, head] = await handled;
    assert.throws(() => engine.handleUpgrade(req, socket, head), /called more than once/);
    conn.on("message", (data) => conn.send(data));
    const echoed = until(client, "message");
    client.send("hi");
    assert.deepEqual(await echoed, ["hi"]);
    assert.equal(engine.clientsCount, 1);
  });

  test(`${name}: nine engines on one HTTP server are not taken for a leak`, () => {
    const server = http.createServer();
    for (let i = 0; i < 9; i++) lib.attach(server, { path: `/${i}` });
    const most = server.getMaxListeners();
    for (const event of server.eventNames())
      assert.ok(server.listenerCount(event) <= most, String(event));
  });

  for (const mode of ["polling", "websocket"]) {
    test(`${name}: io.bind() takes its connections, ${mode}`, async (t) => {
      const { engine, dial, url } = await serve(t, { path: "/socket.io" });
      const early = dial(mode, Client, { path: "/socket.io" });
      const [plain] = await until(engine, "connection");
      const server = new io.Server();
      server.bind(engine);
      server.on("connection", (socket) => {
        socket.join("room");
        socket.on("ask", (data, answer) => {
          server.to("room").emit("news", data);
          answer(data);
        });
      });
      const clients = [1, 2].map(() => connect(url, { transports: MODES[mode], forceNew: true }));
      t.after(() => {
        for (const client of clients) client.disconnect();
      });
      await Promise.all(clients.map((client) => until(client, "connect")));
      const news = clients.map((client) => until(client, "news"));
      const bytes = Buffer.from([1, 2]);
      assert.deepEqual(await clients[0].timeout(9_000).emitWithAck("ask", { bytes }), { bytes });
      assert.deepEqual(await Promise.all(news), [[{ bytes }], [{ bytes }]]);
      assert.equal(server.sockets.sockets.size, 2);
      // who came before goes on as it was
      const echoed = until(early, "message");
      plain.on("message", (data) => plain.send(data));
      early.send('2["ask"]');
      assert.deepEqual(await echoed, ['2["ask"]']);
    });

    test(`${name}: io.onconnection() takes one of them, ${mode}`, async (t) => {
      const { engine, url, dial } = await serve(t, { path: "/socket.io" });
      const server = new io.Server({ connectTimeout: 2_000 });
      engine.on("connection", (conn) => server.onconnection(conn));
      server.on("connection", (socket) => {
        socket.on("ask", (data, answer) => answer(data));
      });
      const client = connect(url, { transports: MODES[mode] });
      t.after(() => client.disconnect());
      await until(client, "connect");
      const bytes = Buffer.from([1, 2]);
      const data = { bytes, text: "ü".repeat(2_000) };
      assert.deepEqual(await client.timeout(9_000).emitWithAck("ask", data), data);
      // who joins no namespace has to go
      const silent = dial(mode, Client, { path: "/socket.io" });
      assert.deepEqual((await until(silent, "close"))[0], "transport close");
      assert.ok(client.connected);
    });
  }
}
