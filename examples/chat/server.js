"use strict";

// The chat's server: Express serves the page, Socket.IO the rest.

const { randomUUID } = require("node:crypto");
const http = require("node:http");
const path = require("node:path");
const express = require("express");
const { Panel } = require("./lib/panel");
const { Rooms } = require("./lib/rooms");
const { Visit } = require("./lib/visit");

// The package by its own name, as an application would. CHAT_SERVER=socket.io runs the same chat on the original.
const PACKAGE = process.env.CHAT_SERVER || "ferrosocket";
const { Server } = require(PACKAGE);
const { name, version } = require(`${PACKAGE}/package.json`);

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
 * Both sides notice within these two together that the other is gone. Short, so that nobody talks into a dead line; and
 * shorter than the block of the panel, which therefore shows who keeps up heartbeats without JavaScript.
 */
const HEARTBEAT = { pingInterval: 2_000, pingTimeout: 5_000 };

/**
 * Starts the chat.
 * @param {{ port?: number, host?: string, blocking?: boolean }} [options] port 0 takes a free one; `blocking`: pages of
 *   this machine may block the server for ten seconds. Nothing for a server that strangers reach.
 * @returns {Promise<{ port: number, io: Server, close: () => Promise<void> }>} when it listens
 */
async function startChat({ port = 3000, host, blocking = false } = {}) {
  const app = express();
  app.disable("x-powered-by");
  app.use((_req, res, next) => {
    res.set({ "Content-Security-Policy": CONTENT_POLICY, "X-Content-Type-Options": "nosniff" });
    next();
  });
  app.use(express.static(path.join(__dirname, "public")));

  const server = http.createServer(app);
  const io = new Server(server, HEARTBEAT);
  const chat = {
    /** Tells pages that come back whether this is still the server they knew. */
    run: randomUUID(),
    rooms: new Rooms(),
    visits: new Map(),
    panel: new Panel(io, { server: `${name} ${version}`, blocking }),
  };
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
  const port = Number(process.env.PORT || 3000);
  startChat({ port, blocking: process.env.CHAT_BLOCKING === "1" }).then((chat) => {
    console.log(`http://localhost:${chat.port}`);
    process.send?.({ port: chat.port }); // The browser tests run this file as a child and wait for the port.
  });
}
