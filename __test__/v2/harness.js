"use strict";

/**
 * The parity harness for the API of Socket.IO 2.x: as that of `parity/`, but the oracle is npm `socket.io` 2.5.1, the
 * client is that of 2.5.0, and a scenario runs on one or both of our entries.
 *
 *     old("name", BOTH, async ({ serve, client, trace }) => { … });
 */

const path = require("node:path");
const connect = require("socket.io-client-2");

const { fetch } = require("../support/raw-http");
const { Stage, compare } = require("../support/stage");
const { turns, until } = require("../support/waiting");

const ROOT = path.join(__dirname, "..", "..");
const oracle = { name: "oracle", path: "socket.io-2", options: {} };
/** The entry for programs of today, which speaks the old protocol if it is told to. */
const MAIN = { name: "main", path: path.join(ROOT, "index.js"), options: { allowEIO3: true } };
/** The entry for programs of then. */
const V2 = { name: "v2", path: path.join(ROOT, "v2", "index.js"), options: {} };

/** What a scenario works with; closes everything it handed out. */
class OldStage extends Stage {
  constructor(entry) {
    super();
    this.entry = entry;
    this.lib = require(entry.path);
  }

  /** A server on a port of its own. */
  async serve(options = {}) {
    const make = (httpServer) => this.lib(httpServer, { ...this.entry.options, ...options });
    return Object.assign(this, await this.listen(make)).io;
  }

  /** What is expected where we differ on purpose: the first of upstream, the second of ours. */
  either(upstream, here) {
    return this.entry === oracle ? upstream : here;
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

  /** Waits until these clients have everything: a volatile event is dropped upstream while it is being written. */
  async quiet(pairs) {
    const all = pairs.map(({ client }) => until(client, "quiet"));
    this.io.emit("quiet");
    await Promise.all(all);
    await turns();
  }

  /** One GET request to the server. */
  get(target, headers = {}) {
    return fetch(this.port, "GET", target, { headers });
  }
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
 * @param {(stage: OldStage) => Promise<void>} run
 */
function old(name, entries, run) {
  compare(name, selected(entries), (entry) => new OldStage(entry).perform(run), oracle);
}

module.exports = { BOTH: [MAIN, V2], ONLY_MAIN: [MAIN], ONLY_V2: [V2], old };
