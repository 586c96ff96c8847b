"use strict";

/**
 * The moment in which a connection that Node.js reads goes to a worker: whatever of a next request has come by then, cut
 * anywhere, is answered as by npm `socket.io`.
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { ours, selected } = require("./support/implementations");
const { serveKept } = require("./support/kept-server");
const { eventually, turns, until } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";

/** ms: a slow machine must not bring a ping among the answers. */
const NEVER = 1_000_000;

/** A server whose connections Node.js reads first, since somebody wants to see them; what it echoes, and what it has. */
async function serve(t, implementation) {
  const served = await serveKept(t, implementation, { pingInterval: NEVER }, (req, res) =>
    res.end(`app ${req.method} ${req.url}`),
  );
  const { io, httpServer, dial } = served;
  /** Node's sockets, by the port of their client. */
  const sockets = new Map();
  httpServer.on("connection", (socket) => sockets.set(socket.remotePort, socket));
  io.on("connection", (socket) => socket.on("echo", (...args) => socket.emit("echo", ...args)));
  return { io, dial, sockets, taken: () => io.engine.takeover?.size };
}

/** The bytes of a request. */
function bytesOf(path, { method, headers = {}, body } = {}) {
  const lines = Object.entries({
    Host: "localhost",
    ...headers,
    ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const verb = method ?? (body === undefined ? "GET" : "POST");
  return Buffer.from(`${verb} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`);
}

/** An answer without what differs from run to run. */
function normal({ head, body }) {
  return `${head}\n\n${body}`
    .replace(/^Date: .+$/m, "Date: …")
    .replace(/"sid":"[\w-]{20}/g, '"sid":"…');
}

/** A session that has joined "/" over one connection. */
async function join(connection) {
  const { sid } = JSON.parse((await connection.ask(POLLING)).body.slice(1));
  const url = `${POLLING}&sid=${sid}`;
  await connection.ask(url, { body: "40" });
  await connection.ask(url);
  return url;
}

/** Ends a session: upstream keeps a timer of 30 s for one that it has to end itself. */
const leave = (connection, url) => connection.ask(url, { body: "1" });

const NEXT = {
  "a POST": (url) => bytesOf(url, { body: '42["echo","é"]' }),
  "a poll": (url) => bytesOf(url),
  "another path": () => bytesOf("/app", { body: "four" }),
};

for (const [name, make] of Object.entries(NEXT)) {
  test(`${name} that has begun when a poll is answered, cut anywhere`, async (t) => {
    const traces = [];
    for (const implementation of selected()) {
      const { io, dial, sockets, taken } = await serve(t, implementation);
      const trace = [];
      // The beginning of each part of a request, and its last byte; 0: nothing has come.
      const whole = make("").length;
      for (const part of [0, 1, 2, 3, 4, 6, 15, whole - 3, whole - 2, whole - 1]) {
        const connection = await dial();
        const connected = until(io, "connection");
        const url = await join(connection);
        const [socket] = await connected;
        const next = make(url);
        const cut = part > 15 ? next.length - (whole - part) : part;
        const answers = [];
        if (implementation === ours) {
          // Node.js has it again, and reads the poll
          await eventually(() => taken() === 1, "the connection to be with a worker");
          answers.push(await connection.ask("/app"));
          await eventually(() => taken() === 0, "the connection to be with Node.js");
        }
        const poll = bytesOf(url);
        connection.write(poll);
        await eventually(() => socket.conn.transport.writable, "a poll");
        const node = sockets.get(connection.socket.localPort);
        const read = node.bytesRead;
        connection.write(next.subarray(0, cut));
        await eventually(() => node.bytesRead === read + cut, "the next request's beginning");
        socket.emit("one");
        answers.push(await connection.answer());
        await turns(3);
        if (implementation === ours && cut > 0) assert.equal(taken(), 0, `cut at ${cut}`);
        else if (implementation === ours)
          await eventually(() => taken() === 1, "the connection to be with a worker");
        connection.write(next.subarray(cut));
        if (name === "a poll") {
          await eventually(() => socket.conn.transport.writable, "a poll");
          socket.emit("two");
        }
        answers.push(await connection.answer());
        const last = name === "a POST" ? await connection.ask(url) : await connection.ask("/app");
        answers.push(last);
        trace.push([cut - next.length, ...answers.slice(-3).map(normal)]);
        await leave(connection, url);
        connection.destroy();
        if (implementation === ours)
          await eventually(() => taken() === 0, "the end of the connection");
      }
      traces.push(trace);
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  });
}

test("a POST behind another one that has no answer yet: the connection ends", async (t) => {
  for (const implementation of selected()) {
    const { io, dial } = await serve(t, implementation);
    const connection = await dial();
    const connected = until(io, "connection");
    const url = await join(connection);
    const [socket] = await connected;
    const gone = until(socket, "disconnect");
    (await dial()).send(url); // with a poll, upstream needs no timer to end the session
    await eventually(() => socket.conn.transport.writable, "a poll");
    const post = bytesOf(url, { body: "42[1]" });
    connection.write(Buffer.concat([post, post]));
    assert.equal((await connection.answer()).head, "");
    assert.equal((await gone)[0], "transport error");
  }
});

/** Numbers that look random and are the same in each run (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Other requests than those of polling; each is answered and the connection stays. */
const OTHERS = [
  () => bytesOf("/app"),
  () => bytesOf("/app", { body: "some text" }),
  (url) => bytesOf(url.replace("EIO=4", "EIO=3")),
  (url) => bytesOf(url, { method: "OPTIONS" }),
  (url) => bytesOf(`${url}x`),
];

/** Bytes of a head that has only begun. */
const BEGUN = 10;

/** One client: all its requests as one stream of bytes, cut at random, the answers to some awaited before it goes on. */
async function babble(connection, next, rounds) {
  const url = await join(connection);
  const requests = [];
  const kinds = { polls: [], posts: [] };
  for (let n = 0; n < rounds; n++) {
    const text = "é".repeat(next() * 20);
    kinds.posts.push(requests.length);
    requests.push(bytesOf(url, { body: `42["echo",${n},"${text}"]` }));
    kinds.polls.push(requests.length);
    requests.push(bytesOf(url));
    if (next() < 0.3) requests.push(OTHERS[Math.floor(next() * OTHERS.length)](url));
  }
  const ends = [];
  for (const request of requests) ends.push((ends.at(-1) ?? 0) + request.length);
  const stream = Buffer.concat(requests);
  const answers = [];
  const answered = async (count) => {
    while (answers.length < count) answers.push(await connection.answer());
  };
  for (let at = 0; at < stream.length;) {
    // The head of a poll must not be there before the poll before it is answered, nor that of a POST: that ends sessions.
    const limits = Object.values(kinds).map((places) => {
      const [first, second] = places.filter((n) => n >= answers.length);
      return { first, last: second === undefined ? stream.length : ends[second - 1] + BEGUN };
    });
    const { first, last } = limits[0].last < limits[1].last ? limits[0] : limits[1];
    if (at === last) {
      await answered(first + 1);
      continue;
    }
    const end = next() < 0.5 ? ends.find((n) => n > at) : at + Math.ceil(next() * 250);
    connection.write(stream.subarray(at, Math.min(end, last)));
    at = Math.min(end, last);
    if (next() < 0.5) await answered(ends.filter((n) => n <= at).length);
    else await turns(Math.floor(next() * 3));
  }
  await answered(requests.length);
  await leave(connection, url);
  return answers.map(normal);
}

test(
  "many clients at once, requests cut and pipelined at random",
  { timeout: 300_000 },
  async (t) => {
    const traces = [];
    let moves = 0;
    for (const implementation of selected()) {
      const { dial, taken } = await serve(t, implementation);
      const watch = setInterval(() => (moves = Math.max(moves, taken() ?? 0)), 1);
      t.after(() => clearInterval(watch));
      const clients = Array.from({ length: 40 }, async (_, n) =>
        babble(await dial(), random(n + 1), 30),
      );
      traces.push(await Promise.all(clients));
      if (implementation === ours) assert.ok(moves > 1, "no connection was moved");
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  },
);
