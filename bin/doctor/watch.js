"use strict";

// Loaded before a program (`node --require`): tells of each HTTP server that an engine is attached to, once it listens, what is
// against the fast ways.

const { Engine } = require("../../lib/engine");
const { reasonsAgainst } = require("./ways");

const { attach } = Engine.prototype;

/** @param {any} server @param {any[]} rest @this {any} */
Engine.prototype.attach = function (server, ...rest) {
  attach.call(this, server, ...rest);
  // what the program does to it in the same turn counts, too
  const tell = () => setImmediate(() => report(this, server));
  if (server.listening) tell();
  else server.once("listening", tell);
};

/** @param {any} engine @param {any} server */
function report(engine, server) {
  const { address, port } = server.address() ?? {};
  const where = port === undefined ? "a server" : `the server on ${address}, port ${port}`;
  const lines = reasonsAgainst(engine, server);
  if (lines.length === 0) console.error(`doctor: ${where}: workers accept its connections`);
  else console.error([`doctor: ${where}:`, ...lines.map((line) => `  ${line}`)].join("\n"));
}
