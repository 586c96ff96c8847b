"use strict";

/**
 * The official adapters, as their documents set them up: each entry makes one for a server, in the process of that server.
 *
 * `needs`: what has to run beside ("redis", "postgres"); `inCluster`: its nodes are the workers of one process; `recovers`:
 * sessions are stored where all nodes find them; `emitter`: it hears `@socket.io/redis-emitter`.
 *
 * `connect(url)` resolves with the adapter of the server's options. What it opens ends with the process. `ours(url)` does the same
 * for our servers, with our adapter: those are to be in one cluster with others that have the official one. `variant`: it differs
 * from the one before in which channels it has, so not each scenario is played.
 */

/** How long a node waits for the answers of others, in ms, where that is an option. */
const REQUESTS_TIMEOUT = 1_000;

/** A connected client of the package `redis`, which goes on when the server comes back. */
async function nodeRedis(path) {
  const { createClient } = require("redis");
  const client = createClient({ socket: { path, reconnectStrategy: 20 } });
  client.on("error", () => {}); // the server is gone: it tries again
  await client.connect();
  return client;
}

/** The same of the package `ioredis`. */
function ioRedis(path) {
  const { Redis } = require("ioredis");
  const client = new Redis(path, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on("error", () => {});
  return client;
}

/** Adapters that publish by one connection and subscribe by another. */
const pubSub = (open, make) => async (path) => make(await open(path), await open(path));

const classic = (pub, sub) =>
  require("@socket.io/redis-adapter").createAdapter(pub, sub, {
    requestsTimeout: REQUESTS_TIMEOUT,
  });

const sharded = (subscriptionMode) => (pub, sub) =>
  require("@socket.io/redis-adapter").createShardedAdapter(pub, sub, { subscriptionMode });

const streams = (open) => async (path) => {
  const { createAdapter } = require("@socket.io/redis-streams-adapter");
  return createAdapter(await open(path));
};

async function postgres(url) {
  const { Pool } = require("pg");
  const pool = new Pool(JSON.parse(url));
  pool.on("error", () => {});
  const { createAdapter } = require("@socket.io/postgres-adapter");
  return createAdapter(pool, { errorHandler: () => {} });
}

const redis = (options) => async (path) =>
  require("../../redis").createAdapter({
    url: `unix://${path}`,
    requestsTimeout: REQUESTS_TIMEOUT,
    maxBackoff: 50,
    ...options,
  });

const nodeCluster = async () => require("@socket.io/cluster-adapter").createAdapter();

const ADAPTERS = {
  "redis-adapter, by redis": {
    needs: "redis",
    emitter: true,
    connect: pubSub(nodeRedis, classic),
  },
  "redis-adapter, by ioredis": {
    needs: "redis",
    emitter: true,
    connect: pubSub(ioRedis, classic),
  },
  "redis-adapter sharded, by redis": {
    needs: "redis",
    connect: pubSub(nodeRedis, sharded("dynamic")),
  },
  "redis-adapter sharded, by ioredis": {
    needs: "redis",
    connect: pubSub(ioRedis, sharded("static")),
  },
  "ferrosocket/redis": {
    needs: "redis",
    emitter: true,
    connect: pubSub(nodeRedis, classic),
    ours: redis({}),
  },
  "ferrosocket/redis, a channel for each room": {
    needs: "redis",
    variant: true,
    connect: pubSub(nodeRedis, classic),
    ours: redis({ subscriptionMode: "dynamic" }),
  },
  "ferrosocket/redis, sharded": {
    needs: "redis",
    connect: pubSub(nodeRedis, sharded("dynamic")),
    ours: redis({ sharded: true }),
  },
  "ferrosocket/redis, sharded, static": {
    needs: "redis",
    variant: true,
    connect: pubSub(nodeRedis, sharded("static")),
    ours: redis({ sharded: true, subscriptionMode: "static" }),
  },
  "ferrosocket/redis, sharded, a channel for each socket": {
    needs: "redis",
    variant: true,
    connect: pubSub(nodeRedis, sharded("dynamic-private")),
    ours: redis({ sharded: true, subscriptionMode: "dynamic-private" }),
  },
  "redis-streams-adapter, by redis": {
    needs: "redis",
    recovers: true,
    connect: streams(nodeRedis),
  },
  "redis-streams-adapter, by ioredis": {
    needs: "redis",
    recovers: true,
    connect: streams(ioRedis),
  },
  "ferrosocket/redis, streams": {
    needs: "redis",
    recovers: true,
    connect: streams(nodeRedis),
    ours: redis({ streams: true }),
  },
  "postgres-adapter": { needs: "postgres", connect: postgres },
  "cluster-adapter": { inCluster: true, connect: nodeCluster },
};

module.exports = { ADAPTERS, nodeRedis };
