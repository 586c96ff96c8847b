"use strict";

/** Clients that are lost, and come back to whichever server. */

const { io: connect } = require("socket.io-client");
const { until } = require("../support/waiting");

/** A client that goes where it is told; the numbers that it gets of "number" in `numbers`. */
async function traveller(stage, server, options = {}) {
  const client = connect(`http://127.0.0.1:${server.port}`, {
    forceNew: true,
    reconnection: false,
    transports: ["websocket"],
    ...options,
  });
  stage.defer(() => client.disconnect());
  client.numbers = [];
  client.on("number", (number) => client.numbers.push(number));
  await until(client, "connect");
  return client;
}

/** Breaks its connection; resolves when `server` has noticed. */
async function lose(client, server) {
  const socket = server.io.of("/").sockets.get(client.id);
  const gone = until(socket, "disconnect");
  client.io.engine.close();
  await gone;
}

/** Has a client connect to another server. */
async function moveTo(client, server) {
  client.io.uri = `http://127.0.0.1:${server.port}`;
  client.connect();
  await until(client, "connect");
}

module.exports = { lose, moveTo, traveller };
