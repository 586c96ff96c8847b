"use strict";

/** The PROXY protocol: who sends it, what is shown then by every way in, and what is closed. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { io: connect } = require("socket.io-client");

const { ours } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { INTRODUCING, startProxy } = require("./support/proxies");
const { eventually, until, within } = require("./support/waiting");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const { Server } = require(ours.path);
const LINUX = process.platform === "linux";
const POLLING = "/socket.io/?EIO=4&transport=polling";
const options = { timeout: 60_000, skip: !LINUX };
const secure = () => https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") });

/** A header of version 1, and of version 2. */
const HEADERS = {
  line: Buffer.from("PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n"),
  binary: Buffer.concat([
    Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f", "latin1"),
    Buffer.from([203, 0, 113, 7, 198, 51, 100, 1, 18, 103, 1, 187]),
    Buffer.from([4, 0, 0]),
  ]),
};
/** Those that tell nothing. */
const LOCAL = Buffer.from("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "latin1");
const UNKNOWN = Buffer.from("PROXY UNKNOWN\r\n");

async function start(t, given, { httpServer = http.createServer(answer), prepare } = {}) {
  const io = new Server(httpServer, { serveClient: false, proxyProtocol: true, ...given });
  prepare?.(io, httpServer);
  t.after(() => io.close());
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  return { io, httpServer, port: httpServer.address().port };
}

/** The application's own page tells who asks for it. */
function answer(req, res) {
  const { remoteAddress, remotePort, localAddress, localPort } = req.socket;
  res.end([remoteAddress, remotePort, localAddress, localPort].join());
}

/** The end of a connection, which may be a reset. */
const closed = (socket) => new Promise((resolve) => socket.once("close", resolve));

/** A proxy that passes on bytes, behind a header. */
async function startRelay(t, port, header, split = header.length) {
  const relay = net.createServer(async (client) => {
    const server = net.connect(port, "127.0.0.1");
    server.setNoDelay();
    for (const socket of [client, server]) socket.on("error", () => {});
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    for (let at = 0; at < header.length; at += split)
      await new Promise((done) => server.write(header.subarray(at, at + split), done));
    client.pipe(server);
    server.pipe(client);
  });
  t.after(() => relay.close());
  relay.listen(0, "127.0.0.1");
  await until(relay, "listening");
  return relay.address().port;
}

async function look(t, io, url, given = {}) {
  const connected = until(io, "connection");
  const client = connect(url, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    rejectUnauthorized: false,
    ...given,
  });
  t.after(() => client.disconnect());
  const [socket] = await connected;
  return { socket, client, address: socket.handshake.address };
}

/** How a server may be set up, so that connections go another way. */
const WAYS = {
  "a worker accepts": {},
  "a middleware of the engine": { prepare: (io) => io.engine.use((req, res, next) => next()) },
  'a "connection" listener of the HTTP server': {
    prepare: (_io, server) => server.on("connection", () => {}),
  },
  "Node's TLS": { make: secure },
  "the workers' TLS": { given: { tls: "native" }, make: secure },
};

for (const [name, { given, make, prepare }] of Object.entries(WAYS))
  for (const transport of ["websocket", "polling"])
    test(`${name}, ${transport}`, options, async (t) => {
      const httpServer = make?.();
      httpServer?.on("request", answer);
      const { io, port } = await start(t, given, { httpServer, prepare });
      const scheme = make === undefined ? "http" : "https";
      for (const header of Object.values(HEADERS)) {
        const relay = await startRelay(t, port, header);
        const url = `${scheme}://127.0.0.1:${relay}`;
        const { socket, client, address } = await look(t, io, url, { transports: [transport] });
        assert.equal(address, "203.0.113.7");
        assert.equal(socket.conn.remoteAddress, "203.0.113.7");
        const { remoteAddress, remotePort, localAddress, localPort } = socket.request.socket;
        assert.deepEqual([remoteAddress, remotePort], ["203.0.113.7", 4711]);
        // one that has ended shows none, as with Node.js
        if (transport === "websocket")
          assert.deepEqual([localAddress, localPort], ["198.51.100.1", 443]);
        socket.on("echo", (value, reply) => reply(value));
        for (let n = 0; n < 5; n++) assert.equal(await client.emitWithAck("echo", n), n);
      }
    });

test("the application's own pages see the addresses, too", options, async (t) => {
  for (const make of [http.createServer, secure]) {
    const httpServer = make();
    httpServer.on("request", answer);
    const { port } = await start(t, {}, { httpServer });
    const relay = await startRelay(t, port, HEADERS.line);
    const { get } = httpServer instanceof https.Server ? https : http;
    const request = get({
      port: relay,
      host: "127.0.0.1",
      path: "/app",
      agent: false,
      rejectUnauthorized: false,
    });
    const [response] = await once(request, "response");
    const chunks = await response.setEncoding("utf8").toArray();
    assert.equal(chunks.join(""), "203.0.113.7,4711,198.51.100.1,443");
  }
});

test("clients that come one after another by a connection of Node.js", options, async (t) => {
  const { io, port } = await start(t);
  const kept = await KeptConnection.open(await startRelay(t, port, HEADERS.line));
  t.after(() => kept.destroy());
  const told = "203.0.113.7,4711,198.51.100.1,443";
  for (let clients = 0; clients < 3; clients++) {
    assert.equal((await kept.ask("/")).body, told);
    for (let times = 0; times < 2; times++) {
      const { sid } = JSON.parse((await kept.ask(POLLING)).body.slice(1));
      const connected = until(io, "connection");
      assert.equal((await kept.ask(`${POLLING}&sid=${sid}`, { body: "40" })).body, "ok");
      const [{ handshake }] = await connected;
      assert.equal(handshake.address, "203.0.113.7");
      assert.match((await kept.ask(`${POLLING}&sid=${sid}`)).body, /^40\{/);
      await eventually(() => io.engine.takeover.size === 1, "the connection with a worker");
    }
  }
});

test("a header that comes byte by byte", options, async (t) => {
  const { io, port } = await start(t, {});
  for (const header of Object.values(HEADERS)) {
    const relay = await startRelay(t, port, header, 1);
    assert.equal((await look(t, io, `http://127.0.0.1:${relay}`)).address, "203.0.113.7");
  }
});

test(
  "a header that tells nothing: the addresses are those of the connection",
  options,
  async (t) => {
    const { io, port } = await start(t, {});
    for (const header of [LOCAL, UNKNOWN]) {
      const relay = await startRelay(t, port, header);
      assert.equal((await look(t, io, `http://127.0.0.1:${relay}`)).address, "127.0.0.1");
    }
  },
);

test(
  "a connection without the header is closed, and nothing of it is answered",
  options,
  async (t) => {
    const { io, port } = await start(t, {});
    io.on("connection", () => assert.fail("somebody got in"));
    for (const bytes of [
      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "PROXY ",
      "\r\n",
      "",
    ]) {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      let answered = "";
      socket.setEncoding("utf8").on("data", (chunk) => (answered += chunk));
      socket.end(bytes);
      await within(closed(socket), `the end of ${JSON.stringify(bytes)}`);
      assert.equal(answered, "");
    }
  },
);

test("from: only proxies send it, and what others send is not read", options, async (t) => {
  const { io, port } = await start(t, { proxyProtocol: { from: ["127.0.0.9"] } });
  assert.equal((await look(t, io, `http://127.0.0.1:${port}`)).address, "127.0.0.1");
  const forged = net.connect(port, "127.0.0.1");
  forged.on("error", () => {});
  forged.setEncoding("utf8");
  let answered = "";
  forged.on("data", (chunk) => (answered += chunk));
  forged.write(HEADERS.line);
  forged.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
  await within(closed(forged), "the end");
  assert.match(answered, /^HTTP\/1.1 400 /);

  const proxy = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.9" });
  t.after(() => proxy.destroy());
  const opened = until(io.engine, "connection");
  proxy.write(HEADERS.line);
  proxy.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
  const [conn] = await opened;
  assert.equal(conn.remoteAddress, "203.0.113.7");
});

test("with trustProxy, who the PROXY protocol tells of is the nearest hop", options, async (t) => {
  for (const [trustProxy, expected] of [
    [["203.0.113.7"], "192.0.2.1"],
    [["127.0.0.0/8"], "203.0.113.7"],
    [1, "192.0.2.1"],
  ]) {
    const { io, port } = await start(t, { trustProxy });
    const relay = await startRelay(t, port, HEADERS.binary);
    const extraHeaders = { "X-Forwarded-For": "192.0.2.1" };
    for (const transport of ["websocket", "polling"]) {
      const transports = [transport];
      const { address } = await look(t, io, `http://127.0.0.1:${relay}`, {
        extraHeaders,
        transports,
      });
      assert.equal(address, expected, JSON.stringify(trustProxy));
    }
  }
});

test(
  "when the engine alone is closed, the HTTP server goes on behind proxies",
  options,
  async (t) => {
    const { io, port } = await start(t, {});
    io.engine.close();
    const relay = await startRelay(t, port, HEADERS.line);
    const response = await fetch(`http://127.0.0.1:${relay}/app`);
    assert.equal(await response.text(), "203.0.113.7,4711,198.51.100.1,443");
  },
);

test("where no worker can read it, an error says so", { timeout: 60_000 }, async () => {
  const code = `
    const http = require("node:http");
    const { parentPort, workerData } = require("node:worker_threads");
    const { Server } = require(workerData);
    try {
      new Server(http.createServer(), { proxyProtocol: true });
    } catch (error) {
      parentPort.postMessage([error.code, error.message]);
    }`;
  const worker = new Worker(code, { eval: true, workerData: ours.path });
  const [[name, message]] = await within(once(worker, "message"), "an error");
  assert.equal(name, "SIO_ERR_INVALID_OPTION");
  assert.match(
    message,
    /^option proxyProtocol can't be true: .*\((a worker thread|Windows|another operating system)\)/,
  );
  assert.match(message, /trustProxy/);
  await worker.terminate();
  class Own extends http.Server {}
  assert.throws(
    () => new Server(new Own(), { proxyProtocol: true }),
    /\(another class of server\)|Windows|another operating/,
  );
});

test(
  "behind nginx and HAProxy that pass on bytes, and by TLS",
  { ...options, timeout: 120_000 },
  async (t) => {
    for (const name of INTRODUCING) {
      for (const make of [() => http.createServer(answer), secure]) {
        const httpServer = make();
        const { io, port } = await start(t, {}, { httpServer });
        const proxy = await startProxy(name, port);
        t.after(proxy.stop);
        const isSecure = httpServer instanceof https.Server;
        const agent = new (isSecure ? https : http).Agent({
          localAddress: "127.0.0.5",
          rejectUnauthorized: false,
        });
        t.after(() => agent.destroy());
        for (const transport of ["websocket", "polling"]) {
          const url = `${isSecure ? "https" : "http"}://127.0.0.1:${proxy.port}`;
          const { address } = await look(t, io, url, { transports: [transport], agent });
          assert.equal(address, "127.0.0.5");
        }
      }
    }
  },
);
