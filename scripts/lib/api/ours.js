"use strict";

// What programs can see here and not in upstream: names, and what they mean.

/** @type {readonly [name: string, what: string][]} */
const OURS = Object.freeze([
  ["option workers", "Worker threads of the process."],
  ["option connectionStateRecovery.maxStoredBytes", "Bytes that a namespace keeps to send again."],
  [
    "option maxBufferedBytes",
    "Bytes that may wait for one client that does not read. Off by default.",
  ],
  [
    'option bufferPolicy "disconnect"',
    "Beyond them the session is closed and what waits is dropped (the default).",
  ],
  [
    'option bufferPolicy "dropVolatile"',
    "Volatile packets wait up to so many bytes and are dropped beyond; nobody is disconnected.",
  ],
  [
    "option metrics",
    "Serves `io.metrics()` by the HTTP server, for Prometheus. Off by default; [metrics.md](metrics.md).",
  ],
  [
    "option trustProxy",
    "Which proxies are believed when they say where a request comes from. Off by default; [proxies.md](proxies.md).",
  ],
  [
    "option proxyProtocol",
    "Connections begin with the header of the PROXY protocol. Off by default; [proxies.md](proxies.md#proxyprotocol).",
  ],
  [
    "option admission",
    "When there is so much to do that nobody else is let in. Off by default; [limits.md](limits.md#admission).",
  ],
  ["io.metrics()", "What has been counted, as an object or as OpenMetrics text."],
  [
    "io.drain()",
    "Lets clients go spread over a time, then closes; [operating.md](operating.md#draining).",
  ],
  ["option shutdown", "At which signals that is done. Off by default."],
  [
    "io.handOver()",
    "Hands the clients over to another process while they are connected; [operating.md](operating.md#restarting-without-a-reconnect).",
  ],
  ["option takeOver", "The path by which another process hands its clients over. Off by default."],
  ["io.takenOver", "A promise: what has come of that."],
  ["io.health()", "Whether the server is to be sent clients, and why not."],
  ["socket.conn.door", '"takeover", "bridge" or "polling": how a connection reached its worker.'],
  [
    "socket.conn.doorReason",
    "Why Node.js had to do with the connection; `undefined`: it went straight to its worker.",
  ],
  ["socket.conn.bufferedAmount", "Bytes that wait for the client because it does not read."],
  [
    'reason "buffer overflow"',
    "Of `close` on `socket.conn`, and of `disconnecting` and `disconnect` on a socket: more than `maxBufferedBytes` waited. The client sees its transport end and may come back; its state can be recovered.",
  ],
]);

module.exports = { OURS };
