"use strict";

/** What a server tells of itself: `io.metrics()`, the route for them, `io.health()`, and the channels of diagnostics. */

const assert = require("node:assert/strict");
const { channel } = require("node:diagnostics_channel");
const http = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const ServerOf2 = require("../v2");
const { METRICS } = require("../lib/api/metrics-table");
const { readOpenMetrics } = require("./support/openmetrics");
const { frame, OPCODE, RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until } = require("./support/waiting");

/** Starts a server; `dial(options, namespace)` gives a client of it that is connected. */
async function start(t, options, prepare = () => {}) {
  const httpServer = http.createServer((req, res) => res.writeHead(404).end("the program's"));
  const io = new Server(httpServer, options);
  prepare(io);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const clients = [];
  t.after(() => {
    for (const client of clients) client.disconnect();
    return io.close();
  });
  const dial = async (clientOptions, nsp = "/") => {
    const all = { forceNew: true, reconnection: false, ...clientOptions };
    const client = connect(`http://127.0.0.1:${port}${nsp}`, all);
    clients.push(client);
    await until(client, "connect");
    return client;
  };
  return { io, httpServer, port, dial };
}

/** The value of a metric with these labels; undefined: there is none. */
function valueOf(io, name, labels = {}) {
  const is = (sample) => JSON.stringify(sample.labels) === JSON.stringify(labels);
  return io.metrics()[name].values.find(is)?.value;
}

const WEBSOCKET = { transport: "websocket", protocol: "4", door: "takeover" };
/** @param {string} name of a kind of packets */
const kind = (name) => ({ kind: name });

const POLLING = { transport: "polling", protocol: "4", door: "polling" };

function echo(io) {
  io.on("connection", (socket) => {
    socket.on("echo", (value, reply) => reply(value));
    socket.on("back", (...args) => socket.emit("back", ...args));
  });
}

for (const transport of ["websocket", "polling"])
  test(`sessions, packets and bytes are counted [${transport}]`, async (t) => {
    const { io, dial } = await start(t, {}, echo);
    const labels = transport === "websocket" ? WEBSOCKET : POLLING;
    const client = await dial({ transports: [transport] });
    await client.emitWithAck("echo", "x");
    client.emit("back", Buffer.from("bytes"), Buffer.from("more"));
    await until(client, "back");
    const { sum } = valueOf(io, "socketio_broadcast_clients"); // of all servers of this thread
    io.emit("all", 1);
    await until(client, "all");
    assert.equal(valueOf(io, "socketio_sessions", labels), 1);
    assert.equal(valueOf(io, "socketio_sockets", { namespace: "/" }), 1);
    assert.equal(valueOf(io, "socketio_packets_received", kind("connect")), 1);
    assert.equal(valueOf(io, "socketio_packets_received", kind("event")), 2);
    assert.equal(valueOf(io, "socketio_packets_sent", kind("ack")), 1);
    assert.equal(valueOf(io, "socketio_packets_sent", kind("event")), 2);
    assert.equal(valueOf(io, "socketio_attachments_received"), 2);
    assert.equal(valueOf(io, "socketio_attachments_sent"), 2);
    assert.equal(valueOf(io, "socketio_events_received", { namespace: "/" }), 2);
    assert.equal(valueOf(io, "socketio_events_emitted", { namespace: "/" }), 1);
    const attached = '51-["back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
    const received = '0{}20["echo","x"]'.length - 2 + `${attached}bytesmore`.length;
    assert.equal(valueOf(io, "socketio_received_bytes"), received);
    assert.equal(valueOf(io, "socketio_broadcast_clients").sum, sum + 1);
    client.disconnect();
    await eventually(() => valueOf(io, "socketio_sessions", labels) === 0, "the end");
    assert.equal(valueOf(io, "socketio_sessions_opened", labels), 1);
    assert.equal(io.metrics().socketio_sessions_closed.values.length, 1);
    const left = { namespace: "/", reason: "client namespace disconnect" };
    assert.equal(valueOf(io, "socketio_sockets_disconnected", left), 1);
    assert.equal(valueOf(io, "socketio_sockets", { namespace: "/" }), 0);
  });

test("an upgraded session moves from one kind to the other", async (t) => {
  const { io, dial } = await start(t, {});
  const client = await dial({});
  await eventually(() => valueOf(io, "socketio_upgrades") === 1, "the upgrade");
  assert.equal(valueOf(io, "socketio_sessions", POLLING), 0);
  assert.equal(valueOf(io, "socketio_sessions", WEBSOCKET), 1);
  assert.equal(valueOf(io, "socketio_sessions_opened", POLLING), 1);
  assert.equal(valueOf(io, "socketio_sessions_opened", WEBSOCKET), 0);
  client.disconnect();
  await eventually(() => valueOf(io, "socketio_sessions", WEBSOCKET) === 0, "the end");
});

test("what a session begins with is counted", async (t) => {
  const httpServer = http.createServer();
  const io = new ServerOf2(httpServer, { initialPacket: "a text" });
  t.after(() => io.close());
  await until(httpServer.listen(0, "127.0.0.1"), "listening");
  const { port } = httpServer.address();
  const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=3&transport=polling`);
  assert.match(await response.text(), /"sid".*4a text.*40$/);
  assert.equal(valueOf(io, "socketio_packets_sent", kind("connect")), 1);
  assert.equal(valueOf(io, "socketio_packets_sent", kind("other")), 1);
});

test("pongs tell how long they took", async (t) => {
  const { io, dial } = await start(t, { pingInterval: 50 });
  await dial({ transports: ["websocket"] });
  const { count } = await eventually(
    () => valueOf(io, "socketio_heartbeat_round_trip_seconds")?.count >= 2,
    "two pongs",
  ).then(() => valueOf(io, "socketio_heartbeat_round_trip_seconds"));
  assert.ok(count >= 2);
});

test("who was refused, and by whom", async (t) => {
  const { io, port, dial } = await start(t, {}, (io) => {
    io.of("/closed").use((_socket, next) => next(new Error("no")));
  });
  const client = await dial({ transports: ["websocket"] });
  for (const name of ["/closed", "/nowhere"]) {
    const other = client.io.socket(name);
    await until(other, "connect_error");
  }
  assert.equal(valueOf(io, "socketio_sockets_refused", { namespace: "/closed" }), 1);
  assert.equal(valueOf(io, "socketio_namespaces_refused"), 1);
  const refused = [];
  const see = ({ code, message }) => refused.push({ code, message });
  channel("ferrosocket:refused").subscribe(see);
  t.after(() => channel("ferrosocket:refused").unsubscribe(see));
  const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=telepathy`);
  assert.equal(response.status, 400);
  assert.equal(valueOf(io, "socketio_requests_refused", { code: "unknown_transport" }), 1);
  assert.deepEqual(refused, [{ code: 0, message: "Transport unknown" }]);
});

test("codes of a program are one label", async (t) => {
  let code = 90;
  const { io, port } = await start(t, {}, (io) => {
    io.engine.verify = (_req, _upgrade, done) => done(code++, {});
  });
  for (const expected of [90, 91]) {
    const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    assert.deepEqual(await response.json(), { code: expected });
  }
  assert.equal(valueOf(io, "socketio_requests_refused", { code: "(others)" }), 2);
  readOpenMetrics(io.metrics({ format: "prometheus" }));
});

test("what was counted before a close is not forgotten", async (t) => {
  const { io, httpServer, port, dial } = await start(t, {}, echo);
  const counted = () => [
    valueOf(io, "socketio_packets_received", kind("event")),
    valueOf(io, "socketio_packets_sent", kind("ack")),
    valueOf(io, "socketio_received_bytes"),
  ];
  await (await dial({ transports: ["websocket"] })).emitWithAck("echo", "x");
  const before = counted();
  assert.deepEqual(before.slice(0, 2), [1, 1]);
  await io.close();
  assert.deepEqual(counted(), before);
  await until(httpServer.listen(port, "127.0.0.1"), "listening");
  await (await dial({ transports: ["websocket"] })).emitWithAck("echo", "x");
  assert.deepEqual(
    counted(),
    before.map((value) => 2 * value),
  );
});

test("labels are few, whatever clients and programs name", async (t) => {
  const { io, dial } = await start(t, {}, (io) => {
    for (let i = 0; i < 100; i++) io.of(`/own-${i}`);
    io.of(/^\/dynamic-/).on("connection", (socket) => socket._onclose(`because of ${socket.id}`));
  });
  const client = await dial({ transports: ["websocket"] });
  for (let i = 0; i < 100; i++) {
    const other = client.io.socket(`/dynamic-${i}`);
    await until(other, "connect");
  }
  const namespaces = io
    .metrics()
    .socketio_sockets_connected.values.map(({ labels, value }) => [labels.namespace, value]);
  assert.ok(namespaces.length <= 52, `${namespaces.length} labels`);
  assert.equal(namespaces.filter(([name]) => name.startsWith("/dynamic")).length, 0);
  const reasons = io.metrics().socketio_sockets_disconnected.values;
  assert.ok(reasons.length <= 52, `${reasons.length} reasons`);
  assert.equal(
    reasons.reduce((sum, { value }) => sum + value, 0),
    100,
  );
});

test("volatile packets that nobody takes are counted", async (t) => {
  const { io, port } = await start(t, {});
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  raw.socket.write(frame(OPCODE.text, "40"));
  const [socket] = await until(io, "connection");
  raw.socket.pause();
  const large = Buffer.alloc(1 << 20);
  while (socket.conn.bufferedAmount === 0) {
    socket.emit("large", large);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.volatile.emit("lost");
  await eventually(() => valueOf(io, "socketio_volatile_dropped") === 1, "the loss");
  assert.equal(valueOf(io, "socketio_backlogged_sessions"), 1);
  assert.ok(valueOf(io, "socketio_memory_bytes", { owner: "backlog" }) > 0);
  raw.socket.destroy();
});

test("what is compressed is counted", async (t) => {
  const { io, dial } = await start(t, { perMessageDeflate: true }, echo);
  const client = await dial({ transports: ["websocket"] });
  io.emit("text", "a".repeat(100_000));
  await until(client, "text");
  const [before] = io.metrics().socketio_deflate_input_bytes.values;
  const [after] = io.metrics().socketio_deflate_output_bytes.values;
  assert.ok(before.value > 100_000 && after.value > 0 && after.value < 1000);
  const text = "b".repeat(100_000);
  await client.emitWithAck("echo", text);
  const came = valueOf(io, "socketio_inflate_input_bytes");
  const was = valueOf(io, "socketio_inflate_output_bytes");
  assert.ok(was > 100_000 && came > 0 && came < 1000, `${came} of ${was}`);
});

test("who comes back for a state, and gets it or not", async (t) => {
  const { io, dial } = await start(t, { connectionStateRecovery: {} }, echo);
  const client = await dial({ transports: ["websocket"], reconnection: true });
  client.io.reconnectionDelay(1);
  client.io.engine.close();
  await until(client, "connect");
  assert.equal(client.recovered, true);
  assert.equal(valueOf(io, "socketio_recoveries", { namespace: "/", result: "hit" }), 1);
  await dial({ transports: ["websocket"], auth: { pid: "unknown", offset: "unknown" } });
  assert.equal(valueOf(io, "socketio_recoveries", { namespace: "/", result: "miss" }), 1);
});

test("health tells of the end", async (t) => {
  const { io, httpServer } = await start(t, {});
  assert.equal(io.health().status, "ready");
  await io.close();
  assert.equal(httpServer.listening, false);
  assert.equal(io.health().status, "closed");
  assert.equal(new Server().health().status, "ready");
});

test("a client that does not read, and is ended for it, is told of", async (t) => {
  const { io, port } = await start(t, { maxBufferedBytes: 1000 });
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  raw.socket.write(frame(OPCODE.text, "40"));
  const [socket] = await until(io, "connection");
  const told = new Promise((resolve) => {
    const see = (message) => {
      channel("ferrosocket:overflow").unsubscribe(see);
      resolve(message);
    };
    channel("ferrosocket:overflow").subscribe(see);
  });
  raw.socket.pause();
  const gone = until(socket, "disconnect");
  while (socket.connected) {
    socket.emit("large", Buffer.alloc(1 << 20));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await gone, ["buffer overflow", undefined]);
  assert.equal((await told).conn, socket.conn);
  raw.socket.destroy();
});

test("the text is OpenMetrics, and has each metric of the table", async (t) => {
  const { io, dial } = await start(t, {}, (io) => io.of('/"quoted\\"\n'));
  const client = await dial({ transports: ["websocket"] });
  const families = readOpenMetrics(io.metrics({ format: "prometheus" }));
  assert.deepEqual(
    [...families.keys()],
    METRICS.map(({ name }) => name),
  );
  for (const { name, type, labels } of METRICS) {
    assert.equal(families.get(name).type, type);
    for (const key of families.get(name).samples.keys()) {
      const [, found] = JSON.parse(key);
      assert.deepEqual(
        Object.keys(found).filter((label) => label !== "le"),
        labels,
        name,
      );
    }
  }
  const quoted = JSON.stringify(["", { namespace: '/"quoted\\"\n' }]);
  assert.equal(families.get("socketio_sockets").samples.get(quoted), 0);
  assert.throws(() => io.metrics({ format: "xml" }), { code: "SIO_ERR_INVALID_OPTION" });
  client.disconnect();
});

test("a server with a foreign engine, or with none, has metrics", () => {
  for (const io of [new Server(), new Server().bind({ on() {}, close() {} })]) {
    readOpenMetrics(io.metrics({ format: "prometheus" }));
    assert.equal(valueOf(io, "socketio_sockets", { namespace: "/" }), 0);
  }
});

// --- the route ---

/** Asks for a path. */
function ask(port, path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk) => (body += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode, type: response.headers["content-type"], body }),
      );
    });
    request.on("error", reject).end();
  });
}

test("the route answers in both formats, and leaves all else to the program", async (t) => {
  const { port } = await start(t, { metrics: true });
  const open = { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" };
  const asked = await ask(port, "/metrics?x=1", { headers: open });
  assert.match(asked.type, /^application\/openmetrics-text; version=1\.0\.0/);
  readOpenMetrics(asked.body);
  const classic = await ask(port, "/metrics");
  assert.match(classic.type, /^text\/plain; version=0\.0\.4/);
  assert.match(classic.body, /^# TYPE socketio_upgrades_total counter$/m);
  assert.doesNotMatch(classic.body, /# (EOF|UNIT)/);
  assert.deepEqual(
    [await ask(port, "/metrics", { method: "HEAD" }), await ask(port, "/metrics/x")].map(
      ({ status, body }) => [status, body],
    ),
    [
      [200, ""],
      [404, "the program's"],
    ],
  );
  assert.equal((await ask(port, "/metrics", { method: "POST" })).status, 405);
});

test("the route is for who may read it", async (t) => {
  const { port } = await start(t, { metrics: true });
  for (const name of ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"]) {
    const { status, body } = await ask(port, "/metrics", { headers: { [name]: "203.0.113.7" } });
    assert.equal(status, 403, name);
    assert.match(body, /by a proxy: see the option metrics\.allow/);
  }
  for (const [allow, expected] of [
    [["203.0.113.0/24", "2001:db8::/32"], 403],
    [["127.0.0.1"], 200],
    [[], 403],
    [(req) => req.headers.authorization === "Bearer secret", 403],
    [async () => true, 200],
  ]) {
    const { port } = await start(t, { metrics: { path: "/m", allow } });
    assert.equal((await ask(port, "/m")).status, expected, String(allow));
    assert.equal((await ask(port, "/metrics")).status, 404);
  }
  const { port: guarded } = await start(t, {
    metrics: { allow: (req) => req.headers.authorization === "Bearer secret" },
  });
  const headers = { authorization: "Bearer secret", "x-forwarded-for": "203.0.113.7" };
  assert.equal((await ask(guarded, "/metrics", { headers })).status, 200);
});

test("a server with several HTTP servers tells of all of them", async (t) => {
  const { io, httpServer, dial } = await start(t);
  echo(io);
  const other = http.createServer();
  t.after(() => httpServer.close()); // which io.close() does for the last one only
  const first = await dial({ transports: ["websocket"] });
  io.attach(other); // which makes it the one of `io.engine`
  other.listen(0, "127.0.0.1");
  await until(other, "listening");
  const at = `http://127.0.0.1:${other.address().port}`;
  const second = connect(at, { forceNew: true, transports: ["polling"] });
  t.after(() => second.disconnect());
  for (const client of [first, second]) await client.emitWithAck("echo", 1);
  assert.equal(valueOf(io, "socketio_sessions", WEBSOCKET), 1);
  assert.equal(valueOf(io, "socketio_sessions", POLLING), 1);
  assert.equal(valueOf(io, "socketio_packets_received", kind("event")), 2);
  second.disconnect();
  await eventually(() => valueOf(io, "socketio_sessions", POLLING) === 0, "the end of one");
  assert.equal(valueOf(io, "socketio_sessions_opened", WEBSOCKET), 1);
  assert.equal(valueOf(io, "socketio_sessions_opened", POLLING), 1);
});

test("a function that throws refuses, and the process hears of it once", async (t) => {
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  for (const allow of [
    (req) => req.headers.authorization.startsWith("Bearer "),
    async (req) => req.headers.authorization.startsWith("Bearer "),
  ]) {
    const { port } = await start(t, { metrics: { allow } });
    for (let i = 0; i < 3; i++) {
      const { status, body } = await ask(port, "/metrics");
      assert.deepEqual([status, body], [500, "the option metrics.allow has thrown\n"]);
    }
    const headers = { authorization: "Bearer a" };
    assert.equal((await ask(port, "/metrics", { headers })).status, 200);
  }
  await turns(2);
  const told = warnings.filter(({ code }) => code === "SIO_WARN_METRICS_ALLOW");
  assert.equal(told.length, 2);
  assert.match(told[0].message, /^option metrics\.allow has thrown: TypeError: /);
});

test("a network that is not written as one allows nobody", () => {
  for (const network of ["10.0.0.0/", "::1/", "10.0.0.0/8/9", "10.0.0.0/1e1", "10.0.0.0/33", "x"])
    assert.throws(() => new Server({ metrics: { allow: [network] } }), {
      code: "SIO_ERR_INVALID_OPTION",
    });
});

test("a listener that is added later may answer the path", async (t) => {
  const { httpServer, port } = await start(t, { metrics: true });
  httpServer.on("request", (_req, res) => res.writeHead(404).end("the later one's"));
  const { status, body } = await ask(port, "/metrics");
  assert.deepEqual([status, body], [404, "the later one's"]);
});

test("without the option there is no route", async (t) => {
  const { port } = await start(t, {});
  assert.equal((await ask(port, "/metrics")).status, 404);
});

test("the route turns no fast way off", async (t) => {
  const { io, port, dial } = await start(t, { metrics: true }, echo);
  const client = await dial({ transports: ["websocket"] });
  assert.equal((await ask(port, "/metrics")).status, 200);
  const [conn] = Object.values(io.engine.clients);
  assert.deepEqual([conn.door, conn.doorReason], ["takeover", undefined]);
  await client.emitWithAck("echo", 1);
  assert.equal(net.isIP(conn.remoteAddress), 4);
});

// --- last: for a while, this thread counts as late ---

test("what clients send while the event loop is blocked tells how late that is", async (t) => {
  const { io, port } = await start(t, {});
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  raw.socket.write(frame(OPCODE.text, "40"));
  const [socket] = await until(io, "connection");
  const told = [];
  const see = (message) => told.push(message);
  channel("ferrosocket:stall").subscribe(see);
  t.after(() => channel("ferrosocket:stall").unsubscribe(see));
  assert.deepEqual(io.health(), { ready: true, status: "ready", reasons: [] });
  const came = until(socket, "event");
  raw.socket.write(frame(OPCODE.text, '42["event"]'));
  while (io.engine.measure().addon.thread.age < 1_200_000); // µs: blocked until the event has waited for so long
  await came;
  assert.equal(valueOf(io, "socketio_event_loop_stalls"), 1);
  await eventually(() => told.length === 1, "the stall");
  assert.ok(told[0].milliseconds >= 1000, `${told[0].milliseconds} ms`);
  const { ready, status, reasons } = io.health();
  assert.deepEqual([ready, status], [false, "overloaded"]);
  assert.match(reasons.join(), /^the event loop was blocked for \d+ ms, \d+ s ago$/);
  assert.equal(valueOf(io, "socketio_health", { status: "overloaded" }), 1);
  const again = until(socket, "event");
  raw.socket.write(frame(OPCODE.text, '42["event"]'));
  while (io.engine.measure().addon.thread.age < 600_000);
  await again;
  await eventually(() => told.length > 1, "the shorter stall");
  assert.equal(io.health().status, "overloaded"); // the longer one is not forgotten
  raw.socket.destroy(); // it would not answer our close frame
});
