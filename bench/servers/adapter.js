"use strict";

// The adapter of a server in a cluster: `BENCH_REDIS` is the port of Redis, `BENCH_ADAPTER` the module that makes the adapter,
// `BENCH_ADAPTER_OPTIONS` what ours is told.

const { createRequire } = require("node:module");
const path = require("node:path");

/** The official one, as its documentation sets it up. */
async function official(name, url) {
  const { createClient } = require("redis");
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return require(name).createAdapter(publisher, subscriber);
}

/**
 * @param {string} implementation the server's module
 * @returns {Promise<unknown>} for the option `adapter`; undefined without a cluster
 */
async function adapterFor(implementation) {
  const { BENCH_REDIS: port, BENCH_ADAPTER: name, BENCH_ADAPTER_OPTIONS: options } = process.env;
  if (!port) return undefined;
  const url = `redis://127.0.0.1:${port}`;
  if (name === "@socket.io/redis-adapter") return official(name, url);
  const ours = createRequire(path.join(implementation, "package.json"));
  return ours("./redis").createAdapter(url, JSON.parse(options ?? "{}"));
}

module.exports = { adapterFor };
