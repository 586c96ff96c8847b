"use strict";

/**
 * Polling requests that workers answer: on connections that are kept, byte for byte as npm `socket.io` on Node's HTTP
 * server, and back to Node whenever a request is not plain.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");

const { descriptors } = require("./support/descriptors");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { serveKept } = require("./support/kept-server");
const { eventually, turns, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";

/** A server, and connections to it that end with the test. */
async function serve(t, implementation, options = {}, listener = undefined) {
  const served = await serveKept(t, implementation, options, listener);
  const { engine } = served.io;
  const taken = (count) =>
    eventually(() => engine.takeover.size === count, `${count} connections with workers`);
  return { ...served, taken };
}

/** A session that has joined "/", on two connections; with us, workers have both. */
async function join(server, options) {
  const connection = until(server.io, "connection");
  const [ask, tell] = [await server.dial(), await server.dial()];
  const opening = await ask.ask(POLLING, options);
  const { sid } = JSON.parse(opening.body.slice(1));
  const url = `${POLLING}&sid=${sid}`;
  const joining = await tell.ask(url, { ...options, body: "40" });
  const [socket] = await connection;
  if (server.io.engine.takeover) await server.taken(2);
  const joined = await ask.ask(url, options);
  return { ask, tell, url, sid, socket, answers: [opening, joining, joined] };
}

/** An answer without what differs from run to run. */
function normal({ head, body }) {
  const text = `${head}\n\n${body}`;
  return text.replace(/^Date: .+$/m, "Date: …").replace(/(: io=|"sid":")[\w-]{20}/g, "$1…");
}

const BROWSER = {
  "User-Agent": "Mozilla/5.0",
  Accept: "*/*",
  "Accept-Encoding": "gzip, deflate, br",
  Connection: "keep-alive",
  Cookie: "a=b",
};

const SCENES = {
  "no options": { options: {}, headers: BROWSER },
  "a client that takes no compression": { options: {}, headers: {} },
  "no compression": { options: { httpCompression: false }, headers: BROWSER },
  "compression of everything, deflate": {
    options: { httpCompression: true },
    headers: { "Accept-Encoding": "deflate, gzip" },
  },
  "cors for everybody": { options: { cors: { origin: "*" } }, headers: BROWSER },
  "cors with a list": {
    options: {
      cors: { origin: ["http://a.example", /b/], credentials: true, exposedHeaders: ["x", "y"] },
    },
    headers: { ...BROWSER, Origin: "http://a.example" },
  },
  "cors, without an origin": {
    options: { cors: { origin: ["http://a.example"] } },
    headers: BROWSER,
  },
  "a cookie, small bodies": {
    options: { cookie: true, maxHttpBufferSize: 50 },
    headers: BROWSER,
  },
};

/** Requests as proxies send them: mostly, the connection ends behind the answer. */
const FROM_PROXIES = {
  "HTTP/1.0": { version: "1.0" },
  "HTTP/1.0, close": { version: "1.0", headers: { Connection: "close" } },
  "HTTP/1.1, close": { headers: { Connection: "close" } },
  "HTTP/1.1, upgrade to nothing": { headers: { Connection: "upgrade" }, isKept: true },
};

for (const [name, { version, headers, isKept = false }] of Object.entries(FROM_PROXIES)) {
  test(`the answers to a proxy are those of Node, byte for byte: ${name}`, async (t) => {
    const traces = [];
    for (const implementation of selected()) {
      const server = await serve(t, implementation, {
        cors: { origin: ["http://a.example"], credentials: true },
        httpCompression: { threshold: 100 },
        maxHttpBufferSize: 1000,
      });
      const trace = [];
      const ask = async (path, options = {}) => {
        const connection = await server.dial();
        const all = { ...headers, ...options.headers, "Accept-Encoding": "gzip" };
        const answer = await connection.ask(path, { ...options, version, headers: all });
        if (!isKept) await eventually(() => connection.ended, "the end of the connection");
        assert.equal(connection.ended, !isKept);
        trace.push(normal(answer));
        return answer;
      };
      const connection = until(server.io, "connection");
      const opening = await ask(POLLING, { headers: { Origin: "http://a.example" } });
      const { sid } = JSON.parse(opening.body.slice(1));
      const url = `${POLLING}&sid=${sid}`;
      await ask(url, { body: "40" });
      const [socket] = await connection;
      assert.equal(socket.request.httpVersion, version ?? "1.1");
      await ask(url);
      socket.emit("large", "x".repeat(1000));
      await ask(url, { headers: { Origin: "http://b.example" } });
      socket.emit("small");
      await ask(url);
      // those are whose request was there when they were accepted
      if (implementation === ours) assert.ok(server.io.engine.acceptor.taken > 0);
      await ask(url, { body: "x".repeat(1001) });
      await ask(url);
      traces.push(trace);
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  });
}

test("binary payloads of protocol 3 are compressed by a worker as by Node", async (t) => {
  const headers = BROWSER;
  const traces = [];
  for (const implementation of selected()) {
    const server = await serve(t, implementation, { allowEIO3: true });
    const connection = until(server.io, "connection");
    const ask = await server.dial();
    const opening = await ask.ask("/socket.io/?EIO=3&transport=polling", { headers });
    const [, sid] = /"sid":"([\w-]{20})"/.exec(opening.body);
    const url = `/socket.io/?EIO=3&transport=polling&sid=${sid}`;
    const [socket] = await connection;
    const answers = [opening, await ask.ask(url, { headers })];
    if (server.io.engine.takeover) await server.taken(1);
    for (const [size, compress] of [
      [3_000, true],
      [10, true],
      [3_000, false],
    ]) {
      socket.compress(compress).emit("b", Buffer.alloc(size, 7));
      const answer = await ask.ask(url, { headers });
      assert.match(answer.head, /^content-type: application\/octet-stream$/im);
      const isCompressed = /^content-encoding: gzip$/im.test(answer.head);
      assert.equal(isCompressed, size > 1_024 && compress);
      answers.push(answer);
    }
    traces.push(answers.map(normal));
  }
  for (const trace of traces) assert.deepEqual(trace, traces[0]);
});

for (const [name, { options, headers }] of Object.entries(SCENES)) {
  test(`the answers of a worker are those of Node, byte for byte: ${name}`, async (t) => {
    const traces = [];
    for (const implementation of selected()) {
      const server = await serve(t, implementation, options);
      const { ask, tell, url, socket, answers } = await join(server, { headers });
      socket.on("echo", (...args) => socket.emit("echo", ...args));
      for (const text of ["é", "x".repeat(30), "y".repeat(3_000)]) {
        if (text.length > 1_000) socket.emit("echo", text);
        else answers.push(await tell.ask(url, { headers, body: `42["echo","${text}"]` }));
        answers.push(await ask.ask(url, { headers }));
      }
      socket.compress(false).emit("plain", "z".repeat(3_000));
      answers.push(await ask.ask(url, { headers }));
      socket.emit("binary", Buffer.from("abc"));
      answers.push(await ask.ask(url, { headers }));
      if (implementation === ours) assert.equal(server.io.engine.takeover.size, 2);
      const gone = until(socket, "disconnect");
      ask.send(url, { headers });
      await eventually(() => socket.conn.transport.writable, "a poll");
      answers.push(await tell.ask(url, { headers })); // overlap
      answers.push(await ask.answer());
      traces.push([...answers.map(normal), (await gone)[0]]);
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  });
}

/** Requests on a connection that a worker has, which are not for it; each must be answered as the oracle does. */
const OTHERS = {
  "another path": () => ({ path: "/app" }),
  "an unknown session": () => ({ path: `${POLLING}&sid=${"x".repeat(20)}` }),
  "the wrong protocol": (url) => ({ path: url.replace("EIO=4", "EIO=3") }),
  "the wrong transport": (url) => ({ path: url.replace("polling", "websocket") }),
  "a repeated parameter": (url) => ({ path: `${url}&transport=polling&sid=x` }),
  "an encoded session id": (url, sid) => ({
    path: `${POLLING}&sid=%${sid.charCodeAt(0).toString(16)}${sid.slice(1)}`,
    body: "3",
  }),
  "a preflight": (url) => ({ path: url, method: "OPTIONS", headers: { Origin: "http://a" } }),
  PUT: (url) => ({ path: url, method: "PUT", body: "x" }),
  "the client bundle": () => ({ path: "/socket.io/nothing.js" }),
  "a body that is too large": (url) => ({ path: url, body: "4".repeat(2_001) }),
  "bytes in protocol 4": (url) => ({
    path: url,
    body: "4",
    headers: { "Content-Type": "application/octet-stream" },
  }),
  "Connection: close": (url) => ({ path: url, body: "3", headers: { Connection: "close" } }),
  "Expect: 100-continue": (url) => ({ path: url, headers: { Expect: "100-continue" }, body: "3" }),
  "Internet Explorer": (url) => ({ path: url, headers: { "User-Agent": "a;MSIE 9" }, body: "3" }),
};

for (const [name, request] of Object.entries(OTHERS)) {
  test(`${name}: given back to Node`, async (t) => {
    const traces = [];
    for (const implementation of selected()) {
      const server = await serve(t, implementation, { maxHttpBufferSize: 2_000 }, (req, res) => {
        res.end(`app ${req.method} ${req.url}`);
      });
      const { tell, ask, url, sid } = await join(server);
      const { path: target, ...options } = request(url, sid);
      const trace = [];
      for (let n = 0; n < 2; n++) {
        // twice: the connection may have been taken again
        const answer = await tell.ask(target, options);
        trace.push(normal(answer).replaceAll(sid, "…"));
        if (answer.head === "" || /^connection: close$/im.test(answer.head)) break;
        if (/100 Continue/.test(answer.head)) trace.push(normal(await tell.answer()));
      }
      // whatever it was, what comes next on the other one is answered
      const { head } = await ask.ask(url, { body: "1" });
      trace.push(head.slice(0, 12));
      traces.push(trace);
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  });
}

/** Bytes that HTTP implementations read in different ways: on them, Node's parser decides. */
const SMUGGLED = {
  "two lengths": "Content-Length: 1\r\nContent-Length: 5\r\n\r\n3",
  "a length and chunks": "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  chunks: "Transfer-Encoding: chunked\r\n\r\n1\r\n3\r\n0\r\n\r\n",
  "a folded line": "X: a\r\n b\r\nContent-Length: 1\r\n\r\n3",
  "bare line feeds": "Content-Length: 1\n\n3",
  "a space before the colon": "Content-Length : 1\r\n\r\n3",
  "a length that is none": "Content-Length: 1x\r\n\r\n3",
  "a huge head": `X: ${"x".repeat(20_000)}\r\nContent-Length: 1\r\n\r\n3`,
  "many headers": `${"X: x\r\n".repeat(500)}Content-Length: 1\r\n\r\n3`,
};

for (const [name, rest] of Object.entries(SMUGGLED)) {
  test(`smuggling, ${name}: Node's parser decides`, async (t) => {
    const traces = [];
    for (const implementation of selected()) {
      const server = await serve(t, implementation);
      const { tell, url } = await join(server);
      tell.write(`POST ${url} HTTP/1.1\r\nHost: localhost\r\n${rest}`);
      traces.push(normal(await tell.answer()));
    }
    for (const trace of traces) assert.equal(trace, traces[0]);
  });
}

test("a session of another server is unknown, on whatever connection it is named", async (t) => {
  const [one, other] = [await serve(t, ours), await serve(t, ours)];
  const { tell } = await join(one);
  const { sid } = await join(other);
  const { head, body } = await tell.ask(`${POLLING}&sid=${sid}`, { body: "41" });
  assert.match(head, /^HTTP\/1.1 400 /);
  assert.equal(body, '{"code":1,"message":"Session ID unknown"}');
});

test("pipelined requests are all answered, in order", async (t) => {
  const traces = [];
  for (const implementation of selected()) {
    const server = await serve(t, implementation);
    const { ask, tell, url, socket } = await join(server);
    socket.emit("one");
    const post = `POST ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n42["up"]`;
    tell.write(`${post}GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answers = [await tell.answer()];
    // Nobody answers other paths here.
    answers.push(await ask.ask(url));
    traces.push(answers.map(normal));
  }
  for (const trace of traces) assert.deepEqual(trace, traces[0]);
});

test("differs: a request that is pipelined behind a waiting poll is handled after its answer", async (t) => {
  for (const implementation of selected()) {
    const server = await serve(t, implementation);
    const { ask, url, socket } = await join(server);
    ask.send(url);
    await eventually(() => socket.conn.transport.writable, "a poll");
    ask.send(url);
    if (implementation === ours) {
      for (const name of ["one", "two"]) {
        await eventually(() => socket.conn.transport.writable, "a poll");
        socket.emit(name);
        assert.equal((await ask.answer()).body, `42["${name}"]`);
      }
    } else {
      assert.equal((await ask.answer()).body, "1"); // two polls at once end the session
      assert.match((await ask.answer()).head, /^HTTP\/1.1 400 /);
    }
  }
});

test("differs: who ends its half behind a waiting poll has gone, whatever it has sent behind that", async (t) => {
  for (const implementation of selected()) {
    const server = await serve(t, implementation);
    const { ask, url, socket } = await join(server);
    socket.on("up", () => socket.emit("down"));
    const gone = until(socket, "disconnect");
    ask.send(url);
    await eventually(() => socket.conn.transport.writable, "a poll");
    ask.send(url, { body: '42["up"]' });
    ask.socket.end();
    if (implementation === ours) {
      assert.equal((await ask.answer()).head, "");
      assert.equal((await gone)[0], "transport error");
    } else {
      assert.equal((await ask.answer()).body, '42["down"]');
      assert.equal((await ask.answer()).body, "ok");
    }
  }
});

test("differs: what follows a request that ends its connection is not read", async (t) => {
  for (const implementation of selected()) {
    const server = await serve(t, implementation);
    const { ask, url, socket } = await join(server);
    ask.send(url, { headers: { Connection: "close" } });
    await eventually(() => socket.conn.transport.writable, "a poll");
    ask.send("/");
    if (implementation === ours) {
      socket.emit("one");
      assert.equal((await ask.answer()).body, '42["one"]');
    } else {
      assert.match((await ask.answer()).head, /^HTTP\/1.1 400 /);
    }
    assert.equal((await ask.answer()).head, ""); // the connection has ended
  }
});

test("a connection comes and goes between Node and the workers", async (t) => {
  const server = await serve(t, ours, {}, (req, res) => res.end("app"));
  const { tell, ask, url, socket } = await join(server);
  let connections = 0;
  server.httpServer.on("connection", () => connections++);
  const got = [];
  socket.on("n", (n) => got.push(n));
  for (let n = 0; n < 5; n++) {
    assert.equal((await tell.ask(url, { body: `42["n",${n}]` })).body, "ok");
    assert.equal((await tell.ask("/app")).body, "app");
    assert.equal((await tell.ask(url, { body: `42["n","${n}"]` })).body, "ok");
    await server.taken(2);
  }
  await eventually(() => got.length === 10, "all events");
  assert.deepEqual(
    got,
    [0, 1, 2, 3, 4].flatMap((n) => [n, String(n)]),
  );
  assert.equal(connections, 5);
  const count = await new Promise((resolve) =>
    server.httpServer.getConnections((_, n) => resolve(n)),
  );
  assert.equal(count, 2);
  assert.equal(socket.conn.door, "polling");
  assert.equal(socket.handshake.address, "127.0.0.1");
  ask.destroy();
  tell.destroy();
  await server.taken(0);
  await eventually(() => server.httpServer._connections === 0, "no connections");
});

test("a connection that is given back and that a listener destroys brings no request", async (t) => {
  let requests = 0;
  const server = await serve(t, ours, {}, (req, res) => res.end(String(++requests)));
  const { tell } = await join(server);
  server.httpServer.once("connection", (socket) => socket.destroy());
  tell.send("/app");
  await eventually(() => tell.ended, "the end of the connection");
  await server.taken(1);
  assert.equal(requests, 0);
  const count = () => new Promise((done) => server.httpServer.getConnections((_, n) => done(n)));
  assert.equal(await count(), 1);
});

/** What a program does to see requests. */
const WATCHERS = {
  "a middleware": ({ io }, see) => io.engine.use((req, res, next) => next(see())),
  'a "request" listener': ({ httpServer }, see) => httpServer.on("request", see),
  'a "headers" listener': ({ io }, see) => io.engine.on("headers", see),
};

for (const [name, watch] of Object.entries(WATCHERS)) {
  test(`${name} that comes while an answer is written: the connection stays with Node.js`, async (t) => {
    const server = await serve(t, ours);
    let seen = 0;
    server.io.engine.once("connection", (conn) => {
      process.nextTick(() => watch(server, () => void seen++)); // the answer has been begun by then
      server.sid = conn.id;
    });
    const connection = await server.dial();
    await connection.ask(`${POLLING}&b64=1`); // Node.js reads it
    await turns(3);
    const url = `${POLLING}&b64=1&sid=${server.sid}`;
    const before = seen;
    for (let n = 1; n <= 2; n++) {
      assert.equal((await connection.ask(url, { body: "3" })).body, "ok");
      assert.equal(seen - before, n);
    }
    assert.equal(server.io.engine.takeover.size, 0);
  });
}

test("an upgrade on a connection that a worker has", async (t) => {
  const server = await serve(t, ours);
  const { ask, url, socket } = await join(server);
  ask.send(url.replace("polling", "websocket"), {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  });
  assert.match((await ask.answer()).head, /^HTTP\/1\.1 101 /);
  const upgraded = until(socket.conn, "upgrade");
  ask.write(Buffer.from([0x81, 0x86, 0, 0, 0, 0, ...Buffer.from("2probe")]));
  await eventually(() => ask.bytes.includes("3probe"), "the answer to the probe");
  ask.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, ...Buffer.from("5")]));
  await upgraded;
  assert.equal(socket.conn.door, "takeover");
});

/** What makes JavaScript see each request; the connections come back at once or with the next request. */
const LOOKS = {
  "a middleware": ({ io }, see) =>
    io.engine.use((req, res, next) => {
      see();
      next();
    }),
  '"headers" listeners': ({ io }, see) => io.engine.on("headers", see),
  '"request" listeners': ({ httpServer }, see) => httpServer.on("request", see),
};

for (const [name, look] of Object.entries(LOOKS)) {
  test(`${name} see the requests of connections that workers had`, async (t) => {
    const server = await serve(t, ours);
    const { tell, url } = await join(server);
    let seen = 0;
    look(server, () => seen++);
    for (let n = 1; n <= 3; n++) {
      assert.equal((await tell.ask(url, { body: "42[1]" })).body, "ok");
      assert.equal(seen, n);
    }
    await server.taken(1);
  });
}

const OLD = process.versions.node.startsWith("20.") && "Node.js 20 throws";

test("a keepAliveTimeout that is no time is for Node.js", { skip: OLD }, async (t) => {
  for (const keepAliveTimeout of [Infinity, -1]) {
    const traces = [];
    for (const implementation of selected()) {
      const server = await serve(t, implementation);
      server.httpServer.keepAliveTimeout = keepAliveTimeout;
      const connection = await server.dial();
      const opening = await connection.ask(POLLING);
      const { sid } = JSON.parse(opening.body.slice(1));
      const joining = await connection.ask(`${POLLING}&sid=${sid}`, { body: "40" });
      traces.push([opening, joining].map(normal));
    }
    for (const trace of traces) assert.deepEqual(trace, traces[0]);
  }
});

test("another origin is answered for itself", async (t) => {
  const cors = { origin: ["http://a.example", "http://b.example"] };
  const server = await serve(t, ours, { cors });
  const { tell, url } = await join(server, { headers: { Origin: "http://a.example" } });
  for (const origin of ["http://b.example", "http://a.example", "http://c.example"]) {
    const { head } = await tell.ask(url, { headers: { Origin: origin }, body: "42[1]" });
    const allowed = /^Access-Control-Allow-Origin: (.+)$/m.exec(head)?.[1];
    assert.equal(allowed, cors.origin.includes(origin) ? origin : undefined);
  }
});

test("functions that decide are asked for each request", async (t) => {
  const options = [
    { cors: { origin: (_, done) => done(null, true) } },
    { cors: (req, done) => done(null, { origin: true }) },
    { httpCompression: { threshold: 0, level: 1 } },
  ];
  for (const option of options) {
    const server = await serve(t, ours, option);
    const connection = await server.dial();
    const { sid } = JSON.parse((await connection.ask(POLLING)).body.slice(1));
    await connection.ask(`${POLLING}&sid=${sid}`, { body: "40" });
    assert.equal(server.io.engine.takeover.size, 0);
  }
});

test("idle connections are closed after the server's keepAliveTimeout", async (t) => {
  const server = await serve(t, ours);
  server.httpServer.keepAliveTimeout = 1; // and Node's own second
  const { ask, tell, answers } = await join(server);
  for (const { head } of answers) assert.match(head, /^Keep-Alive: timeout=0$/m);
  for (const connection of [ask, tell]) {
    await eventually(() => connection.ended, "the end of the connection");
  }
  await server.taken(0);
});

for (const [name, close] of Object.entries({
  "io.close()": ({ io }) => io.close(),
  "httpServer.close() and closeAllConnections()": ({ httpServer }) =>
    new Promise((resolve) => {
      httpServer.close(resolve);
      httpServer.closeAllConnections();
    }),
})) {
  test(`${name} ends the connections that workers have`, async (t) => {
    const server = await serve(t, ours);
    const { ask, tell, url, socket } = await join(server);
    const gone = until(socket, "disconnect");
    ask.send(url);
    await eventually(() => socket.conn.transport.writable, "a poll");
    await within(Promise.resolve(close(server)), "the end");
    await gone;
    await eventually(() => ask.ended && tell.ended, "the ends of the connections");
    assert.equal(server.io.engine.takeover.size, 0);
  });
}

test("httpServer.close() waits for an answer, and closes the connection behind it", async (t) => {
  const server = await serve(t, ours);
  const { ask, tell, url, socket } = await join(server);
  ask.send(url);
  await eventually(() => socket.conn.transport.writable, "a poll");
  let closed = false;
  server.httpServer.close(() => (closed = true));
  await eventually(() => tell.ended, "the end of the idle connection");
  assert.equal(closed, false);
  socket.emit("last");
  assert.equal((await ask.answer()).body, '42["last"]');
  await eventually(() => closed && ask.ended, "the end");
});

/** How many sockets this process has. */
function sockets() {
  return descriptors().filter((link) => link.startsWith("socket:")).length;
}

test("no descriptor is left behind", { skip: process.platform !== "linux" }, async (t) => {
  const server = await serve(t, ours, {}, (req, res) => res.end("app"));
  await eventually(() => server.io.engine.workerListeners.size > 0, "a worker that accepts");
  const before = sockets();
  for (let n = 0; n < 50; n++) {
    const { ask, tell, url } = await join(server);
    await tell.ask("/app");
    await tell.ask(url, { body: "1" });
    ask.destroy();
    tell.destroy();
    await server.taken(0);
  }
  await eventually(() => sockets() <= before, "the descriptors of before");
});

for (const witness of ["a listener for connections", "an application's request"]) {
  test(`a socket that a program has seen lives as long as its connection (${witness})`, async (t) => {
    const server = await serve(t, ours, {}, (req, res) => {
      sockets.push(req.socket);
      res.end("app");
    });
    const sockets = [];
    const isListener = witness.startsWith("a listener");
    if (isListener) server.httpServer.on("connection", (socket) => sockets.push(socket));
    const ask = await server.dial();
    const tell = await server.dial();
    if (!isListener) assert.equal((await ask.ask("/app")).body, "app");
    const [{ body }] = await Promise.all([ask.ask(POLLING), until(server.io.engine, "connection")]);
    const url = `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`;
    const connection = until(server.io, "connection");
    await tell.ask(url, { body: "40" });
    const [socket] = await connection;
    await server.taken(2);
    assert.match((await ask.ask(url)).body, /^40/);
    const [seen] = sockets;
    assert.deepEqual([seen.destroyed, seen.readyState, seen.timeout], [false, "open", 0]);
    assert.equal(socket.request.socket, seen);

    // a request waits: close() must not end its connection, destroy() must
    const waiting = ask.ask(url);
    await eventually(() => server.io.engine.isPolled(socket.conn.id), "a waiting request");
    const closing = new Promise((resolve) => server.httpServer.close(resolve));
    await eventually(() => server.io.engine.takeover.size === 1, "the idle connection to go");
    assert.equal(seen.destroyed, false);
    const gone = [until(socket, "disconnect"), until(seen, "close")];
    seen.destroy();
    const [[reason]] = await Promise.all(gone);
    assert.match(reason, /transport error|forced close/);
    assert.equal((await waiting).head, "");
    await within(closing, "close()");
  });
}

test("a connection that is given back is another one to who has seen its socket", async (t) => {
  const server = await serve(t, ours, {}, (req, res) => res.end("app"));
  const seen = [];
  server.httpServer.on("connection", (socket) => seen.push(socket));
  const ask = await server.dial();
  await ask.ask(POLLING);
  await server.taken(1);
  assert.equal(seen.length, 1);
  const end = until(seen[0], "close");
  assert.equal((await ask.ask("/app")).body, "app");
  await end;
  assert.equal(seen.length, 2);
  assert.equal(seen[1].destroyed, false);
  const number = await new Promise((resolve) =>
    server.httpServer.getConnections((_error, count) => resolve(count)),
  );
  assert.equal(number, 1);
});

test("a program finds the connection that a worker has meanwhile", async (t) => {
  const server = await serve(t, ours);
  const opened = until(server.io.engine, "connection");
  const { ask, socket } = await join(server);
  await opened;
  const connection = socket.request.socket;
  const { destroyed, readyState, localAddress, remoteAddress } = connection;
  assert.deepEqual(
    { destroyed, readyState, localAddress, remoteAddress },
    { destroyed: false, readyState: "open", localAddress: "127.0.0.1", remoteAddress: "127.0.0.1" },
  );
  assert.equal(connection.remotePort, ask.socket.localPort);
  const end = until(ask.socket, "close");
  connection.destroy();
  await end;
  await server.taken(1);
});

for (const implementation of selected()) {
  for (const [name, half] of [
    ["one of ours", `GET ${POLLING}&sid=x HTTP/1.1\r\nHost: a\r\n`],
    ["another path", "GET /app HTTP/1.1\r\nHost: a\r\n"],
    ["another method", "PUT /app HTTP/1.1\r\nHost: a\r\n"],
    ["many pieces", "GET /app HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
  ]) {
    test(`${implementation.name}: half a head on a kept connection is not kept: ${name}`, async (t) => {
      const server = await serve(t, implementation);
      // as small as it gets; Node.js adds a second where the other is no property
      Object.assign(server.httpServer, { keepAliveTimeout: 1, keepAliveTimeoutBuffer: 1 });
      const kept = await server.dial();
      const waiting = kept.ask(POLLING);
      assert.match((await waiting).body, /^0/);
      const end = until(kept.socket, "close");
      if (name === "many pieces") {
        kept.socket.setNoDelay(true);
        for (const byte of half) kept.write(byte);
      } else kept.write(half);
      await end;
    });
  }
}

test("a connection that came back with half a head has all the time for its answer", async (t) => {
  const seen = [];
  const server = await serve(t, ours, {}, (req, res) => {
    seen.push(req.socket.timeout);
    res.end("app");
  });
  const kept = await server.dial();
  await kept.ask(POLLING);
  await server.taken(1);
  kept.write("PUT /app HTTP/1.1\r\nHost: a\r\n");
  await server.taken(0);
  kept.write("\r\n");
  assert.equal((await kept.answer()).body, "app");
  assert.deepEqual(seen, [0]);
});

for (const [name, target, headers] of [
  ["for another path, which nobody answers", "/other", ""],
  [
    "for polling, which is answered and closed",
    POLLING,
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
  ],
]) {
  test(`an upgrade request ${name}, leaves nothing`, async (t) => {
    const { Server } = ours.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer, { destroyUpgradeTimeout: 1 });
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    t.after(() => within(io.close(), "close"));
    const head = `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n`;
    const number = () =>
      new Promise((resolve) => httpServer.getConnections((_error, count) => resolve(count)));
    for (const stays of [false, true]) {
      const kept = await KeptConnection.open(httpServer.address().port);
      let error;
      kept.socket.on("error", (reason) => (error = reason));
      const end = until(kept.socket, stays ? "end" : "close");
      kept.write(head);
      kept.write(Buffer.alloc(300, 65)); // bytes that nobody reads
      if (!stays) kept.socket.end();
      await end;
      assert.equal(error, undefined);
      while ((await number()) > 0) await new Promise((resolve) => setImmediate(resolve));
      kept.socket.destroy();
    }
  });
}
