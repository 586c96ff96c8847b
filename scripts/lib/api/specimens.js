"use strict";

// One object of each class of ours, made without a connection and without the addon.

const http = require("node:http");
const { fromRoot } = require("../paths");

const ours = (name) => require(fromRoot("lib", name));

/** Takes every operation and does nothing. */
const OPERATIONS = new Proxy({}, { get: () => () => {} });

/**
 * @param {string} [entry] of ours
 * @returns {Record<string, any>} by the names in pairs.js
 */
function specimens(entry = "index.js") {
  const { Conn } = ours("engine");
  const { RemoteSocket } = ours("api/operator");

  const server = require(fromRoot(entry))(http.createServer());
  const { engine } = server;
  const request = { headers: {}, url: "/", _query: {}, connection: {} };
  const conn = new Conn(
    engine,
    { operations: OPERATIONS, watchers: 0 },
    0,
    "sid",
    { transport: "polling", protocol: 4 },
    { remoteAddress: "::1", rebuild: () => request },
    "polling",
  );
  const client = new server._parts.Client(server, conn);
  const namespace = server.of("/specimen");
  return {
    server,
    engine,
    conn,
    client,
    namespace,
    transport: conn.transport,
    adapter: namespace.adapter,
    parentNamespace: server.of(/specimens/),
    socket: new server._parts.Socket(namespace, client, {}),
    operator: namespace._operator(),
    remoteSocket: new RemoteSocket(namespace.adapter, { id: "id", rooms: [], data: {} }),
  };
}

/**
 * @param {string} implementation what to require
 * @returns {any} the options of a server that was given none, as it has filled them in
 */
function defaults(implementation) {
  const { Server } = require(implementation);
  const io = new Server(http.createServer(), {});
  const engine = io.engine.opts;
  return { ...io.opts, ...engine, path: io.path(), connectTimeout: io.connectTimeout() };
}

module.exports = { defaults, specimens };
