"use strict";

/**
 * An application that has been bundled or pruned: the package `socket.io-client` is not there, or the addon. What else is in
 * `native/` is plain JavaScript, which a bundle has.
 */

const Module = require("node:module");

const missing = process.argv[3] === "addon" ? /^\.\.\/\.\.\/native$/ : /^socket\.io-client/;
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (!missing.test(request)) return resolve.call(this, request, ...rest);
  throw Object.assign(new Error(`Cannot find module '${request}'`), { code: "MODULE_NOT_FOUND" });
};
const { Server } = require(process.argv[2]);
const make = () => {
  try {
    return new Server(0);
  } catch (error) {
    process.send(error.message);
    process.disconnect();
    process.exit();
  }
};
const io = make();
io.on("connection", (socket) => socket.on("ask", (answer) => answer("alive")));
process.send(io.httpServer.address().port);
process.once("message", async () => {
  await io.close();
  process.disconnect();
});
