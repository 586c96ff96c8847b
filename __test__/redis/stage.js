"use strict";

/** A Redis of the test's own, servers of this process that are one by it, clients, and somebody who publishes what he likes. */

const { createServer } = require("node:http");
const { createClient } = require("redis");
const { io: connect } = require("socket.io-client");
const { Server } = require("../..");
const { createAdapter } = require("../../redis");
const { startRedis } = require("../support/redis");
const { until, within } = require("../support/waiting");

class RedisStage {
  #cleanups = [];

  /** Opens one; what it opens is closed when the test is over. */
  static async open(t) {
    const stage = new RedisStage();
    t.after(() => within(stage.#close(), "everything to close"));
    stage.redis = await startRedis();
    stage.defer(() => stage.redis.stop());
    stage.url = `unix://${stage.redis.path}`;
    return stage;
  }

  defer(cleanup) {
    this.#cleanups.push(cleanup);
  }

  async #close() {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }

  /** What the option `adapter` takes. */
  adapter(options = {}) {
    return createAdapter(this.url, { requestsTimeout: 1_000, maxBackoff: 50, ...options });
  }

  /** A server that listens, and hears the others. */
  async server(adapterOptions, options = {}) {
    const httpServer = createServer();
    const io = new Server(httpServer, { adapter: this.adapter(adapterOptions), ...options });
    this.defer(() => io.close());
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const { adapter } = io.of("/");
    const server = {
      io,
      httpServer,
      adapter,
      link: adapter.redis,
      port: httpServer.address().port,
    };
    await ready(server.link);
    return server;
  }

  /** A client that is connected, with the arguments of each "event" in `got`, and the `first` packet that came. */
  async client({ port }, options = {}) {
    const { nsp = "", ...more } = options;
    const client = connect(`http://127.0.0.1:${port}${nsp}`, {
      forceNew: true,
      reconnection: false,
      transports: ["websocket"],
      ...more,
    });
    this.defer(() => client.disconnect());
    client.io.engine.on("packet", ({ type, data }) => {
      if (type === "message") client.first ??= data;
    });
    client.got = [];
    client.on("event", (...args) => client.got.push(args));
    await until(client, "connect");
    return client;
  }

  /** A plain client of the Redis. */
  async publisher() {
    const client = createClient({ socket: { path: this.redis.path } });
    client.on("error", () => {});
    await client.connect();
    this.defer(() => client.destroy());
    return client;
  }

  /** Waits until `from` reaches a client by a room of it. */
  async reach(from, client, room = []) {
    let reached = false;
    client.once("reach", () => (reached = true));
    const ask = async () => {
      while (!reached) {
        from.io.to(room).emit("reach");
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await within(ask(), "a broadcast to reach its client");
  }

  /** Waits until servers know of each other. */
  async meet(...servers) {
    for (const { io } of servers) {
      const ask = async () => {
        while ((await io.of("/").adapter.serverCount()) !== servers.length);
      };
      await within(ask(), "servers to meet");
    }
  }
}

/** Waits until a connection is there. */
async function ready(link) {
  while (link.state !== "ready") await until(link, "state");
}

module.exports = { ready, RedisStage };
