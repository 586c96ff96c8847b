"use strict";

/**
 * Scenarios of several nodes behind one adapter, each node in a process of its own.
 *
 * A scenario runs on nodes that are all npm `socket.io`, where its assertions must hold first, then on nodes that are all
 * ours, then on both mixed; and what it traced must be equal. Clients live in the process of the test.
 */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const path = require("node:path");
const { Client } = require("pg");
const { io: connect } = require("socket.io-client");
const { oracle, ours, selected } = require("../support/implementations");
const { startPostgres } = require("../support/postgres");
const { startRedis } = require("../support/redis");
const { Stage, compare } = require("../support/stage");
const { eventually, until, within } = require("../support/waiting");
const { ADAPTERS } = require("./adapters");

/** The last resort, for all sides of a scenario, with nine processes to be started. */
const LIMIT = 240_000;

/** What a Redis stream calls an entry, which recovery adds to events. */
const OFFSET = /^\d{13}-\d+$/;

/** What an adapter needs beside it, by name: each starts it, and gives the `url` for `ADAPTERS`, and `stop()`. */
const SERVICES = {
  async redis() {
    const redis = await startRedis();
    return { ...redis, url: redis.path };
  },
  async postgres() {
    const postgres = await startPostgres();
    // here, as nodes that all make it at once are in each other's way
    const client = new Client(postgres.settings);
    await client.connect();
    await client.query(
      `CREATE TABLE socket_io_attachments (
         id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)`,
    );
    await client.end();
    return { ...postgres, url: JSON.stringify(postgres.settings) };
  },
};

/** A process that runs a script beside this file, and ends when this one lets go of it. */
function start(script, args) {
  return fork(path.join(__dirname, script), args, {
    serialization: "advanced", // Buffers stay such
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

/** A node in a process of its own. */
function processNode(args) {
  const child = start("node.js", args);
  return {
    send: (message) => child.send(message),
    onmessage: (listener) => child.on("message", listener),
    ended: until(child, "exit", 60_000),
    end: () => child.connected && child.disconnect(),
    kill: (signal) => child.kill(signal),
  };
}

/** Nodes that are the workers of one process: `node:cluster`. */
function workerNodes(list, sticky) {
  const primary = start("primary.js", [
    sticky ? "sticky" : "",
    ...list.map((args) => JSON.stringify(args)),
  ]);
  const ended = until(primary, "exit", 60_000);
  return list.map((_, index) => {
    const mine = (listener) =>
      primary.on("message", (message) => message.index === index && listener(message));
    const over = new Promise((resolve) => mine((message) => message.ended && resolve()));
    return {
      send: (message) => primary.send({ index, message }),
      onmessage: (listener) => mine(({ message }) => message && listener(message)),
      ended: Promise.race([ended, over]),
      end: () => primary.connected && primary.disconnect(),
      kill: (signal) => primary.send({ index, kill: signal }),
    };
  });
}

/** One server of the cluster, as a scenario sees it. */
class Node {
  #process;
  #waiting = new Map();
  #lastId = 0;
  #ready;

  constructor(process) {
    this.#process = process;
    this.told = []; // what `serverSideEmit()` of others brought
    this.#ready = new Promise((resolve, reject) => {
      process.onmessage((message) => {
        if (message.port) resolve((this.port = message.port));
        else if (message.told) this.told.push(message.told);
        else this.#waiting.get(message.id)(message);
      });
      process.ended.then(() => reject(new Error("the node has ended")));
    });
    this.#ready.catch(() => {});
  }

  ready() {
    return within(this.#ready, "the port of a node", 60_000);
  }

  /**
   * A namespace of this node: calls on it are made there when they are awaited, as in
   * `await node.of("/").to("room").emit("event")`. Resolves with what they return, or fails as they do.
   */
  of(nsp) {
    return this.#record({ nsp }, []);
  }

  /** A socket of this node, in the same way. */
  socket(id, nsp = "/") {
    return this.#record({ nsp, socket: id }, []);
  }

  #record(target, chain) {
    return new Proxy(() => {}, {
      get: (_, name) => {
        if (name === "then") {
          const answer = this.#call(target, chain);
          return answer.then.bind(answer);
        }
        return this.#record(target, [...chain, [name]]);
      },
      apply: (_, __, args) =>
        this.#record(target, [...chain.slice(0, -1), [...chain.at(-1), ...args]]),
    });
  }

  async #call(target, chain) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, ...target, chain });
    const names = chain.map(([name]) => name).join("().");
    const { value, error, responses } = await within(answer, `the answer to ${names}()`);
    this.#waiting.delete(id);
    if (error !== undefined) throw Object.assign(new Error(error), { responses });
    return value;
  }

  /** Ends it as an operator does; resolves when its process has ended. */
  async end() {
    this.#process.end();
    await within(this.#process.ended, "the end of a node", 30_000);
  }

  async kill(signal = "SIGKILL") {
    this.#process.kill(signal);
    await within(this.#process.ended, "the end of a node");
  }
}

/** What a scenario works with: nodes, and clients by name. */
class ClusterStage extends Stage {
  constructor(nodes, adapter, service, options) {
    super();
    this.implementations = nodes;
    this.adapter = adapter;
    this.service = service;
    this.options = options;
    this.clients = {};
    this.count = 0;
  }

  async open() {
    const { inCluster } = ADAPTERS[this.adapter];
    const url = this.service?.url ?? "";
    const list = this.implementations.map(({ path: file }) => [
      file,
      this.adapter,
      url,
      JSON.stringify(this.options),
    ]);
    const processes = inCluster ? workerNodes(list, this.options.sticky) : list.map(processNode);
    this.nodes = processes.map((process) => new Node(process));
    this.defer(() => Promise.all(this.nodes.map((node) => node.end())));
    await Promise.all(this.nodes.map((node) => node.ready()));
    await Promise.all(this.nodes.map((node) => this.meet(node, this.nodes.length)));
  }

  /** Waits until a node knows of so many, itself included. */
  async meet(node, count) {
    for (const nsp of ["/", "/other"])
      await within(
        (async () => {
          while ((await node.of(nsp).adapter.serverCount()) !== count);
        })(),
        `${count} nodes in ${nsp}`,
      );
  }

  /** A client of a node, which has joined its rooms; what it gets of "event" is traced under its name. */
  async client(name, node, { nsp = "/", rooms = [], transports = ["websocket"], ...more } = {}) {
    const client = connect(`http://127.0.0.1:${node.port}${nsp}`, {
      forceNew: true,
      reconnection: false,
      transports,
      auth: { name, rooms },
      ...more,
    });
    this.clients[name] = client;
    this.defer(() => client.disconnect());
    client.got = 0;
    client.on("event", (...args) => {
      client.got++;
      this.trace(name, "event", ...args.map((arg) => (OFFSET.test(arg) ? "<offset>" : arg)));
    });
    client.on("ask", (...args) => args.pop()(name));
    client.on("ask some", (...args) => name.startsWith("a") && args.pop()(name));
    client.on("disconnect", (reason) => this.trace(name, "disconnect", reason));
    await until(client, "connect");
    for (const room of rooms) await this.reach(client, (from) => from.to(room), nsp);
    return client;
  }

  /** Waits until broadcasts of all nodes by `operator` reach a client: subscriptions take their time. */
  async reach(client, operator = (from) => from, nsp = "/") {
    for (const node of this.nodes) {
      const mark = `reach ${++this.count}`;
      let reached = false;
      client.once(mark, () => (reached = true));
      const ask = async () => {
        while (!reached) await operator(node.of(nsp)).emit(mark);
      };
      await within(ask(), "a broadcast to reach its client");
      client.off(mark);
    }
  }

  /** Waits until a client's node has taken it out of a room, as another has asked: not each adapter keeps the order of calls. */
  async left(client, node, room) {
    const isIn = async () => {
      const members = await node.of("/").local.in(room).fetchSockets();
      return members.some(({ id }) => id === client.id);
    };
    const ask = async () => {
      while (await isIn());
    };
    await within(ask(), `a client to leave ${room}`);
  }

  /** Makes a call, which begins when it is awaited, and waits until it has reached those clients, and nobody else. */
  async tell(node, call, names) {
    const reached = this.expect(names);
    await call;
    await reached(node);
  }

  /**
   * From now on each of those clients gets one "event" more (named twice: two), and nobody else: what this returns waits for
   * that, and then until whatever follows it from that node has come to all.
   */
  expect(names) {
    const expected = {};
    for (const [name, client] of Object.entries(this.clients))
      expected[name] = client.got + names.filter((one) => one === name).length;
    return async (node) => {
      await this.got(expected);
      const mark = `mark ${++this.count}`;
      const all = Object.values(this.clients).filter(({ connected }) => connected);
      const marked = all.map((client) => until(client, mark));
      for (const nsp of ["/", "/other"]) await node.of(nsp).emit(mark);
      await Promise.all(marked);
      await this.got(expected);
    };
  }

  async got(expected) {
    const missing = () =>
      Object.entries(expected).filter(([name, count]) => this.clients[name].got < count);
    await eventually(() => missing().length === 0, "events to come").catch((error) => {
      throw new Error(`${error.message}: for ${missing().map(([name]) => name)}`);
    });
    const counts = Object.entries(expected).map(([name]) => [name, this.clients[name].got]);
    assert.deepEqual(Object.fromEntries(counts), expected);
  }

  /** The name of each client in a list of sockets, with what the server knows of it; sorted. */
  known(sockets) {
    return sockets
      .map(({ id, rooms, data }) => [data.name, rooms.filter((room) => room !== id)])
      .sort();
  }
}

/** Nodes of each kind: of npm's, of ours, of both. */
function sides(count) {
  const list = selected().map((implementation) => ({
    name: implementation.name,
    nodes: new Array(count).fill(implementation),
  }));
  const both = [ours, oracle];
  if (list.length === both.length)
    list.push({
      name: "both",
      nodes: Array.from({ length: count }, (_, index) => both[index % both.length]),
    });
  return list;
}

/**
 * Registers a scenario for each adapter that `of` wants: a test on each side, and the comparison of their traces.
 *
 * @param {string} name
 * @param {{ of?: (adapter: object) => boolean, variants?: boolean, nodes?: number, options?: object }} settings `variants`: with
 *   those, too
 * @param {(stage: ClusterStage) => Promise<void>} run
 */
function clusterScenario(name, settings, run) {
  const { of = () => true, variants = false, nodes = 3, options = {} } = settings;
  const wanted = (one) => of(one) && (variants || !one.variant);
  for (const [adapter, traits] of Object.entries(ADAPTERS).filter(([, one]) => wanted(one))) {
    const all = sides(nodes);
    compare(
      `${adapter}: ${name}`,
      all,
      async (side) => {
        // each on a service of its own: nothing of one side is left for the next
        const service = await SERVICES[traits.needs]?.();
        try {
          return await new ClusterStage(side.nodes, adapter, service, options).perform(run);
        } finally {
          await service?.stop();
        }
      },
      all.find((side) => side.name === oracle.name),
      LIMIT,
    );
  }
}

module.exports = { clusterScenario };
