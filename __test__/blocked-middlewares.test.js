"use strict";

/**
 * Polling clients whose requests Node.js has to read, because a program's middlewares are to see each: while the event loop is
 * blocked nobody reads them, and nobody is given up for that. (The client of the library waits for a ping as long as ever.)
 */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { startBlocking } = require("./support/blocking");
const { ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { gather, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";
/** Far less than the block takes, in ms. A kept connection is idle for so long, too: Node.js adds a second. */
const SHORT = 300;
const OPTIONS = { pingInterval: 100, pingTimeout: SHORT, connectTimeout: SHORT };
const SETTINGS = { ...OPTIONS, middlewares: 2, keepAliveTimeout: SHORT };
/** Pings of another client, 100 ms each, by which the test knows that the time is over. */
const PINGS = 25;

/** More than Node.js accepts in a few turns of the event loop: it accepts one a turn. */
const MANY = 12;

test(
  "a client whose connection nobody has accepted is not given up",
  { timeout: 60_000 },
  async (t) => {
    const options = { pingInterval: 100, pingTimeout: 3000, middlewares: 1 };
    const server = await startBlocking(t, ours, options);
    const dial = async () => {
      const connection = await KeptConnection.open(server.port);
      t.after(() => connection.destroy());
      return connection;
    };
    const clock = connect(`http://127.0.0.1:${server.port}`, { transports: ["websocket"] });
    t.after(() => clock.disconnect());
    await until(clock, "connect");
    const open = async () => {
      const connection = await dial();
      const { body } = await connection.ask(POLLING);
      const url = `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}`;
      assert.equal((await connection.ask(url)).body, "2"); // its pong is waited for
      return url;
    };
    const urls = await Promise.all(Array.from({ length: MANY }, open));
    server.send("block");
    assert.equal(await server.message(), "blocked");
    const pongs = urls.map(async (url) => (await dial()).ask(url, { body: "3" }));
    await gather(clock.io, "ping", 30); // 100 ms each: their time is over, but not for long
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
    { timeout: 60_000 },
    async (t) => {
      const server = await startBlocking(t, implementation, SETTINGS);
      const dial = async () => {
        const connection = await KeptConnection.open(server.port);
        t.after(() => connection.destroy());
        return connection;
      };
      const open = async () => {
        const [ask, tell] = [await dial(), await dial()];
        const { head, body } = await ask.ask(POLLING);
        assert.match(head, /^x-middleware: 1$/im);
        return { ask, tell, url: `${POLLING}&sid=${JSON.parse(body.slice(1)).sid}` };
      };
      // A worker has its connection, and so it goes on; npm's is lost.
      const clock = connect(`http://127.0.0.1:${server.port}`, {
        transports: ["websocket"],
        reconnection: implementation !== ours,
      });
      t.after(() => clock.disconnect());
      await until(clock, "connect");

      const member = await open();
      assert.equal((await member.tell.ask(member.url, { body: "40" })).body, "ok");
      assert.match((await member.ask.ask(member.url)).body, /^40/);
      for (let ping; ping !== "2";) ping = (await member.ask.ask(member.url)).body;
      const newcomer = await open(); // it has not joined yet
      await newcomer.tell.ask("/"); // this connection is a kept one, too
      server.send("block");
      assert.equal(await server.message(), "blocked");
      member.tell.send(member.url, { body: "3" });
      newcomer.tell.send(newcomer.url, { body: "40" });
      if (implementation === ours) {
        await gather(clock.io, "ping", PINGS);
      } else {
        await until(clock, "disconnect"); // by then its own ping timeout is over, and so is theirs
      }
      server.release();
      assert.equal(await server.message(), "released");
      const pong = await within(member.tell.answer(), "the answer to a pong");
      const joining = await within(newcomer.tell.answer(), "the answer to a CONNECT");
      if (implementation === ours) {
        assert.equal(pong.body, "ok");
        assert.equal(joining.body, "ok");
        // their other connections were idle for too long
        const packets = (await (await dial()).ask(newcomer.url)).body.split("\x1e");
        assert.match(packets.at(-1), /^40/);
        assert.equal((await (await dial()).ask(member.url)).body, "2");
      } else {
        assert.notEqual(pong.body, "ok");
      }
    },
  );
}
