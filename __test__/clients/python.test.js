"use strict";

/** The Python client, as it is now and as it was when it spoke Engine.IO protocol 3. */

const path = require("node:path");
const { ensurePythonClient } = require("../../scripts/lib/python");
const { eventually } = require("../support/waiting");
const { conversation } = require("./support/conversation");

const PROGRAM = path.join(__dirname, "python", "client.py");

/** Without a "close" packet of Engine.IO: that one the library takes for an answer, and does not come back. */
async function interrupt(stage, socket) {
  if (stage.mode !== "polling") return socket.conn.close();
  await eventually(() => socket.conn.transport.writable, "a poll that waits");
  stage.httpServer.closeAllConnections();
}

for (const [protocol, version] of [
  [3, "4.6.1"],
  [4, "5.18.1"],
]) {
  conversation({
    name: `python-socketio ${version}`,
    protocol,
    // -u: nothing waits in a buffer of Python's
    command: async () => [await ensurePythonClient(protocol), "-u", PROGRAM],
    transports: { polling: ["polling"], websocket: ["websocket"], upgrade: null },
    answers: true,
    readsBytes: () => true,
    nests: true,
    // Its writing thread may end before it has written what is left.
    saysGoodbye: (mode) => mode !== "polling",
    multiplexes: true,
    interrupt,
  });
}
