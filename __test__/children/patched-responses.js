"use strict";

/**
 * A program that replaces a method of all responses before it loads the server; it listens until it is killed.
 */

const http = require("node:http");

const { prototype } = http.ServerResponse;
const { writeHead } = prototype;
prototype.writeHead = function (...args) {
  this.setHeader("X-Patched", "yes");
  return Reflect.apply(writeHead, this, args);
};
const { Server } = require(process.argv[2]);
const httpServer = http.createServer();
new Server(httpServer);
httpServer.listen(0, "127.0.0.1", () => {
  // a worker accepts from the next turn on
  setImmediate(() => {
    const { port } = httpServer.address();
    process.send({ port, patched: prototype.writeHead !== writeHead });
  });
});
