"use strict";

/**
 * Engine.IO by itself: what a program is told of packets, sends and ends, and in which order, on npm `engine.io` and on
 * `ferrosocket/engine.io`.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { selected } = require("./support/implementations");
const { fetch } = require("./support/raw-http");
const { RawWebSocket, OPCODE } = require("./support/raw-websocket");
const { eventually, until, within } = require("./support/waiting");

const load = { oracle: () => require("engine.io"), ours: () => require("../engine.io.js") };

const LIMIT = 1_000;
const KINDS = ["polling", "websocket"];
const PROTOCOLS = { 3: "EIO=3", 4: "EIO=4" };

const query = (protocol) => `/engine.io/?${PROTOCOLS[protocol]}`;

/** A close reason with the description behind it, as it is told. */
function ending(reason, error) {
  return error === undefined
    ? `close ${reason}`
    : `close ${reason}: ${error.message} (${error.type})`;
}

for (const { name } of selected()) {
  const lib = load[name]();

  /** A server, and what its program is told of its one connection. */
  const serve = async (t, options = {}) => {
    const httpServer = http.createServer();
    const engine = lib.attach(httpServer, {
      maxHttpBufferSize: LIMIT,
      pingInterval: 300_000,
      allowEIO3: true,
      ...options,
    });
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const { port } = httpServer.address();
    t.after(async () => {
      for (const raw of raws) raw.destroy();
      engine.close();
      httpServer.closeAllConnections();
      httpServer.close();
      await until(httpServer, "close");
    });
    const raws = [];
    const told = [];
    const tell = (...words) => told.push(words.join(" "));
    const watch = (conn) => {
      conn.on("packet", ({ type, data }) => tell("packet", type, data ?? ""));
      conn.on("message", (data) => tell("message", data));
      conn.on("heartbeat", () => tell("heartbeat"));
      conn.on("packetCreate", ({ type, data }) => tell("create", type, data ?? ""));
      conn.on("flush", (packets) =>
        tell(
          "flush",
          packets.map(({ data }) => data),
        ),
      );
      conn.on("drain", () => tell("drain"));
      conn.on("close", (reason, error) => tell(ending(reason, error)));
    };
    engine.on("connection", watch);
    const open = async (target) => {
      const raw = await RawWebSocket.open(port, target);
      raws.push(raw);
      return raw;
    };
    // the very first client of a process may be told before its server is
    const connOf = async (sid) => {
      await eventually(() => sid in engine.clients, "the connection");
      return engine.clients[sid];
    };
    const dial = {
      polling: async (protocol = 4) => {
        const url = `${query(protocol)}&transport=polling`;
        const { body } = await fetch(port, "GET", url);
        const [, sid] = /"sid":"([^"]+)"/.exec(body);
        const session = {
          url: `${url}&sid=${sid}`,
          get: () => fetch(port, "GET", session.url),
          post: (payload) => fetch(port, "POST", session.url, { body: payload }),
        };
        return { session, conn: await connOf(sid) };
      },
      websocket: async (protocol = 4) => {
        const raw = await open(`${query(protocol)}&transport=websocket`);
        const { sid } = JSON.parse((await raw.next()).slice(1));
        return { raw, conn: await connOf(sid) };
      },
    };
    return { engine, port, told, tell, dial, open };
  };

  test(`${name}: what things are called`, async (t) => {
    const { engine, dial } = await serve(t);
    const { conn } = await dial.websocket();
    const { conn: polling } = await dial.polling();
    assert.equal(engine.constructor.name, "Server");
    assert.equal(conn.constructor.name, "Socket");
    assert.equal(conn.transport.constructor.name, "WebSocket");
    assert.equal(lib.transports.websocket.name, "WebSocket");
    assert.equal(lib.transports.webtransport.name, "WebTransport");
    assert.deepEqual(lib.Transport.upgradesTo, []);
    assert.equal(polling.constructor.name, "Socket");
    const all = Object.values(engine.clients).map(({ transport }) => transport.constructor.name);
    assert.deepEqual(all.sort(), ["Polling", "WebSocket"]);
  });

  test(`${name}: upgrades() of what is no transport`, () => {
    const engine = new lib.Server();
    assert.deepEqual(engine.upgrades("polling"), ["websocket", "webtransport"]);
    assert.deepEqual(engine.upgrades("websocket"), []);
    assert.deepEqual(engine.upgrades("toString"), []);
    assert.throws(() => engine.upgrades("x"), TypeError);
    assert.deepEqual(new lib.Server({ allowUpgrades: false }).upgrades("x"), []);
  });

  for (const { protocol, packets, expected } of [
    {
      packets: ["4a", "9", "4b"],
      expected: ["packet message a", "message a", "packet error parser error", "close parse error"],
    },
    {
      packets: ["4a", ""],
      expected: ["packet message a", "message a", "packet error parser error", "close parse error"],
    },
    {
      packets: ["2", "4b"],
      expected: ["packet ping ", "close transport error: invalid heartbeat direction (undefined)"],
    },
    {
      protocol: 3,
      packets: ["3", "4b"],
      expected: ["packet pong ", "close transport error: invalid heartbeat direction (undefined)"],
    },
    {
      packets: ["4a", "3", "4b", "6", "3x"],
      expected: [
        "packet message a",
        "message a",
        "packet pong ",
        "heartbeat",
        "packet message b",
        "message b",
        "packet noop ",
        "packet pong x",
        "heartbeat",
      ],
    },
    {
      protocol: 3,
      packets: ["4a", "2", "4b"],
      expected: [
        "packet message a",
        "message a",
        "packet ping ",
        "create pong ",
        "flush ",
        "drain",
        "heartbeat",
        "packet message b",
        "message b",
      ],
    },
  ])
    for (const kind of KINDS)
      test(`${name}: ${kind}, protocol ${protocol ?? 4}, what is told of ${JSON.stringify(packets)}`, async (t) => {
        const { told, dial } = await serve(t);
        const { session, raw } = await dial[kind](protocol);
        if (raw !== undefined) {
          // a frame each, in one write
          raw.socket.cork();
          for (const packet of packets) raw.text(packet);
          raw.socket.uncork();
        } else {
          const body =
            protocol === 3
              ? packets.map((it) => `${it.length}:${it}`).join("")
              : packets.join("\x1e");
          // a poll does not wait: what the program sends is buffered
          assert.equal((await session.post(body)).body, "ok");
        }
        const wanted =
          kind === "polling" ? expected.filter((it) => !/^(flush|drain)/.test(it)) : expected;
        await eventually(() => told.length >= wanted.length, `${wanted.length} calls`);
        assert.deepEqual(told, wanted);
      });

  test(`${name}: the close packet of a polling client is told as the end alone`, async (t) => {
    const { told, dial } = await serve(t);
    const { session } = await dial.polling();
    await session.post("4a\x1e1\x1e4b");
    await eventually(() => told.length >= 3);
    assert.deepEqual(told, ["packet message a", "message a", "close transport close"]);
  });

  test(`${name}: over polling, a callback comes before "drain"`, async (t) => {
    const { told, tell, dial } = await serve(t);
    const { session, conn } = await dial.polling();
    conn.send("a", () => tell("sent a"));
    conn.send("b", () => tell("sent b"));
    assert.equal((await session.get()).body, "4a\x1e4b");
    const poll = session.get();
    await eventually(() => conn.transport.writable, "a poll");
    told.length = 0;
    conn.send("c", () => tell("sent c"));
    assert.deepEqual(told, ["create message c", "flush c", "sent c", "drain"]);
    assert.equal((await poll).body, "4c");
  });

  test(`${name}: over polling, a callback of what is compressed comes behind it`, async (t) => {
    const { told, tell, dial, port } = await serve(t, { maxHttpBufferSize: 1e6 });
    const { session, conn } = await dial.polling();
    const headers = { "accept-encoding": "gzip" };
    const poll = fetch(port, "GET", session.url, { headers, encoding: "latin1" });
    await eventually(() => conn.transport.writable, "a poll");
    const sent = new Promise((resolve) => {
      conn.send("a".repeat(5_000), () => resolve(tell("sent")));
    });
    assert.equal((await poll).headers["content-encoding"], "gzip");
    await within(sent, "the callback");
    assert.deepEqual(
      told.map((it) => it.split(" ")[0]),
      ["create", "flush", "drain", "sent"],
    );
  });

  test(`${name}: a session that closes tells first of what waits, websocket`, async (t) => {
    const { told, tell, dial } = await serve(t);
    const { raw, conn } = await dial.websocket();
    conn.send("a", () => tell("sent a"));
    conn.send("b", () => tell("sent b"));
    conn.close();
    tell(conn.readyState);
    conn.send("c");
    raw.text("4late");
    assert.deepEqual(await raw.rest(), ["4a", "4b", { close: null }]);
    await eventually(() => conn.readyState === "closed");
    assert.deepEqual(told, [
      "create message a",
      "flush a",
      "drain",
      "create message b",
      "closing",
      "sent a",
      "flush b",
      "drain",
      "close forced close",
    ]);
  });

  test(`${name}: a session that closes while its client does not read is over when it is discarded`, async (t) => {
    const { told, dial } = await serve(t);
    const { raw, conn } = await dial.websocket();
    raw.socket.pause();
    const large = Buffer.alloc(30_000_000);
    conn.send(large);
    conn.send("b");
    conn.close();
    assert.equal(conn.readyState, "closing");
    conn.close(true);
    assert.equal(conn.readyState, "closed");
    assert.equal(told.at(-1), "close forced close");
    raw.destroy();
  });

  test(`${name}: a header that a listener adds to a handshake is in UTF-8`, async (t) => {
    const { engine, port, open } = await serve(t);
    const names = { initial_headers: "x-initial", headers: "x-each" };
    for (const [event, header] of Object.entries(names))
      engine.on(event, (headers) => {
        headers[header] = "Grüße";
      });
    const polled = await fetch(port, "GET", "/engine.io/?EIO=4&transport=polling");
    const raw = await open("/engine.io/?EIO=4&transport=websocket");
    for (const { headers } of [polled, raw])
      for (const header of Object.values(names))
        assert.equal(Buffer.from(headers[header], "latin1").toString(), "Grüße");
  });

  test(`differs: ${name}: close(true) drops what the WebSocket could not take yet, or sends it`, async (t) => {
    const { dial } = await serve(t);
    const { raw, conn } = await dial.websocket();
    conn.send("a");
    conn.send("b");
    conn.close(true);
    const got = await raw.rest();
    assert.deepEqual(
      got,
      name === "ours" ? ["4a", "4b", { close: null }] : ["4a", { close: null }],
    );
  });

  test(`differs: ${name}: of two messages of a tick, a poll that waits gets the first, or both`, async (t) => {
    const { dial } = await serve(t);
    const { session, conn } = await dial.polling();
    const poll = session.get();
    await eventually(() => conn.transport.writable, "a poll");
    conn.send("a");
    conn.send("b");
    const { body } = await poll;
    if (name === "ours") assert.equal(body, "4a\x1e4b");
    else assert.deepEqual([body, (await session.get()).body], ["4a", "4b"]);
  });

  test(`differs: ${name}: a close packet by a WebSocket means nothing, or the end`, async (t) => {
    const { told, dial } = await serve(t);
    const { raw } = await dial.websocket();
    raw.text("1");
    raw.text("4a");
    if (name === "oracle") await eventually(() => told.includes("message a"));
    raw.send(OPCODE.close, Buffer.from([3, 232]));
    await eventually(() => told.includes("close transport close"));
    const between = name === "oracle" ? ["packet message a", "message a"] : [];
    assert.deepEqual(told, ["packet close ", ...between, "close transport close"]);
  });
}
