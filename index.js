"use strict";

const { Namespace } = require("./lib/namespace");
const { Server } = require("./lib/server");
const { Socket } = require("./lib/socket");

/**
 * Makes a server; the same as `new Server(srv, opts)`.
 *
 * @param {any} [srv] an HTTP server or a port; or the options
 * @param {any} [opts]
 * @returns {Server}
 */
function createServer(srv, opts) {
  return new Server(srv, opts);
}

module.exports = createServer;
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
