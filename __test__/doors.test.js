"use strict";

/**
 * The doors a connection comes in by: every kind of HTTP server an application may have.
 *
 * Each door carries events, acks and binary both ways; ours also tells which one it took in `socket.conn.door`.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");
const path = require("node:path");
const { Duplex } = require("node:stream");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");

const { ours, selected } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until, within } = require("./support/waiting");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const tls = { key: fixture("key.pem"), cert: fixture("cert.pem") };

/** The applications: each makes a server and says how its `/app` page is asked for. */
const APPLICATIONS = {
  http: () => http.createServer((req, res) => res.end("app")),
  express() {
    const app = require("express")();
    app.get("/app", (req, res) => res.send("app"));
    return http.createServer(app);
  },
  koa() {
    const Koa = require("koa");
    const app = new Koa();
    app.use((ctx) => {
      ctx.body = "app";
    });
    return http.createServer(app.callback());
  },
  https: () => https.createServer(tls, (req, res) => res.end("app")),
  "http2 with HTTP/1": () =>
    http2.createSecureServer({ ...tls, allowHTTP1: true }, (req, res) => res.end("app")),
};

const isSecure = (name) => name.startsWith("http2") || name === "https";

/** Events, acks and binary both ways, then a disconnect. */
async function talk(client, socket) {
  socket.on("up", (text, data, reply) => reply(`${text}!`, data));
  client.on("down", (data, reply) => reply(data));
  const up = await within(
    new Promise((resolve) =>
      client.emit("up", "é".repeat(2_000), Buffer.from("abc"), (...args) => resolve(args)),
    ),
    "an ack from the server",
  );
  assert.deepEqual(up, [`${"é".repeat(2_000)}!`, Buffer.from("abc")]);
  const large = Buffer.alloc(200_000, 5);
  assert.deepEqual(
    await within(socket.emitWithAck("down", large), "an ack from the client"),
    large,
  );
  const seen = [];
  client.on("n", (n) => seen.push(n));
  const end = until(client, "end");
  for (let n = 0; n < 500; n++) socket.emit("n", n);
  socket.emit("end");
  await end;
  assert.deepEqual(
    seen,
    Array.from({ length: 500 }, (_, n) => n),
  );
}

/** The body of the application's own page. */
function page(name, port) {
  const { get } = isSecure(name) ? https : http;
  const answer = new Promise((resolve, reject) => {
    const request = get(
      { host: "127.0.0.1", port, path: "/app", rejectUnauthorized: false, agent: false },
      (response) => {
        let body = "";
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => resolve(body));
      },
    );
    request.on("error", reject);
  });
  return within(answer, "the application's page");
}

for (const implementation of selected()) {
  for (const [name, create] of Object.entries(APPLICATIONS)) {
    for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
      test(`${implementation.name}: ${name}, ${transports.join(" then ")}`, async () => {
        const { Server } = implementation.load();
        const httpServer = create();
        const io = new Server(httpServer);
        httpServer.listen(0, "127.0.0.1");
        await until(httpServer, "listening");
        const { port } = httpServer.address();
        const scheme = isSecure(name) ? "https" : "http";
        const client = connect(`${scheme}://127.0.0.1:${port}`, {
          transports,
          forceNew: true,
          reconnection: false,
          rejectUnauthorized: false,
        });
        try {
          const [[socket]] = await Promise.all([until(io, "connection"), until(client, "connect")]);
          if (transports.length > 1 && socket.conn.transport.name !== "websocket")
            await until(socket.conn, "upgrade");
          await talk(client, socket);
          assert.equal(socket.handshake.secure, isSecure(name));
          assert.equal(socket.handshake.address, "127.0.0.1");
          assert.equal(socket.request.connection.encrypted === true, isSecure(name));
          assert.equal(await page(name, port), "app");
          if (implementation === ours) {
            const wire = isSecure(name) ? "bridge" : "takeover";
            assert.equal(socket.conn.door, transports.includes("websocket") ? wire : "polling");
          }
          const gone = until(socket, "disconnect");
          client.disconnect();
          assert.equal((await gone)[0], "client namespace disconnect");
        } finally {
          client.disconnect();
          await within(io.close(), "close");
        }
      });
    }
  }

  test(`${implementation.name}: a Duplex that is no socket`, async () => {
    const { Server } = implementation.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    const [near, far] = duplexPair();
    httpServer.emit("connection", far);
    const raw = new RawWebSocket(near);
    raw.request("/socket.io/?EIO=4&transport=websocket");
    await within(raw.answered, "the answer");
    assert.equal(raw.status, 101);
    assert.match(await raw.next(), /^0\{"sid":/);
    const connection = until(io, "connection");
    await raw.join();
    const [socket] = await connection;
    socket.on("x", (reply) => reply("through a pipe"));
    raw.text('421["x"]');
    assert.equal(await raw.next(), '431["through a pipe"]');
    for (let n = 0; n < 100; n++) socket.emit("n", n, Buffer.alloc(1_000, n));
    for (let n = 0; n < 100; n++) {
      assert.equal(await raw.next(), `451-["n",${n},{"_placeholder":true,"num":0}]`);
      assert.ok((await raw.next()).equals(Buffer.alloc(1_000, n)));
    }
    if (implementation === ours) assert.equal(socket.conn.door, "bridge");
    const gone = until(socket, "disconnect");
    near.destroy();
    far.destroy();
    assert.match((await gone)[0], /^transport (close|error)$/);
    await io.close();
  });

  test(`${implementation.name}: chunks replayed into a socket by another process's balancer`, async () => {
    const { Server } = implementation.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    // A balancer reads the first bytes to find the worker and then replays them to the server.
    const net = require("node:net");
    const front = net.createServer({ pauseOnConnect: false }, (socket) => {
      socket.once("data", (chunk) => {
        socket.pause();
        httpServer.emit("connection", socket);
        socket.emit("data", chunk);
        socket.resume();
      });
    });
    front.listen(0, "127.0.0.1");
    await until(front, "listening");
    const { port } = front.address();
    for (const transports of [["polling"], ["websocket"]]) {
      const client = connect(`http://127.0.0.1:${port}`, {
        transports,
        forceNew: true,
        reconnection: false,
      });
      const [[socket]] = await Promise.all([until(io, "connection"), until(client, "connect")]);
      await talk(client, socket);
      const gone = until(socket, "disconnect");
      client.disconnect();
      await gone;
    }
    await eventually(() => io.engine.clientsCount === 0, "no clients");
    const closed = until(front, "close");
    front.close();
    await io.close();
    await closed;
    await turns();
  });
}

/** A stream whose writes are what its `other` reads. */
class Half extends Duplex {
  _read() {
    const resume = this.onRead;
    this.onRead = undefined;
    resume?.();
  }

  _write(chunk, encoding, done) {
    const { other } = this;
    if (other.destroyed || other.push(chunk)) done();
    else other.onRead = done;
  }

  _final(done) {
    this.other.push(null);
    done();
  }
}

/** Two streams, each reading what the other writes. */
function duplexPair() {
  const [a, b] = [new Half(), new Half()];
  a.other = b;
  b.other = a;
  return [a, b];
}
