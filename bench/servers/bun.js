"use strict";

// The server that is measured, for Socket.IO on Bun.
//
//   bun bun.js SOCKET.IO-MODULE ENGINE-MODULE

const { announce, handle, options } = require("./handlers.js");

const [implementation, engineModule] = process.argv.slice(2);
const { Server } = require(implementation);
const { Server: Engine } = require(engineModule);

const io = new Server({ serveClient: false, ...options });
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
handle(io);

const server = globalThis.Bun.serve({ port: 0, hostname: "127.0.0.1", ...engine.handler() });
announce(server.port);
