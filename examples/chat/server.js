"use strict";

// The chat's server: Express serves the page, Socket.IO the rest.

const http = require("node:http");
const path = require("node:path");
const express = require("express");
// The package by its own name, as an application would. CHAT_SERVER=socket.io runs the same chat on the original.
const { Server } = require(process.env.CHAT_SERVER || "ferrosocket");
const { Rooms } = require("./lib/rooms");
const { Visit } = require("./lib/visit");

/** What the page may load: only what we serve, and the images it makes of the bytes that arrive. */
const CONTENT_POLICY = [
  "default-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self' ws: wss:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * Starts the chat.
 * @param {{ port?: number, host?: string }} [options] port 0 takes a free one
 * @returns {Promise<{ port: number, io: Server, close: () => Promise<void> }>} when it listens
 */
async function startChat({ port = 3000, host } = {}) {
  const app = express();
  app.disable("x-powered-by");
  app.use((_req, res, next) => {
    res.set({ "Content-Security-Policy": CONTENT_POLICY, "X-Content-Type-Options": "nosniff" });
    next();
  });
  app.use(express.static(path.join(__dirname, "public")));

  const server = http.createServer(app);
  const io = new Server(server);
  const chat = { rooms: new Rooms(), visits: new Map() };
  io.on("connection", (socket) => {
    void new Visit(io, socket, chat);
    // Before the nickname is chosen the page already offers the rooms.
    socket.emit("rooms", chat.rooms.list());
  });

  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return { port: server.address().port, io, close: () => io.close() };
}

module.exports = { startChat };

if (require.main === module) {
  startChat({ port: Number(process.env.PORT || 3000) }).then(({ port }) => {
    console.log(`http://localhost:${port}`);
    process.send?.({ port }); // The browser tests run this file as a child and wait for the port.
  });
}
