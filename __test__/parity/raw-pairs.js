"use strict";

/** Raw clients that have joined "/", each with the server's socket for it. */

const { eventually, until } = require("../support/waiting");

const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const POLLING = "/socket.io/?EIO=4&transport=polling";

/** @returns `{ raw, socket }`: a raw WebSocket and the server's side of it */
async function webSocketPair({ io, webSocket }, options) {
  const connection = until(io, "connection");
  const raw = await webSocket(WEBSOCKET, options);
  await raw.next();
  await raw.join();
  const [socket] = await connection;
  return { raw, socket };
}

/** @returns `{ session, socket }`: a raw polling session and the server's side of it */
async function pollingPair({ io, polling }) {
  const connection = until(io, "connection");
  const session = await polling();
  await session.join();
  const [socket] = await connection;
  return { session, socket };
}

/** Parks a GET and waits until the server has it. */
async function park(session, { conn }, options) {
  const parked = session.startGet(options);
  await eventually(() => conn.transport.writable, "a parked GET");
  return parked;
}

/** Traces every closing event of a socket and its connection, and waits for the last of them. */
function watch({ trace }, socket) {
  socket.on("disconnecting", (reason) =>
    trace("server", "disconnecting", reason, socket.connected, socket.rooms.size),
  );
  socket.on("disconnect", (reason) =>
    trace("server", "disconnect", reason, socket.connected, socket.rooms.size),
  );
  const closed = until(socket.conn, "close").then(([reason]) => reason);
  const disconnect = until(socket, "disconnect").then(([reason]) => reason);
  closed.catch(() => {});
  disconnect.catch(() => {});
  return { closed, disconnect };
}

/** Collects what `connection_error` tells from now on. */
function refusals({ engine }) {
  const seen = [];
  engine.on("connection_error", ({ req, code, message, context }) =>
    seen.push({ url: typeof req.url, code, message, context }),
  );
  return seen;
}

/** The context of a "connection_error" without the error of a middleware, which only ours tells (see differs-api). */
function sharedContext(context) {
  if (context?.name !== "MIDDLEWARE_FAILURE") return context;
  const shared = { ...context };
  delete shared.error;
  return shared;
}

module.exports = {
  POLLING,
  WEBSOCKET,
  park,
  pollingPair,
  refusals,
  sharedContext,
  watch,
  webSocketPair,
};
