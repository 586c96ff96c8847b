"use strict";

/**
 * Who reads the sockets, the workers or JavaScript's thread: one script for each, and what must be the same. (Who reads when is
 * decided by the load; `tests/reader_model.rs` tries that out.)
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ours } = require("./support/implementations");
const { spawn } = require("./support/child");
const { until, within } = require("./support/waiting");

const CLIENTS = 12;

/**
 * A server in a process of its own, whose sockets `reader` reads. Its clients may hear late that they are pinged, on a busy
 * machine, unless `env` names a shorter time.
 */
async function start(t, reader, env = {}) {
  const server = spawn("reading-server", ours, { env: { FERROSOCKET_READER: reader, ...env } });
  t.after(server.kill);
  const ask = (order) => {
    server.send(order);
    return server.message();
  };
  return { ...server, ask, port: await ask("open") };
}

async function join(t, port, options = {}) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    ...options,
  });
  t.after(() => client.disconnect());
  await until(client, "connect");
  return client;
}

function joinAll(t, port, count = CLIENTS) {
  return Promise.all(Array.from({ length: count }, () => join(t, port)));
}

/** Sends `count` events and gives what was answered. */
function flood(client, event, count, from = 0) {
  const answers = Array.from({ length: count }, (_, n) => client.emitWithAck(event, from + n));
  return within(Promise.all(answers), `answers to ${event}`);
}

const numbers = (count, from = 0) => Array.from({ length: count }, (_, n) => from + n);

/** Sends one event after the other, so that the event loop has nothing else to do. */
async function oneByOne(client, count) {
  for (let n = 0; n < count; n++) assert.equal(await client.emitWithAck("echo", n), n);
}

/** Names of events, more than are kept, and data of all kinds; some come again and again. */
function* samples() {
  const strings = ["", "a", '"', "\\", "é", "\u2028", "\u0000", "]]]", "0", "x".repeat(70), "😀"];
  const names = [...strings, "__proto__", "constructor", "toString", "length", "-1", "true"];
  const data = [
    0,
    -1.5,
    true,
    null,
    [],
    {},
    { a: [{ b: "c" }] },
    [["d"]],
    JSON.parse('{"__proto__":1}'),
  ];
  for (const name of names) for (const value of [...strings, ...data]) yield [name, value];
  for (const name of names) yield* [[name], [name, "a", "b"], [name, 1, "é", {}]];
  for (let n = 0; n < 400; n++) yield [`name ${n % 7 === 0 ? n : n % 90}`, "data"];
}

for (const reader of ["workers", "load", "javascript"]) {
  const title = (text) => `${text} [${reader}]`;

  test(title("answers come in order, in a flood and alone"), async (t) => {
    const server = await start(t, reader);
    const clients = await joinAll(t, server.port);
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        clients.map(async (client) => {
          assert.deepEqual(await flood(client, "echo", 300, round), numbers(300, round));
        }),
      );
      await oneByOne(clients[round], 100);
    }
    const { readTurns, readsOf, inboxBytes } = await server.ask("stats");
    assert.equal(inboxBytes, 0);
    if (reader === "workers") assert.deepEqual([readTurns, readsOf], [0, 0]);
    if (reader === "javascript") assert.ok(readTurns > 100, `${readTurns} turns`);
    for (const client of clients) client.disconnect();
    await server.ask("close");
    server.send("release");
    assert.deepEqual((({ code, stderr }) => ({ code, stderr }))(await server.exit()), {
      code: 0,
      stderr: "",
    });
  });

  test(title("strings come as they were sent"), async (t) => {
    const server = await start(t, reader);
    const client = await join(t, server.port);
    client.on("question", (text, reply) => (text === "" ? reply() : reply(text)));
    const texts = [
      "",
      "a",
      '"',
      "\\",
      "]]]",
      '","',
      "é",
      "\u{1f600}",
      "\n",
      "x".repeat(3000),
      "true",
      "0",
    ];
    for (const text of [...texts, ...texts]) {
      assert.equal(await client.emitWithAck("echo", text), text);
      assert.deepEqual(await client.emitWithAck("ask", text), text === "" ? [] : [text]);
      assert.equal(typeof (await client.emitWithAck("context")), "string"); // an event of a name alone
      assert.deepEqual(await client.emitWithAck("echo", [text]), [text]);
    }
  });

  test(title("a broadcast to all comes between the answers, in order"), async (t) => {
    const server = await start(t, reader);
    const clients = await joinAll(t, server.port);
    const seen = clients.map(() => []);
    clients.forEach((client, i) => client.on("all", (n) => seen[i].push(n)));
    for (let n = 0; n < 200; n++) {
      clients[0].emit("to all", n);
      if (n % 10 === 0) await oneByOne(clients[1], 3);
    }
    await oneByOne(clients[0], 1);
    await Promise.all(clients.map((client) => oneByOne(client, 1)));
    for (const each of seen) assert.deepEqual(each, numbers(200));
  });

  test(title("what handlers throw is uncaught, and what comes behind it goes on"), async (t) => {
    const server = await start(t, reader);
    const clients = await joinAll(t, server.port, 3);
    for (const [event, count] of [
      ["throw", 20],
      ["tick", 20],
      ["reject", 20],
    ]) {
      for (const client of clients) {
        const answers = await flood(client, event, count);
        assert.deepEqual(
          answers.map((answer) => (Array.isArray(answer) ? answer[0] : answer)),
          numbers(count),
        );
      }
      const what = event === "reject" ? "rejected" : "thrown";
      const errors = await server.ask("errors");
      const expected = clients.flatMap(() => numbers(count).map((n) => `${what} ${n}`));
      assert.deepEqual(errors, expected);
    }
    await oneByOne(clients[0], 10);
  });

  test(title("a handler may end the process"), async (t) => {
    const server = await start(t, reader);
    const [client] = await joinAll(t, server.port, 1);
    await oneByOne(client, 20);
    client.emit("exit");
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 7, stderr: "" });
  });

  test(title("a handler may close the server, and the process ends"), async (t) => {
    const server = await start(t, reader);
    const [client] = await joinAll(t, server.port, 1);
    await oneByOne(client, 20);
    client.emit("close");
    await until(client, "disconnect");
    server.send("release");
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });

  test(title("servers that are opened and closed again and again leave nothing"), async (t) => {
    const server = await start(t, reader);
    let before;
    for (let round = 0; round < 6; round++) {
      const port = round === 0 ? server.port : await server.ask("open");
      const [client] = await joinAll(t, port, 1);
      await oneByOne(client, 30);
      client.disconnect();
      await server.ask("close");
      for (;;) {
        const { workers, sessions } = await server.ask("stats");
        if (workers === 0 && sessions === 0) break;
      }
      const now = await server.ask("descriptors");
      if (round === 1) before = now;
    }
    assert.ok((await server.ask("descriptors")) <= before, "no descriptor is left");
    server.send("release");
    const { code, stderr } = await server.exit();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });

  test(title("servers of two threads, and the end of one"), async (t) => {
    const server = await start(t, reader);
    const clients = await joinAll(t, server.port, 4);
    await Promise.all(clients.map((client) => oneByOne(client, 50)));
    const port = await server.ask("thread");
    const others = await joinAll(t, port, 4);
    await Promise.all([...clients, ...others].map((client) => oneByOne(client, 50)));
    assert.equal((await server.ask("stats")).readsOf, 0);
    const gone = others.map((client) => within(until(client, "disconnect"), "the end"));
    await server.ask("end");
    await Promise.all(gone);
    await Promise.all(clients.map((client) => oneByOne(client, 50)));
    assert.equal((await server.ask("stats")).readsOf, 0);
  });

  for (const transport of ["websocket", "polling"]) {
    test(
      title(`a blocked event loop in the middle of traffic loses nothing (${transport})`),
      async (t) => {
        const directory = fs.mkdtempSync(path.join(os.tmpdir(), "reading-"));
        t.after(() => fs.rmSync(directory, { recursive: true }));
        const server = await start(t, reader, { PING_TIMEOUT: "1500" });
        const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
        t.after(() => agent.destroy());
        const [asker] = await joinAll(t, server.port, 1);
        const client = await join(t, server.port, { transports: [transport], agent });
        await oneByOne(client, 30);
        for (let round = 0; round < 2; round++) {
          const release = path.join(directory, `release-${round}`);
          await oneByOne(asker, 200); // JavaScript has the sockets by now, if it is to have them
          const answers = flood(client, "echo", 50);
          asker.emit("block", release);
          assert.equal(await server.message(), "blocked");
          const behind = flood(client, "echo", 500, 50);
          // pinged on and on, for longer than it would stay without
          for (let pings = 0; pings < 8; pings++)
            await within(new Promise((resolve) => client.io.once("ping", resolve)), "a ping");
          fs.writeFileSync(release, "");
          assert.deepEqual([...(await answers), ...(await behind)], numbers(550));
        }
        await oneByOne(client, 20);
      },
    );
  }

  test(title("whatever is sent comes as it is"), async (t) => {
    const server = await start(t, reader);
    const [client, other] = await joinAll(t, server.port, 2);
    await oneByOne(client, 50);
    for (const sample of samples()) assert.deepEqual(await client.emitWithAck(...sample), sample);
    // and together
    const some = [...samples()].slice(0, 200);
    const answers = [client, other].map((each) =>
      Promise.all(some.map((sample) => each.emitWithAck(...sample))),
    );
    assert.deepEqual(await within(Promise.all(answers), "all answers"), [some, some]);
  });

  test(title("handlers that take long, one behind the other, lose nothing"), async (t) => {
    const server = await start(t, reader);
    const clients = await joinAll(t, server.port, 4);
    await Promise.all(
      clients.map(async (client, i) => {
        for (let round = 0; round < 10; round++) {
          if (i === 0) client.emit("busy", 25);
          assert.deepEqual(await flood(client, "echo", 20), numbers(20));
        }
      }),
    );
  });
}

test("handlers run in the same asynchronous context, whoever reads", async (t) => {
  const seen = {};
  for (const reader of ["workers", "javascript"]) {
    const server = await start(t, reader);
    const [client] = await joinAll(t, server.port, 1);
    await oneByOne(client, 20);
    seen[reader] = await client.emitWithAck("context");
  }
  assert.equal(seen.javascript, seen.workers);
});

test("nobody else than these may be named", async () => {
  const server = spawn("reading-server", ours, { env: { FERROSOCKET_READER: "nobody" } });
  server.send("open");
  assert.match(await server.message(), /FERROSOCKET_READER.*nobody/);
  server.kill();
});
