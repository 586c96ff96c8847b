"use strict";

/** Processes that hand their clients over one to the next, and clients that notice what is lost. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { io: connect } = require("socket.io-client");
const { spawn } = require("./child");
const { ours } = require("./implementations");
const { until, within } = require("./waiting");

const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];

/**
 * Starts processes that have one path, one after the other.
 *
 * @param {import("node:test").TestContext} t
 * @param {object} [options] those of their servers
 */
function chain(t, options = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "handover-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const socket = path.join(directory, "s");
  let port = 0;
  let count = 0;
  return {
    path: socket,
    get port() {
      return port;
    },
    /**
     * Starts a process; the one that hands over is in the midst of that, if there is one.
     *
     * @param {object} [more] options of its server
     * @param {string[]} [execArgv] of its Node.js
     * @param {{ files?: number }} [limits] how many files it may have open
     */
    start(more = {}, execArgv = [], { files } = {}) {
      const name = String(++count);
      const args = [socket, name, String(port), JSON.stringify({ ...options, ...more })];
      const child = spawn("handing-server", ours, { args, execArgv, files });
      t.after(() => child.kill());
      const told = new Map();
      /** The next message that has this key; others are kept until they are asked for. */
      const tells = async (key) => {
        const kept = told.get(key) ?? [];
        told.set(key, kept);
        while (kept.length === 0) {
          const message = await child.message();
          for (const each of Object.keys(message)) {
            if (!told.has(each)) told.set(each, []);
            told.get(each).push(message);
          }
        }
        return kept.shift();
      };
      return {
        ...child,
        name,
        tells,
        async listens() {
          port = (await tells("listening")).listening;
          return port;
        },
        /** Offers the clients. */
        async offers(how) {
          child.send({ does: "handOver", with: how });
          await tells("offered");
        },
        async counts() {
          child.send({ does: "count" });
          const { count, connections } = await tells("count");
          return { clients: count, connections };
        },
      };
    },
  };
}

/**
 * Starts the next process, to which another one hands its clients over.
 *
 * @param {ReturnType<typeof chain>} all
 * @param {object} from the process that has them
 * @param {object} [options] of the next one
 */
async function restart(all, from, options) {
  await from.offers({});
  const next = all.start(options);
  const [{ taken }, { handed }] = await Promise.all([next.tells("taken"), from.tells("handed")]);
  await next.listens();
  const { code, stderr } = await from.exit();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return { next, taken, handed };
}

/**
 * A client that is never to be disconnected.
 *
 * @param {import("node:test").TestContext} t
 * @param {{ port: number }} all
 * @param {number} n which one: transports differ
 * @param {object} [options]
 */
async function dial(t, all, n, { library = connect, nsp = "", ...options } = {}) {
  const client = library(`http://127.0.0.1:${all.port}${nsp}`, {
    forceNew: true,
    transports: TRANSPORTS[n % TRANSPORTS.length],
    auth: { name: `c${n}` },
    query: { room: `r${Math.floor(n / 10)}` },
    ...options,
  });
  client.ends = [];
  client.on("disconnect", (reason) => client.ends.push(reason));
  t.after(() => (client.close ?? client.disconnect).call(client));
  client.served = until(client, "served");
  await within(client.served, `client ${n} to be served`);
  return client;
}

/**
 * Has a client talk without a pause: it asks, and tells its room, one after the other, and notes what is not as it should be.
 *
 * @param {object} client
 * @param {number} n
 * @param {(client: object, event: string, ...args: any[]) => Promise<any>} ask emits and gives the answer
 */
function talk(client, n) {
  const faults = [];
  const heard = new Map();
  let isOver = false;
  let rounds = 0;
  let echoed;
  client.on("said", ({ from, count }, bytes) => {
    const next = heard.get(from);
    if (next !== undefined && count !== next) faults.push(`${from} said ${count}, not ${next}`);
    heard.set(from, count + 1);
    if (Buffer.from(bytes).toString() !== `${from}:${count}`) faults.push(`other bytes: ${bytes}`);
    if (from === n) echoed?.(count);
  });
  const done = (async () => {
    for (; !isOver; rounds++) {
      const answer = await new Promise((resolve) => client.emit("echo", rounds, resolve));
      if (answer !== rounds) faults.push(`asked ${rounds}, got ${answer}`);
      const said = new Promise((resolve) => (echoed = resolve));
      client.emit("say", { from: n, count: rounds }, Buffer.from(`${n}:${rounds}`));
      const count = await said;
      if (count !== rounds) faults.push(`said ${rounds}, heard ${count}`);
    }
  })();
  return {
    faults,
    /** How often it has asked and told so far. */
    rounds: () => rounds,
    /** What it has heard of each: the next number. */
    heard,
    /** Ends when all that it has sent is answered. */
    async end() {
      isOver = true;
      await within(done, `client ${n} to come to an end`);
    },
  };
}

module.exports = { chain, dial, restart, talk };
