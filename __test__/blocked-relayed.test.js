"use strict";

/**
 * Polling clients of an engine with a middleware, which has to see each of their requests, while JavaScript stands still for far
 * longer than they wait for a ping: workers accept and relay their connections, and answer their heartbeats.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ask, sitOut, startBlocking } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { gather, until, within } = require("./support/waiting");

const skip = process.platform !== "linux" && "Node.js accepts there";
const POLLING = "/socket.io/?EIO=4&transport=polling";
const CLIENTS = 10;
const serve = (t, implementation) => startBlocking(t, implementation, {}, "blocked-middlewares");
const json = (text) => JSON.parse(text.slice(1));

/** What the middleware of a server has seen. */
function seenBy(server) {
  server.send("seen");
  return server.message();
}

/** Clients of the library that have joined, each as `options` say. */
async function join(t, port, options) {
  const clients = Array.from({ length: CLIENTS }, () =>
    connect(`http://127.0.0.1:${port}`, {
      forceNew: true,
      reconnection: false,
      transports: ["polling"],
      ...options(),
    }),
  );
  t.after(() => clients.forEach((client) => client.disconnect()));
  await Promise.all(clients.map((client) => until(client, "connect")));
  return clients;
}

const KINDS = {
  "kept connections": (t) => () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    t.after(() => agent.destroy());
    return { agent };
  },
  "a connection for each request": () => () => ({ agent: false }),
};

for (const [kind, options] of Object.entries(KINDS)) {
  for (const implementation of selected()) {
    const expected = implementation === ours ? "are all kept" : "are all lost";
    test(
      `${implementation.name}: clients ${expected} when JavaScript is blocked [${kind}]`,
      { timeout: 240_000, skip: implementation === ours && skip },
      async (t) => {
        const server = await serve(t, implementation);
        const clients = await join(t, server.port, options(t));
        const echoes = clients.map((client) => {
          const all = [];
          client.on("seen", (n) => all.push(n));
          return all;
        });
        await Promise.all(clients.map(ask));
        server.send("block");
        assert.equal(await server.message(), "blocked");
        // half of them send events meanwhile: these wait for JavaScript, and behind them so does a pong
        const sittingOut = clients.map((client, n) => sitOut(client, n % 2));
        const outcomes = await Promise.all(sittingOut);
        server.release();
        assert.equal(await server.message(), "released");
        for (const [n, client] of clients.entries()) {
          if (implementation !== ours) {
            assert.equal(outcomes[n].reason, "ping timeout");
            continue;
          }
          assert.equal(outcomes[n].reason, null);
          const sent = Array.from(Array(outcomes[n].sent).keys());
          assert.deepEqual(await ask(client), [sent, []]);
          assert.deepEqual(echoes[n], sent);
        }
      },
    );
  }
}

test(
  "blocks that are as long as workers wait: nothing is lost, and nothing comes twice",
  { timeout: 240_000, skip },
  async (t) => {
    const server = await serve(t, ours);
    const clients = await join(t, server.port, () => ({ agent: false }));
    const rounds = clients.map((client) => gather(client, "round", 12));
    let sent = 0;
    const echoes = clients.map((client) => {
      const all = [];
      client.on("seen", (n) => {
        all.push(n);
        client.emit("n", ++sent);
      });
      client.emit("n", 0);
      return all;
    });
    server.send("blocks");
    assert.equal(await server.message(), "over");
    for (const all of await within(Promise.all(rounds), "the rounds"))
      assert.deepEqual(all.flat(), Array.from(Array(12).keys()));
    for (const [n, client] of clients.entries()) {
      client.off("seen");
      const [got, lost] = await ask(client);
      assert.deepEqual(lost, []);
      assert.deepEqual(got.slice(0, echoes[n].length), echoes[n]);
    }
  },
);

/** A client that writes its requests by hand, and counts them. */
class Scripted {
  static async open(t, server) {
    const client = new Scripted();
    const dial = async () => {
      const connection = await KeptConnection.open(server.port);
      t.after(() => connection.destroy());
      return connection;
    };
    [client.ask, client.tell] = [await dial(), await dial()];
    client.dial = dial;
    const { body } = await client.ask.ask(POLLING);
    client.url = `${POLLING}&sid=${json(body).sid}`;
    client.gets = client.posts = 0;
    await client.post("40");
    for (let joined = false; !joined;)
      joined = (await client.take()).some((packet) => packet.startsWith("40"));
    return client;
  }

  get() {
    this.gets++;
    return this.ask.ask(this.url);
  }

  post(body) {
    this.posts++;
    return this.tell.ask(this.url, { body });
  }

  /** What is told by the next poll; a ping that is among it is answered. */
  async take() {
    const packets = (await this.get()).body.split("\x1e");
    if (packets.includes("2")) assert.equal((await this.post("3")).body, "ok");
    return packets.filter((packet) => packet !== "2");
  }

  /** Polls until a ping comes, and answers it. */
  async beat() {
    const answer = await this.get();
    assert.equal(answer.body, "2");
    assert.equal((await this.post("3")).body, "ok");
    return answer;
  }
}

test(
  "the middleware sees each request sooner or later, and each has one answer",
  { timeout: 240_000, skip },
  async (t) => {
    const server = await serve(t, ours);
    const client = await Scripted.open(t, server);
    await client.beat();
    const waits = client.get(); // Node.js has read it, and its middleware has let it through
    server.send("block");
    assert.equal(await server.message(), "blocked");
    const ping = await waits;
    assert.equal(ping.body, "2");
    assert.match(ping.head, /^x-middleware: seen$/im);
    assert.match(ping.head, /^content-type: text\/plain; charset=UTF-8$/im);
    assert.match(ping.head, /^connection: keep-alive$/im);
    assert.equal((await client.post("3")).body, "ok");
    for (let n = 0; n < 5; n++) assert.match((await client.beat()).head, /^x-middleware: seen$/im);

    // an event needs a program; pings go on
    client.tell.send(client.url, { body: '42["n",1]' });
    client.posts++;
    for (let n = 0; n < 5; n++) assert.equal((await client.get()).body, "2");
    const next = client.get();
    server.release();
    assert.equal(await server.message(), "released");
    assert.equal((await client.tell.answer()).body, "ok");
    let { body } = await next;
    while (!body.includes("seen")) ({ body } = await client.get());
    assert.ok(body.split("\x1e").includes('42["seen",1]'));
    const { GET, POST, open } = await seenBy(server);
    assert.deepEqual({ GET, POST, open }, { GET: client.gets, POST: client.posts, open: 1 });
  },
);

for (const headers of [{}, { Connection: "close" }])
  test(
    `a long answer that a worker gives comes whole [${Object.keys(headers)}]`,
    { timeout: 240_000, skip },
    async (t) => {
      const server = await serve(t, ours);
      const client = await Scripted.open(t, server);
      await client.beat();
      let answer;
      for (;;) {
        client.ask.send(client.url, { headers });
        client.gets++;
        while ((await seenBy(server)).GET !== client.gets);
        server.send("long");
        assert.equal(await server.message(), "blocked");
        answer = await client.ask.answer();
        assert.match(answer.head, /^x-middleware: seen$/im);
        if (answer.body !== "2") break;
        // a ping was due before: on a machine that is busy with other things, it has to be tried again
        server.release();
        assert.equal(await server.message(), "released");
        if (headers.Connection) client.ask = await client.dial();
        assert.equal((await client.post("3")).body, "ok");
        assert.equal((await client.take()).length, 1);
      }
      assert.equal(JSON.parse(answer.body.slice(2))[1].length, 8e6);
      if (!headers.Connection) await client.beat();
      server.release();
      assert.equal(await server.message(), "released");
      while ((await seenBy(server)).GET !== client.gets); // in one of its next turns
    },
  );

for (const [message, what] of Object.entries({
  limit: "that Node.js answers by itself",
  take: "that another listener answers in place of ours",
}))
  test(`a request ${what} has one answer`, { timeout: 240_000, skip }, async (t) => {
    const server = await serve(t, ours);
    const clock = await Scripted.open(t, await serve(t, ours));
    const client = await Scripted.open(t, server);
    server.send(message);
    assert.equal(await server.message(), "done");
    if (message === "limit") assert.equal((await client.post("3")).body, "ok");
    assert.match((await client.post("3")).head, /^HTTP\/1.1 503 /);
    // many times as long as a worker would wait, did the request lie unread
    for (let n = 0; n < 10; n++) await clock.beat();
    assert.equal(client.tell.bytes.length, 0);
  });

test(
  "a request that another listener answers by its head alone has one answer",
  { timeout: 240_000, skip },
  async (t) => {
    const clock = await Scripted.open(t, await serve(t, ours));
    const server = await serve(t, ours);
    const client = await Scripted.open(t, server);
    server.send("bypass");
    assert.equal(await server.message(), "done");
    client.tell.write(`POST ${client.url} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n`);
    assert.equal((await client.tell.answer()).body, "another");
    assert.equal(await server.message(), "blocked");
    client.tell.write("3"); // a whole pong now, which lies unread
    // many times as long as a worker would wait
    for (let n = 0; n < 10; n++) await clock.beat();
    assert.equal(client.tell.bytes.length, 0);
    server.release();
    assert.equal(await server.message(), "released");
  },
);

test("a middleware that takes its time is waited for", { timeout: 240_000, skip }, async (t) => {
  const server = await serve(t, ours);
  const clock = await Scripted.open(t, server);
  const client = await Scripted.open(t, server);
  client.ask.send(client.url, { headers: { "X-Think": "1" } });
  client.tell.send(client.url, { body: "3", headers: { "X-Think": "1" } });
  // many times as long as a worker would wait, were JavaScript blocked
  for (let n = 0; n < 10; n++) await clock.beat();
  assert.equal(client.ask.bytes.length + client.tell.bytes.length, 0);
  server.send("refuse");
  for (const connection of [client.ask, client.tell])
    assert.match((await connection.answer()).head, /^HTTP\/1.1 400 /);
});

test(
  "what the worker does not take for a heartbeat waits for JavaScript, in its order",
  { timeout: 240_000, skip },
  async (t) => {
    const server = await serve(t, ours);
    const client = await Scripted.open(t, server);
    const clock = await Scripted.open(t, server);
    server.send("block");
    assert.equal(await server.message(), "blocked");
    const texts = {
      "another path": "GET /app HTTP/1.1\r\nHost: a\r\n\r\n",
      "no session": `GET ${POLLING}&sid=nobody HTTP/1.1\r\nHost: a\r\n\r\n`,
      "another protocol": `GET ${client.url.replace("EIO=4", "EIO=3")} HTTP/1.1\r\nHost: a\r\n\r\n`,
      "two requests at once": `GET /app HTTP/1.1\r\nHost: a\r\n\r\nPOST ${client.url} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n3`,
      "a pong behind a message": `POST ${client.url} HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n42["n",0]\x1e3..`,
    };
    const asked = [];
    for (const text of Object.values(texts)) {
      const connection = await client.dial();
      connection.write(text);
      asked.push(connection);
    }
    for (let n = 0; n < 4; n++) await clock.beat();
    for (const connection of asked) assert.equal(connection.bytes.length, 0);
    server.release();
    assert.equal(await server.message(), "released");
    const bodies = [];
    for (const connection of asked) bodies.push((await connection.answer()).body);
    assert.equal(bodies[0], "app /app");
    assert.match(bodies[1], /Session ID unknown/);
    assert.match(bodies[2], /Bad request/);
    assert.equal(bodies[3], "app /app");
  },
);

for (const implementation of selected()) {
  test(`${implementation.name}: an answer that takes its time comes`, async (t) => {
    const { Server } = implementation.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    t.after(() => within(io.close(), "close"));
    io.engine.use((req, res, next) => {
      const { end } = res;
      if (req.headers["x-late"]) res.end = (...args) => setImmediate(() => end.apply(res, args));
      next();
    });
    io.on("connection", (socket) => socket.emit("long", "x".repeat(5000)));
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    await new Promise(setImmediate); // by then a worker accepts
    for (const headers of [{ "Accept-Encoding": "gzip" }, { "X-Late": "1" }]) {
      const peer = await KeptConnection.open(httpServer.address().port);
      const { sid } = json((await peer.ask(POLLING, { headers })).body);
      const url = `${POLLING}&sid=${sid}`;
      assert.equal((await within(peer.ask(url, { headers, body: "40" }), "ok")).body, "ok");
      let { body } = await within(peer.ask(url, { headers }), "a poll");
      if (!body.includes("long")) ({ body } = await within(peer.ask(url, { headers }), "a poll"));
      assert.match(body, /long/);
      peer.socket.destroy();
    }
  });
}

for (const implementation of selected()) {
  test(`${implementation.name}: what a program sees of the connection`, async (t) => {
    const { Server } = implementation.load();
    const httpServer = http.createServer((req, res) => res.end("app"));
    const io = new Server(httpServer);
    t.after(() => within(io.close(), "close"));
    const seen = [];
    io.engine.use((req, res, next) => {
      seen.push(req.socket);
      next();
    });
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const { port } = httpServer.address();
    const kept = await KeptConnection.open(port);
    const { sid } = json((await kept.ask(POLLING)).body);
    const url = `${POLLING}&sid=${sid}`;
    assert.equal((await kept.ask(url, { body: "40" })).body, "ok");
    assert.equal((await kept.ask("/")).body, "app");
    assert.match((await kept.ask(url)).body, /^40/);
    const [socket] = seen;
    assert.ok(seen.every((one) => one === socket));
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = socket;
    assert.deepEqual(
      { remoteAddress, remotePort, remoteFamily, localAddress, localPort },
      {
        remoteAddress: "127.0.0.1",
        remotePort: kept.socket.localPort,
        remoteFamily: "IPv4",
        localAddress: "127.0.0.1",
        localPort: port,
      },
    );
    assert.deepEqual(socket.address(), { address: "127.0.0.1", family: "IPv4", port });
    const count = () =>
      new Promise((resolve) => httpServer.getConnections((_error, number) => resolve(number)));
    assert.equal(await count(), 1);

    // it is idle: the server may close it
    const closed = until(socket, "close");
    httpServer.closeIdleConnections();
    assert.equal((await kept.answer()).head, "");
    await closed;
    assert.equal(await count(), 0);

    // the peer goes while its poll waits; and one that a program destroys
    for (const end of [
      (peer) => peer.socket.destroy(),
      (_peer, own) => own.destroy(),
      (_peer, own) => own.resetAndDestroy(),
    ]) {
      const peer = await KeptConnection.open(port);
      peer.send(`${POLLING}&sid=${json((await peer.ask(POLLING)).body).sid}`);
      const own = seen.at(-1);
      const gone = until(own, "close");
      const disconnected = until(Object.values(io.engine.clients).at(-1), "close");
      while (!Object.values(io.engine.clients).at(-1).transport.writable)
        await new Promise(setImmediate);
      end(peer, own);
      await gone;
      await disconnected;
      assert.equal(await count(), 0);
      peer.destroy();
    }
  });
}
