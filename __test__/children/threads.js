"use strict";

/** Opens and closes servers, with a client of each transport, and tells how many worker threads there are. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);
const { io: connect } = require("socket.io-client");

/** Worker threads of this process now. */
function threads() {
  return fs
    .readdirSync("/proc/self/task")
    .filter((id) =>
      fs.readFileSync(`/proc/self/task/${id}/comm`, "latin1").startsWith("ferrosocket"),
    ).length;
}

async function round() {
  const io = new Server(0);
  const { port } = io.httpServer.address();
  for (const transport of ["websocket", "polling"]) {
    const client = connect(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true });
    await new Promise((resolve) => client.on("connect", resolve));
    client.io.reconnection(false);
  }
  const during = threads();
  await io.close();
  return during;
}

(async () => {
  const seen = [threads()];
  for (let i = 0; i < 3; i++) {
    seen.push(await round());
    // the last record of a connection may be on its way when the server is closed
    while (threads() > 0) await new Promise((resolve) => setImmediate(resolve));
    seen.push(threads());
  }
  process.send(seen);
  process.disconnect();
})();
