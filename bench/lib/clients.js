"use strict";

// Clients of the real library, for what depends on how they behave.

const { io: connect } = require("socket.io-client");

/** Connects at once, so that the server has its clients soon and its queue of connections does not overflow. */
const AT_ONCE = 25;
const CONNECT_LIMIT = 30_000; // ms

/** One client that is about to connect; it does not come back by itself. */
function dial(port, transport = "websocket", options = {}) {
  return connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    transports: [transport],
    timeout: CONNECT_LIMIT,
    ...options,
  });
}

/** One client that has joined. */
async function open(port, transport, options) {
  const client = dial(port, transport, options);
  await new Promise((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  return client;
}

/** Many of them. */
async function openMany(count, port, transport, options) {
  const clients = [];
  while (clients.length < count) {
    const some = Math.min(AT_ONCE, count - clients.length);
    const opening = Array.from({ length: some }, () => open(port, transport, options));
    clients.push(...(await Promise.all(opening)));
  }
  return clients;
}

module.exports = { dial, open, openMany };
