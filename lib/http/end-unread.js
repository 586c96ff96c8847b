"use strict";

const loop = require("../base/loop");

/**
 * Ends a connection that nobody reads from any more. What its peer still sends is read and dropped: left unread, it would hide
 * the end of the connection, and the socket would stay for ever. So it would with a peer that never ends the connection: it is
 * given a time.
 *
 * @param {import("node:stream").Duplex} socket
 * @param {number} patience ms that the peer may take to read what is left for it and to end the connection
 * @param {Buffer} [last] bytes to send before the end
 */
function endUnread(socket, patience, last) {
  if (socket.destroyed) return;
  const timer = loop.setTimeout(() => socket.destroy(), patience).unref();
  socket.once("close", () => loop.clearTimeout(timer));
  socket.end(last);
  socket.resume();
}

module.exports = { endUnread };
