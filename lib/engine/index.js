"use strict";

// The Engine.IO server and its sessions, as programs see them: `io.engine` and `socket.conn`, and the entry `engine.io.js`.
//
//     engine.js            Engine: HTTP servers that it is attached to, requests, the table of sessions
//       options.js         its options, and what the workers are told of them
//       registration.js    its place among the workers
//       session-counts.js  how many sessions it has and has had
//       requests.js        what it does with a request
//       listen.js          the same with an HTTP server made or attached to at once
//     conn.js              Conn: a session
//       request-info.js    the request that opened it
//       transport.js       its transport
//       transports.js      the kinds of them, for programs that ask of which it is
//       packet-writing.js  its packets on their way to the worker
//       probe.js           the WebSocket that asks to become its transport
//       packet-events.js   its packets, shown to those who look
//       conn-trace.js      what it tells to `DEBUG`
//
// What docs/API.md names of Engine, Conn and Transport programs may use and replace; the rest is for the other floors.

const { Conn } = require("./conn");
const { Engine } = require("./engine");
const { attach, listen } = require("./listen");
const { readmit } = require("./requests");
const { SessionCounts } = require("./session-counts");
const { Transport } = require("./transport");
const { transports } = require("./transports");

module.exports = {
  attach,
  Conn,
  Engine,
  listen,
  readmit,
  SessionCounts,
  Transport,
  transports,
};
