"use strict";

// Who is measured. The first one is what the others are compared with.
//
// A peer: `name` (for --peer), `title`, `command` (program and arguments of a server that prints
// "listening PORT"), `versions()` (what goes into the results), and if it is so: `setUp()` (makes what is
// missing, or throws), `lacks` (features that it does not have, see cases.js), `quick` (measured under
// --quick), `adapter` (the module that makes its adapter in the cases of a cluster; without one it is not measured in them), `adapterOptions` (of ours),
// `clustered` (it is measured in no other), `native` (it has no JavaScript thread), `floor` (it does nothing but echo, and is measured in the cases that
// say so).

const fs = require("node:fs");
const path = require("node:path");

const setup = require("./lib/setup.js");

const root = path.join(__dirname, "..");
const servers = path.join(__dirname, "servers");
const ours = path.join(root, "node_modules");
const theirs = path.join(setup.installed, "node_modules");

/** What V8 needs to be told for the garbage to be collected when the generator asks. */
const NODE = [process.execPath, "--expose-gc"];

/** The version of an installed package. */
function version(directory, name) {
  const manifest = path.join(directory, name, "package.json");
  return `${name} ${JSON.parse(fs.readFileSync(manifest, "utf8")).version}`;
}

/** Throws when a package is not installed. */
function need(directory, ...names) {
  for (const name of names) {
    if (!fs.existsSync(path.join(directory, name))) throw new Error(`${name} is not installed`);
  }
}

/** The version of a crate in a lock file. */
function crateVersion(directory, name) {
  const lock = fs.readFileSync(path.join(directory, "Cargo.lock"), "utf8");
  return `${name} ${new RegExp(`name = "${name}"\nversion = "(.+)"`).exec(lock)?.[1]}`;
}

/** The adapter that most clusters have. */
const OFFICIAL = "@socket.io/redis-adapter";

/** @typedef {"deflate" | "recovery"} Feature */
/**
 * @typedef {{ name: string, title: string, command: string[], versions: () => string,
 *   setUp?: () => void, lacks?: Feature[], quick?: boolean, adapter?: string, adapterOptions?: object, clustered?: boolean, native?: boolean,
 *   floor?: boolean }} Peer
 */

/** @type {Peer[]} */
const peers = [
  {
    name: "socket.io",
    title: "socket.io + ws",
    quick: true,
    adapter: OFFICIAL,
    setUp: () => need(ours, "socket.io", "ws"),
    command: [
      ...NODE,
      path.join(servers, "socketio.js"),
      path.join(ours, "socket.io"),
      path.join(ours, "ws"),
    ],
    versions: () => `${version(ours, "socket.io")}, ${version(ours, "ws")}`,
  },
  {
    name: "uwebsockets",
    title: "socket.io + µWebSockets.js",
    setUp: () => need(ours, "socket.io", "uwebsockets"),
    command: [
      ...NODE,
      path.join(servers, "uwebsockets.js"),
      path.join(ours, "socket.io"),
      path.join(ours, "uwebsockets"),
    ],
    versions: () =>
      `${version(ours, "socket.io")}, ${version(ours, "uwebsockets")} (µWebSockets.js)`,
  },
  {
    name: "bun",
    title: "socket.io on Bun",
    lacks: ["deflate"],
    setUp: () => setup.packages(),
    command: [
      path.join(theirs, ".bin", "bun"),
      path.join(servers, "bun.js"),
      path.join(theirs, "socket.io"),
      path.join(theirs, "@socket.io", "bun-engine"),
    ],
    versions: () =>
      ["bun", "@socket.io/bun-engine", "socket.io"].map((name) => version(theirs, name)).join(", "),
  },
  {
    name: "socketioxide",
    title: "socketioxide (Rust)",
    lacks: ["deflate", "recovery"],
    native: true,
    setUp: () => setup.cargo(path.join(servers, "socketioxide"), "the server on socketioxide"),
    command: [setup.program("socketioxide-server")],
    versions: () => {
      const directory = path.join(servers, "socketioxide");
      return ["socketioxide", "axum", "tokio"]
        .map((name) => crateVersion(directory, name))
        .join(", ");
    },
  },
  {
    name: "ferrosocket",
    title: "ferrosocket",
    quick: true,
    adapter: "ferrosocket/redis",
    command: [...NODE, path.join(servers, "socketio.js"), root],
    versions: () => `ferrosocket ${require(path.join(root, "package.json")).version}`,
  },
  {
    name: "epoll",
    title: "bare epoll loop (Rust)",
    floor: true,
    native: true,
    setUp: () => setup.cargo(path.join(servers, "epoll"), "the bare epoll loop"),
    command: [setup.program("epoll-server")],
    versions: () => `bare epoll loop, ${crateVersion(path.join(servers, "epoll"), "mio")}`,
  },
  {
    name: "ferrosocket-official",
    title: "ferrosocket, official adapter",
    adapter: OFFICIAL,
    clustered: true,
    setUp: () => need(ours, OFFICIAL, "redis"),
    command: [...NODE, path.join(servers, "socketio.js"), root],
    versions: () => [OFFICIAL, "redis"].map((name) => version(ours, name)).join(", "),
  },
  {
    name: "ferrosocket-dynamic",
    title: "ferrosocket, a channel a room",
    adapter: "ferrosocket/redis",
    adapterOptions: { subscriptionMode: "dynamic" },
    clustered: true,
    command: [...NODE, path.join(servers, "socketio.js"), root],
    versions: () => `subscriptionMode "dynamic"`,
  },
];

module.exports = { peers };
