"use strict";

const http = require("node:http");
const { Engine } = require("./engine");

/**
 * Attaches an engine of its own to an HTTP server.
 *
 * @param {http.Server} server
 * @param {any} [options] those of the engine and of `attach()`
 * @returns {Engine}
 */
function attach(server, options) {
  const engine = new Engine(options);
  engine.attach(server, options);
  return engine;
}

/**
 * Makes an HTTP server that has nothing but an engine, and listens.
 *
 * @param {number} port
 * @param {any} [options] those of the engine and of `attach()`; may be left out
 * @param {() => void} [onlistening]
 * @returns {Engine}
 */
function listen(port, options, onlistening) {
  if (typeof options === "function") {
    onlistening = options;
    options = {};
  }
  const server = http.createServer((_req, res) => {
    res.writeHead(501);
    res.end("Not Implemented");
  });
  const engine = attach(server, options);
  server.listen(port, onlistening);
  return engine;
}

module.exports = { attach, listen };
