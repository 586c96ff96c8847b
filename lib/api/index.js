"use strict";

// Socket.IO as programs see it: the server, its namespaces and sockets, the adapters and operators.
//
//     server.js              Server
//       client-files.js      the bundles of the client that it serves
//       attach-app.js        what differs on uWebSockets.js
//       old-settings.js      `io.set()`, as in 2.x
//       origins.js           `io.origins()`, as in 2.x
//       metrics.js           `io.metrics()`; as text: metrics-text.js, by the HTTP server: metrics-route.js
//         metrics-table.js   which there are
//       health.js            `io.health()`
//       drain.js             `io.drain()`; at a signal: shutdown.js
//       hand-over.js         `io.handOver()`
//       take-over.js         the option `takeOver`
//         handover-channel.js  the same as the addon tells of it, on either side
//         handover-states.js   what is said of clients
//     namespace.js           Namespace
//       parent-namespace.js  those that are made on demand
//       middlewares.js       how middlewares are run, of namespaces and of sockets
//       namespace-counts.js  what is counted of it
//     client.js              Client: a session, with a socket for each namespace
//     socket.js              Socket
//       socket-state.js      what is kept of it while its client is away
//       acks.js              answers that it waits for, and those that it owes
//       handshake.js         `socket.handshake`
//     operator.js            BroadcastOperator: whom an event goes to
//       chain.js             `to()`, `volatile` and so on, where they begin
//     adapter.js             NativeAdapter: the rooms, and their mirror in Rust
//     recovery-adapter.js    the same with connection state recovery
//       restored-session.js  what a socket comes back with
//       offset-marks.js      where clients stand whose offset is none of ours
//       room-numbers.js      numbers for rooms, as the log has them
//
// Public are the members that docs/API.md names. What is exported here besides classes is for the entry for 2.x (v2/).

const { NativeAdapter, flagsOf } = require("./adapter");
const { addMethods } = require("./chain");
const { Client } = require("./client");
const { Namespace } = require("./namespace");
const { createChild } = require("./parent-namespace");
const { RECOVERY_DEFAULTS, supersede } = require("./recovery-adapter");
const { decode, RestoredSession, takeReturning } = require("./restored-session");
const { Server, serverAndOptions } = require("./server");
const { Socket } = require("./socket");

module.exports = {
  addMethods,
  Client,
  createChild,
  decode,
  flagsOf,
  Namespace,
  NativeAdapter,
  RECOVERY_DEFAULTS,
  RestoredSession,
  Server,
  serverAndOptions,
  Socket,
  supersede,
  takeReturning,
};
