"use strict";

/**
 * An application that has been bundled or pruned: the package `socket.io-client` is not there.
 */

const Module = require("node:module");

const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (!request.startsWith("socket.io-client")) return resolve.call(this, request, ...rest);
  throw Object.assign(new Error(`Cannot find module '${request}'`), { code: "MODULE_NOT_FOUND" });
};
const { Server } = require(process.argv[2]);
const io = new Server(0);
io.on("connection", (socket) => socket.on("ask", (answer) => answer("alive")));
process.send(io.httpServer.address().port);
process.once("message", async () => {
  await io.close();
  process.disconnect();
});
