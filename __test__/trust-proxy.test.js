"use strict";

/** The address of a client behind proxies: `trustProxy`, by every way in, and by real proxies. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");

const { ours } = require("./support/implementations");
const { PROXIES, startProxy, UPGRADING } = require("./support/proxies");
const { until } = require("./support/waiting");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const { Server } = require(ours.path);
/** There, all of 127.0.0.0/8 are this machine. */
const LINUX = process.platform === "linux";

/** Starts a server. */
async function start(
  t,
  options,
  { httpServer = http.createServer(), prepare, on = [0, "127.0.0.1"] } = {},
) {
  const io = new Server(httpServer, { serveClient: false, ...options });
  prepare?.(io, httpServer);
  t.after(() => io.close());
  httpServer.listen(...on);
  await until(httpServer, "listening");
  return { io, httpServer, port: httpServer.address().port };
}

/** What a server shows of a client. */
async function look(t, io, url, headers, options) {
  const connected = until(io, "connection");
  const client = connect(url, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    extraHeaders: headers,
    rejectUnauthorized: false,
    ...options,
  });
  t.after(() => client.disconnect());
  const [socket] = await connected;
  return {
    address: socket.handshake.address,
    remote: socket.conn.remoteAddress,
    peer: socket.request.socket.remoteAddress,
    door: socket.conn.door,
    socket,
    client,
  };
}

const FORWARDED = { "X-Forwarded-For": "6.6.6.6, 203.0.113.7, 127.0.0.9" };

/** How a server may be set up, so that a client comes by another way. */
const WAYS = {
  "a worker accepts": {},
  "a middleware of the engine": { prepare: (io) => io.engine.use((req, res, next) => next()) },
  'a "connection" listener of the HTTP server': {
    prepare: (_io, server) => server.on("connection", () => {}),
  },
  allowRequest: { options: { allowRequest: (_req, done) => done(null, true) } },
  "Node's TLS": {
    make: () => https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") }),
  },
  "the workers' TLS": {
    options: { tls: "native" },
    make: () => https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") }),
  },
};

for (const [name, { options, make = () => http.createServer(), prepare }] of Object.entries(WAYS))
  for (const transport of ["websocket", "polling"])
    test(`${name}, ${transport}`, { timeout: 60_000 }, async (t) => {
      const httpServer = make();
      const trustProxy = ["loopback"];
      const { io, port } = await start(t, { trustProxy, ...options }, { httpServer, prepare });
      const url = `${httpServer instanceof https.Server ? "https" : "http"}://127.0.0.1:${port}`;
      const transports = [transport];
      const seen = await look(t, io, url, FORWARDED, { transports });
      assert.equal(seen.address, "203.0.113.7");
      assert.equal(seen.remote, "203.0.113.7");
      assert.equal(seen.peer, "127.0.0.1", "the socket shows who is at its other end");

      const none = await look(t, io, url, {}, { transports });
      assert.equal(none.address, "127.0.0.1");
      assert.equal(none.peer, "127.0.0.1");
    });

test("without the option nobody is believed", { timeout: 60_000 }, async (t) => {
  for (const trustProxy of [undefined, false, 0, [], ["10.0.0.0/8"]]) {
    const { io, port } = await start(t, { trustProxy });
    for (const transport of ["websocket", "polling"]) {
      const transports = [transport];
      const seen = await look(t, io, `http://127.0.0.1:${port}`, FORWARDED, { transports });
      assert.equal(seen.address, "127.0.0.1", String(trustProxy));
      assert.equal(seen.remote, "127.0.0.1");
    }
  }
});

test("who is trusted can be said in several ways", { timeout: 60_000 }, async (t) => {
  for (const [trustProxy, expected] of [
    [1, "127.0.0.9"],
    [2, "203.0.113.7"],
    [3, "6.6.6.6"],
    [true, "6.6.6.6"],
    ["loopback", "203.0.113.7"],
    ["10.0.0.1, 127.0.0.1", "127.0.0.9"],
    [{ proxies: ["127.0.0.1/8", "203.0.113.0/24"] }, "6.6.6.6"],
    [{ proxies: 1, header: "Forwarded" }, "192.0.2.60"],
    [{ proxies: 1, header: "X-Real-IP" }, "2001:db8::1"],
  ]) {
    const { io, port } = await start(t, { trustProxy });
    const headers = {
      ...FORWARDED,
      Forwarded: "for=192.0.2.60;proto=https",
      "X-Real-IP": "2001:DB8:0::1",
    };
    const seen = await look(t, io, `http://127.0.0.1:${port}`, headers);
    assert.equal(seen.address, expected, JSON.stringify(trustProxy));
  }
});

test(
  "a program may change its mind: that counts for the clients to come",
  { timeout: 60_000 },
  async (t) => {
    const { io, port } = await start(t, {});
    const url = `http://127.0.0.1:${port}`;
    io.engine.opts.trustProxy = 2;
    assert.equal((await look(t, io, url, FORWARDED)).address, "203.0.113.7");
    assert.throws(() => (io.engine.opts.trustProxy = "everybody"), /option trustProxy can't be/);
    assert.equal((await look(t, io, url, FORWARDED)).address, "203.0.113.7");
    io.engine.opts.trustProxy = false;
    assert.equal((await look(t, io, url, FORWARDED)).address, "127.0.0.1");
  },
);

test(
  "an upgraded session keeps the address that it has come from",
  { timeout: 60_000 },
  async (t) => {
    const { io, port } = await start(t, { trustProxy: ["loopback"] });
    const seen = await look(t, io, `http://127.0.0.1:${port}`, FORWARDED, {
      transports: ["polling", "websocket"],
    });
    if (seen.socket.conn.transport.name !== "websocket") await until(seen.socket.conn, "upgrade");
    assert.equal(seen.socket.conn.remoteAddress, "203.0.113.7");
  },
);

test(
  "who comes by a Unix socket",
  { timeout: 60_000, skip: process.platform === "win32" },
  async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trust-"));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    for (const [trustProxy, expected] of [
      [["unix", "loopback"], "203.0.113.7"],
      [["loopback"], undefined],
      [1, "127.0.0.9"],
    ]) {
      const socketPath = path.join(folder, `socket-${expected}`);
      const { io } = await start(t, { trustProxy }, { on: [socketPath] });
      const connection = until(io.engine, "connection");
      const headers = { "x-forwarded-for": FORWARDED["X-Forwarded-For"] };
      const query = "/socket.io/?EIO=4&transport=polling";
      const answered = http.get({ socketPath, path: query, headers, agent: false });
      answered.on("response", (response) => response.resume());
      const [conn] = await connection;
      assert.equal(conn.remoteAddress, expected, JSON.stringify(trustProxy));
    }
  },
);

for (const name of PROXIES)
  test(`behind ${name}`, { timeout: 120_000 }, async (t) => {
    const { io, port } = await start(t, { trustProxy: 1 });
    const proxy = await startProxy(name, port);
    t.after(proxy.stop);
    const tells = /always|documents|^HAProxy$/.test(name); // the others don't set the header, so the client's own word is read
    for (const transport of UPGRADING.includes(name) ? ["websocket", "polling"] : ["polling"]) {
      const transports = [transport];
      const url = `http://127.0.0.1:${proxy.port}`;
      const headers = tells ? { "X-Forwarded-For": "6.6.6.6" } : {};
      const agent = new http.Agent({ localAddress: LINUX ? "127.0.0.5" : undefined });
      t.after(() => agent.destroy());
      const seen = await look(t, io, url, headers, { transports, agent });
      assert.equal(seen.address, LINUX && tells ? "127.0.0.5" : "127.0.0.1");
    }
  });

test(
  "of a request with more headers than Node.js keeps, nothing is believed: a proxy's are the last ones",
  { timeout: 60_000 },
  async (t) => {
    for (const [maxHeadersCount, count] of [
      [50, 90],
      [null, 1100],
    ]) {
      const httpServer = Object.assign(http.createServer(), { maxHeadersCount });
      const { io, port } = await start(t, { trustProxy: 1 }, { httpServer });
      const socket = net.connect(port, "127.0.0.1");
      t.after(() => socket.destroy());
      const seen = new Promise((resolve) => {
        io.engine.once("connection", (conn) => resolve(conn.remoteAddress));
        socket.once("data", (data) => {
          if (String(data).startsWith("HTTP/1.1 431 ")) resolve("refused"); // by newer versions
        });
      });
      socket.write(
        `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n${"a:\r\n".repeat(count)}X-Forwarded-For: 203.0.113.7\r\n\r\n`,
      );
      assert.ok(["127.0.0.1", "refused"].includes(await seen));
    }
  },
);

test("a part that is misspelt is an error", () => {
  for (const [options, message] of [
    [{ trustProxy: { proxys: 1 } }, /option trustProxy can't be an object with proxys/],
    [{ trustProxy: { header: "forwarded" } }, /option trustProxy.proxies can't be undefined/],
    [
      { proxyProtocol: { from: ["10.0.0.0/8"], form: 1 } },
      /option proxyProtocol can't be an object with form/,
    ],
    [
      { proxyProtocol: { from: ["unix"] } },
      /proxyProtocol.from can't be "unix": give true, or from/,
    ],
  ])
    assert.throws(() => new Server(options), message);
});
