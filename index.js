"use strict";

// By these paths, because instrumentations patch what they find there when it is first required.
require("./dist/broadcast-operator");
const { Namespace } = require("./dist/namespace");
const { Socket } = require("./dist/socket");
const { Server } = require("./lib/api");

/**
 * Makes a server; the same as `new Server(srv, opts)`.
 *
 * @param {any} [srv] an HTTP server or a port; or the options
 * @param {any} [opts]
 * @returns {InstanceType<typeof Server>}
 */
function createServer(srv, opts) {
  return new Server(srv, opts);
}

module.exports = createServer;
// not enumerable: Socket.IO 4 has no such export
Object.defineProperty(module.exports, "listen", { value: createServer });
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
