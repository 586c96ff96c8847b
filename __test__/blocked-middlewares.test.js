"use strict";

/**
 * Polling clients whose requests Node.js has to read, because a program's middlewares are to see each: while the event loop is
 * blocked nobody reads them, and nobody is given up for that. (The client of the library waits for a ping as long as ever.)
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dial, HEARTBEAT, startBlocking } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { gather, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";
/** Of the client of another server, by whose pings the test knows that time has passed; in ms. */
const { pingInterval: TICK } = HEARTBEAT;
/** More than Node.js accepts in a few turns of the event loop: it accepts one a turn. */
const MANY = 12;

/** Ways to connect to a server by hand, and to open a session. */
function visitors(t, { port }) {
  const keep = async () => {
    const connection = await KeptConnection.open(port);
    t.after(() => connection.destroy());
    return connection;
  };
  const open = async () => {
    const [ask, tell] = [await keep(), await keep()];
    const { head, body } = await ask.ask(POLLING);
    assert.match(head, /^x-middleware: \d$/im);
    return { ask, tell, url: `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}` };
  };
  return { keep, open };
}

/** Whether a poll tells a client that it has joined. */
const hasJoined = ({ body }) => body.split("\x1e").some((packet) => packet.startsWith("40{"));

/** Polls until a client is pinged, so that its pong is waited for, or until it is given up. */
async function pinged({ ask, url }) {
  for (;;) {
    const { head, body } = await ask.ask(url);
    if (body === "2" || !head.startsWith("HTTP/1.1 200")) return;
  }
}

/** The first client joins and is pinged; the second one has not joined yet, and both its connections are kept ones. */
async function joinOrNot(open, n) {
  const client = await open();
  if (n === 0) {
    await client.tell.ask(client.url, { body: "40" });
    await pinged(client);
  } else {
    await client.tell.ask("/");
  }
  return client;
}

/**
 * Starts a server that blocks when so many clients have come, and while none of them is given up.
 *
 * @param {any} t the test
 * @param {{ path: string }} implementation
 * @param {number} middlewares
 * @param {number} count
 * @param {(open: () => Promise<any>, n: number) => Promise<any>} come has a client come
 */
async function startBlocked(t, implementation, middlewares, count, come) {
  const other = await startBlocking(t, ours);
  const clock = dial(t, other.port, "websocket");
  await until(clock, "connect");
  // A machine that is busy with other things may give clients up before the block: then they need more time.
  for (let short = 2500; ; short *= 2) {
    const settings = {
      pingInterval: 100,
      pingTimeout: short,
      connectTimeout: short,
      keepAliveTimeout: short, // Node.js adds a second
    };
    const server = await startBlocking(t, implementation, { ...settings, middlewares });
    const { keep, open } = visitors(t, server);
    const clients = await Promise.all(Array.from({ length: count }, (_, n) => come(open, n)));
    server.send({ blockWith: count });
    if ((await server.message()) === "blocked") {
      /** Waits for longer than clients may be silent, and connections idle. */
      const pass = () => gather(clock.io, "ping", Math.ceil((short + 1500) / TICK));
      return { server, clients, keep, pass };
    }
    server.kill();
  }
}

test(
  "a client whose connection nobody has accepted is not given up",
  { timeout: 240_000 },
  async (t) => {
    const { server, clients, keep, pass } = await startBlocked(t, ours, 1, MANY, async (open) => {
      const client = await open();
      await pinged(client);
      return client;
    });
    const pongs = clients.map(async ({ url }) => (await keep()).ask(url, { body: "3" }));
    await pass();
    server.release();
    assert.equal(await server.message(), "released");
    for (const { body } of await within(Promise.all(pongs), "the answers"))
      assert.equal(body, "ok");
  },
);

for (const implementation of selected()) {
  const expected = implementation === ours ? "is not given up" : "is given up";
  test(
    `${implementation.name}: a client whose request nobody reads ${expected}`,
    { timeout: 240_000 },
    async (t) => {
      const { server, clients, keep, pass } = await startBlocked(
        t,
        implementation,
        2,
        2,
        joinOrNot,
      );
      const [member, newcomer] = clients;
      member.tell.send(member.url, { body: "3" });
      newcomer.tell.send(newcomer.url, { body: "40" });
      await pass();
      // their other connections have been idle for too long
      const polls = [await keep(), await keep()];
      polls[0].send(member.url);
      polls[1].send(newcomer.url);
      server.release();
      assert.equal(await server.message(), "released");
      const pong = await within(member.tell.answer(), "the answer to a pong");
      const joining = await within(newcomer.tell.answer(), "the answer to a CONNECT");
      if (implementation === ours) {
        assert.equal(pong.body, "ok");
        assert.equal(joining.body, "ok");
        assert.equal((await polls[0].answer()).body, "2");
        for (let told = await polls[1].answer(); !hasJoined(told);)
          told = await polls[1].ask(newcomer.url);
      } else {
        assert.notEqual(pong.body, "ok");
      }
    },
  );
}
