"use strict";

/** Opens and closes servers, with a client of each transport, and tells how many worker threads there are. */

const fs = require("node:fs");
const { Server } = require(process.argv[2]);
const { io: connect } = require("socket.io-client");

/** The name of thread `id`: "" when it ended after it was listed (ENOENT when opened, ESRCH when read). */
function threadName(id) {
  try {
    return fs.readFileSync(`/proc/self/task/${id}/comm`, "latin1");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ESRCH") return "";
    throw error;
  }
}

/** Worker threads of this process now. */
function threads() {
  const names = fs.readdirSync("/proc/self/task").map(threadName);
  return names.filter((name) => name.startsWith("ferrosocket")).length;
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
