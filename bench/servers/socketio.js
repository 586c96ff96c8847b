"use strict";

// The server that is measured, for any implementation with the API of Socket.IO, on Node's HTTP server.
//
//   node socketio.js MODULE [wsEngine module]

const { createServer } = require("node:http");

const { adapterFor } = require("./adapter.js");
const { announce, handle, options } = require("./handlers.js");

const [implementation, wsEngine] = process.argv.slice(2);
const { Server } = require(implementation);

async function main() {
  const adapter = await adapterFor(implementation);
  const httpServer = createServer();
  const io = new Server(httpServer, {
    serveClient: false,
    ...(wsEngine && { wsEngine: require(wsEngine).Server }),
    ...(adapter && { adapter }),
    ...options,
  });
  handle(io);
  httpServer.listen(0, "127.0.0.1", () => {
    announce(httpServer.address().port);
    // its clients are those of the next process as soon as there is one
    if (options.takeOver !== undefined)
      io.handOver(options.takeOver, { within: Infinity }).then(() => process.exit());
  });
}

main();
