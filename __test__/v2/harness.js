"use strict";

/**
 * The parity harness for the API of Socket.IO 2.x: as that of `parity/`, but the oracle is npm `socket.io` 2.5.1, the
 * client is that of 2.5.0, and a scenario runs on one or both of our entries.
 *
 *     old("name", BOTH, async ({ serve, client, trace }) => { … });
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");
const connect = require("socket.io-client-2");

const { fetch } = require("../support/raw-http");
const { until, within } = require("../support/waiting");
const { anonymise, snapshot } = require("../parity/normalise");

const ROOT = path.join(__dirname, "..", "..");
const oracle = { name: "oracle", path: "socket.io-2", options: {} };
/** The entry for programs of today, which speaks the old protocol if it is told to. */
const MAIN = { name: "main", path: path.join(ROOT, "index.js"), options: { allowEIO3: true } };
/** The entry for programs of then. */
const V2 = { name: "v2", path: path.join(ROOT, "v2", "index.js"), options: {} };
const LIMIT = 60_000;

/** What a scenario works with; closes everything it handed out. */
class Stage {
  constructor(entry) {
    this.entry = entry;
    this.lib = require(entry.path);
    this.channels = {};
    this.cleanups = [];
    for (const name of ["serve", "client", "pair", "trace", "defer", "get"])
      this[name] = this[name].bind(this);
  }

  /** A server on a port of its own. */
  async serve(options = {}) {
    const httpServer = http.createServer((req, res) => res.writeHead(404).end("not ours"));
    const io = this.lib(httpServer, { ...this.entry.options, ...options });
    this.defer(() => this.shut(io, httpServer));
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    this.port = httpServer.address().port;
    return Object.assign(this, { io, httpServer }).io;
  }

  async shut(io, httpServer) {
    const closed = httpServer.listening ? until(httpServer, "close") : Promise.resolve();
    io.close();
    httpServer.closeAllConnections();
    await closed;
  }

  /** Appends to one channel of the trace. Order is compared within a channel, not between two of them. */
  trace(channel, ...values) {
    (this.channels[channel] ??= []).push(snapshot(values));
  }

  /** Runs `fn` when the scenario is over, last one first. */
  defer(fn) {
    this.cleanups.push(fn);
  }

  /** A client, connecting now. */
  client(namespace = "/", options = {}) {
    const client = connect(
      `http://127.0.0.1:${options.port ?? this.port}${namespace === "/" ? "" : namespace}`,
      { forceNew: true, reconnection: false, transports: ["websocket"], ...options },
    );
    this.defer(() => client.close());
    return client;
  }

  /** A client and the server's socket for it. */
  async pair(namespace = "/", options = {}) {
    const connection = until((options.io ?? this.io).of(namespace.split("?")[0]), "connection");
    const client = this.client(namespace, options);
    const [socket] = await connection;
    if (!client.connected) await until(client, "connect");
    return { client, socket };
  }

  /** One GET request to the server. */
  get(target, headers = {}) {
    return fetch(this.port, "GET", target, { headers });
  }

  async close() {
    for (const cleanup of this.cleanups.reverse()) await cleanup();
  }
}

async function perform(entry, run) {
  const stage = new Stage(entry);
  try {
    await run(stage);
  } finally {
    await within(stage.close(), "everything to close");
  }
  return anonymise(stage.channels, { port: stage.port });
}

/** Whether there is something to compare with: it is installed with the other development dependencies. */
function selected(entries) {
  const only = process.env.PARITY_ONLY;
  if (only === "oracle") return [oracle];
  if (only === "ours") return entries;
  return [oracle, ...entries];
}

/**
 * Registers a scenario.
 *
 * @param {string} name
 * @param {object[]} entries ours that it has to run on
 * @param {(stage: Stage) => Promise<void>} run
 */
function old(name, entries, run) {
  test(name, { timeout: LIMIT }, async (t) => {
    let expected;
    for (const entry of selected(entries)) {
      await t.test(`on ${entry.name}`, async () => {
        const trace = await perform(entry, run);
        if (process.env.PARITY_TRACE) console.dir(trace, { depth: null });
        if (entry === oracle) expected = trace;
        else if (expected !== undefined) assert.deepStrictEqual(trace, expected);
      });
    }
  });
}

module.exports = { BOTH: [MAIN, V2], ONLY_MAIN: [MAIN], ONLY_V2: [V2], old };
