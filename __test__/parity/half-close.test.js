"use strict";

/**
 * Clients that end their half of the connection right behind a request: what they are told, whoever reads it. One script, on npm's
 * server and on ours.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const { test } = require("node:test");
const tls = require("node:tls");
const { oracle, ours, selected } = require("../support/implementations");
const { deferred, turns, until, within } = require("../support/waiting");
const { shortenCloseTimeout } = require("./harness");

const FIXTURES = path.join(__dirname, "..", "fixtures");
const OWN = {
  key: fs.readFileSync(path.join(FIXTURES, "key.pem")),
  cert: fs.readFileSync(path.join(FIXTURES, "cert.pem")),
};

const NOBODYS = "GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n";

/** The ways by which a request comes to who reads it. */
const WAYS = {
  "accepted by a worker": {},
  "accepted by Node.js": { prepare: ({ httpServer }) => httpServer.on("connection", () => {}) },
  "relayed to a middleware": { prepare: ({ io }) => io.engine.use((_req, _res, next) => next()) },
  "over TLS of Node.js": { secure: true },
  "over TLS of a worker": { secure: true, options: { tls: "native" }, only: ours },
  "over TLS of a worker, relayed": {
    secure: true,
    options: { tls: "native" },
    prepare: ({ io }) => io.engine.use((_req, _res, next) => next()),
    only: ours,
  },
};

async function serve(t, implementation, { secure = false, options, prepare }) {
  const { Server } = implementation.load();
  const httpServer = secure ? https.createServer(OWN) : http.createServer();
  const io = new Server(httpServer, options);
  if (implementation === oracle) shortenCloseTimeout(io.engine);
  prepare?.({ io, httpServer });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const open = new Set();
  t.after(async () => {
    for (const socket of open) socket.destroy();
    await within(io.close(), "close");
  });
  await turns(2); // a worker accepts

  /** Sends a text, ends the connection's half behind it, and gives what comes until the other half ends. */
  const say = async (text) => {
    const at = { port, host: "127.0.0.1", allowHalfOpen: true, rejectUnauthorized: false };
    const socket = secure ? tls.connect(at) : net.connect(at);
    open.add(socket);
    socket.on("error", () => {}); // a connection that is cut off
    await until(socket, secure ? "secureConnect" : "connect");
    const { promise, resolve } = deferred("the end of the connection");
    let answer = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("end", () => socket.end());
    socket.on("close", resolve);
    socket.end(text);
    await promise;
    return answer.replace(/Date: .*\r\n/g, "");
  };
  const query = "EIO=4&transport=polling";
  const get = (sid, version = "1.1") =>
    `GET /socket.io/?${query}${sid} HTTP/${version}\r\nHost: a\r\n\r\n`;
  const post = (sid, body, length = body.length) =>
    `POST /socket.io/?${query}${sid} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`;
  /** Opens a session, by such a connection: its parameter. */
  const start = async () => {
    const { 1: sid } = /"sid":"([^"]*)"/.exec(await say(get("")));
    return `&sid=${sid}`;
  };
  /** Opens a session in a namespace; the answer to the CONNECT waits. */
  const join = async () => {
    const joined = until(io, "connection");
    const sid = await start();
    assert.equal(await say(post(sid, "40")), answerTo("ok", "text/html"));
    const [socket] = await joined;
    const { promise: left, resolve } = deferred("the end of the session");
    socket.on("disconnect", (reason, description) => resolve([reason, description?.message]));
    return { sid, socket, left };
  };
  return { io, say, get, post, join };
}

function answerTo(body, type = "text/plain; charset=UTF-8", connection = "keep-alive") {
  const kept = connection === "keep-alive" ? "Keep-Alive: timeout=5\r\n" : "";
  return (
    `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n` +
    `cache-control: no-store\r\nConnection: ${connection}\r\n${kept}\r\n${body}`
  );
}

/** @returns {string} the body of an answer, if all else of it is as it must be */
function bodyOf(answer, connection) {
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  assert.equal(answer, answerTo(body, undefined, connection));
  return body;
}

/** The beginnings of the bodies of answers. */
const bodies = (answers) =>
  answers
    .split("\r\n\r\n")
    .slice(1)
    .map((body) => body.slice(0, 2));

for (const [way, setup] of Object.entries(WAYS)) {
  for (const implementation of selected()) {
    if (setup.only && setup.only !== implementation) continue;
    const name = `${implementation.name}, ${way}`;

    test(`${name}: a handshake is answered`, async (t) => {
      const { say, get } = await serve(t, implementation, setup);
      assert.match(bodyOf(await say(get(""))), /^0\{"sid":/);
      assert.match(bodyOf(await say(get("", "1.0")), "close"), /^0\{"sid":/);
    });

    test(`${name}: what there is to be sent is sent, and a poll that waits ends its session`, async (t) => {
      const { say, get, join } = await serve(t, implementation, setup);
      const { sid, left } = await join();
      assert.match(bodyOf(await say(get(sid))), /^40\{"sid":/);
      assert.equal(await say(get(sid)), "");
      assert.deepEqual(await left, ["transport error", "poll connection closed prematurely"]);
    });

    test(`${name}: a POST is answered, and one that is cut off ends its session`, async (t) => {
      const { say, post, join } = await serve(t, implementation, setup);
      const { sid, socket, left } = await join();
      const came = until(socket, "event");
      assert.equal(await say(post(sid, '42["event"]')), answerTo("ok", "text/html"));
      await came;
      const refused = await say(post(sid, '42["event"]', 20));
      assert.equal(refused, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      assert.deepEqual(await left, [
        "transport error",
        "data request connection closed prematurely",
      ]);
    });

    test(`${name}: behind a request that nobody answers, a POST that is cut off ends its session`, async (t) => {
      const { say, post, join } = await serve(t, implementation, setup);
      const { sid, left } = await join();
      await say(NOBODYS + post(sid, '42["event"]', 20));
      assert.deepEqual(await left, [
        "transport error",
        "data request connection closed prematurely",
      ]);
    });

    test(`${name}: a request that nobody answers, before or behind, keeps no connection`, async (t) => {
      const { say, get, post, join } = await serve(t, implementation, setup);
      const { sid } = await join();
      assert.deepEqual(bodies(await say(post(sid, "3") + NOBODYS)), ["ok"]);
      assert.deepEqual(bodies(await say(NOBODYS + get(""))), []);
      assert.deepEqual(bodies(await say(get("") + NOBODYS + get(""))), ["0{"]);
    });

    test(`${name}: half a head, no session, another path`, async (t) => {
      const { say, get } = await serve(t, implementation, setup);
      const refused = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
      assert.equal(await say(get("").slice(0, -4)), refused);
      assert.equal(await say("\r\n"), "");
      assert.match(await say(get("&sid=none")), /"Session ID unknown"/);
      assert.equal(await say(NOBODYS), ""); // it would be answered later
    });

    test(`${name}: a WebSocket is opened`, async (t) => {
      const { say } = await serve(t, implementation, setup);
      const answer = await say(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      assert.match(answer, /^HTTP\/1.1 101 [^]*\r\n\r\n..0\{"sid":/);
    });
  }
}
