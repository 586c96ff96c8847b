"use strict";

/** A server in a process that may open few descriptors; it prints its port. */

const http = require("node:http");
const { Server } = require(process.argv[2]);

const httpServer = http.createServer();
new Server(httpServer);
httpServer.listen(0, "127.0.0.1", () =>
  setImmediate(() => setImmediate(() => console.log(httpServer.address().port))),
);
