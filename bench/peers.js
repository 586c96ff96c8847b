"use strict";

// Who is measured. The first one is what the others are compared with.
//
// A peer: `name`, `title`, `command` (program and arguments of a server that prints "listening PORT"),
// `env` (optional), `versions()` (what goes into the results).

const path = require("node:path");

const root = path.join(__dirname, "..");
const server = path.join(__dirname, "servers", "socketio.js");

/** The version of an installed package. */
function version(name) {
  return require(path.join(root, "node_modules", name, "package.json")).version;
}

/** @typedef {{ name: string, title: string, command: string[], env?: object, versions: () => string }} Peer */

/** @type {Peer[]} */
const peers = [
  {
    name: "socket.io",
    title: "socket.io + ws",
    command: [process.execPath, server, require.resolve("socket.io"), require.resolve("ws")],
    versions: () => `socket.io ${version("socket.io")}, ws ${version("ws")}`,
  },
  {
    name: "ferrosocket",
    title: "ferrosocket",
    command: [process.execPath, server, root],
    versions: () => `ferrosocket ${require(path.join(root, "package.json")).version}`,
  },
];

module.exports = { peers };
