"use strict";

// Servers that are one by Redis: the adapter that `ferrosocket/redis` makes.
//
//     adapter.js      RedisAdapter: what is broadcast, asked and answered
//       streams-adapter.js  the same by streams, with connection state recovery
//       reasons.js    why JavaScript is shown what others broadcast, if it is
//       requests.js   the requests that wait for answers
//     link.js         Link: the connection to Redis, which is in Rust
//     messages.js     what servers say to each other
//       classic.js    how @socket.io/redis-adapter writes it
//       sharded.js    how its sharded form does
//       streams.js    how @socket.io/redis-streams-adapter does
//       msgpack.js    MessagePack, as these have it
//     options.js      what createAdapter() takes

const { RedisAdapter } = require("./adapter");
const { Namespace, RECOVERY_DEFAULTS } = require("../api");
const { getBorder } = require("../border");
const { Classic } = require("./classic");
const { unusable } = require("../base/errors");
const { Link } = require("./link");
const { readOptions } = require("./options");
const { REASONS } = require("./reasons");
const { Sharded } = require("./sharded");
const { streamOf, Streams } = require("./streams");
const { StreamsAdapter } = require("./streams-adapter");

/** @typedef {import("./adapter").Home} Home */
/** @typedef {import("./options").Options} Options */

const OTHERS =
  "it is for servers of the copy of the package that it comes with; npm's socket.io takes @socket.io/redis-adapter";

/**
 * Makes what the option `adapter` of a server takes, and `io.adapter()`. Each server gets a connection of its own, with its first
 * namespace.
 *
 * @param {string | URL | Options} [urlOrOptions] "redis://localhost:6379" if it is left out
 * @param {Options} [options] beside a URL
 * @returns {(nsp: Home) => RedisAdapter}
 */
function createAdapter(urlOrOptions, options) {
  const settings = readOptions(urlOrOptions, options);
  const { key, sharded, subscriptions, specific } = settings;
  /** @type {WeakMap<object, Link>} by server */
  const links = new WeakMap();
  // it is called with `new`
  return function adapterFor(nsp) {
    if (!(nsp instanceof Namespace))
      throw unusable("the adapter of ferrosocket/redis", "used by another server", OTHERS);
    const { server, name } = nsp;
    const border = getBorder(/** @type {{ workers?: unknown }} */ (server._opts).workers);
    let link = links.get(server);
    if (link === undefined || link.isEnding || link.state === "closed") {
      link = new Link(border, settings.link);
      links.set(server, link);
    }
    if (settings.streams !== undefined) {
      const stream = streamConfig(settings.streams, nsp);
      const dialect = new Streams({ key, nsp: name, sharded, stream });
      return new StreamsAdapter(nsp, border, link, dialect, settings);
    }
    const perRoom = subscriptions !== "static";
    const dialect = sharded
      ? new Sharded({ key, nsp: name, subscriptions })
      : new Classic({ key, nsp: name, perRoom, specific });
    return new RedisAdapter(nsp, border, link, dialect, settings);
  };
}

/**
 * @param {import("./options").StreamSettings} settings
 * @param {InstanceType<typeof Namespace>} nsp
 * @returns {import("../../native").StreamConfig}
 */
function streamConfig({ name, count, maxLen, maxAge, readCount, sessionPrefix }, nsp) {
  const { connectionStateRecovery: recovery } = nsp.server.opts;
  const kept = recovery && (recovery.maxStoredBytes ?? RECOVERY_DEFAULTS.maxStoredBytes);
  return { name: streamOf(nsp.name, name, count), maxLen, maxAge, readCount, sessionPrefix, kept };
}

module.exports = { createAdapter, REASONS, RedisAdapter };
