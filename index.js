"use strict";

const { fallback } = require("./lib/base/fallback");

const io = fallback("index") ?? ours();

/** The package as it is where the addon can be loaded. */
function ours() {
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

  // not enumerable: Socket.IO 4 has no such exports
  Object.defineProperty(createServer, "listen", { value: createServer });
  Object.defineProperty(createServer, "implementation", { value: "ferrosocket" });
  return Object.assign(createServer, { Server, Namespace, Socket });
}

module.exports = io;
// By name once more, so that ES modules find the names.
module.exports.Server = io.Server;
module.exports.Namespace = io.Namespace;
module.exports.Socket = io.Socket;
