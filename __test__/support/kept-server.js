"use strict";

/** A server on an HTTP server of its own, and connections to it that are written to by hand; all end with the test. */

const http = require("node:http");
const { KeptConnection } = require("./kept-connection");
const { until, within } = require("./waiting");

/**
 * @param {any} t the test
 * @param {{ load(): any }} implementation
 * @param {object} [options] those of the server
 * @param {http.RequestListener} [listener] gets the requests that are not for it
 */
async function serveKept(t, implementation, options = {}, listener = undefined) {
  const { Server } = implementation.load();
  const httpServer = http.createServer(listener);
  const io = new Server(httpServer, options);
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  /** what ends first */
  const open = [];
  t.after(async () => {
    for (const connection of open) connection.destroy();
    await within(io.close(), "close");
  });
  const dial = async () => {
    const connection = await KeptConnection.open(port);
    open.push(connection);
    return connection;
  };
  return { io, httpServer, port, open, dial };
}

module.exports = { serveKept };
