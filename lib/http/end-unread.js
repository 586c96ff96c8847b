"use strict";

const loop = require("../base/loop");

/**
 * Ends a connection from which nobody reads any more. What its peer has sent is read and dropped: unread, it would hide the
 * end of the connection, which then was kept for ever. So it would be if the peer never ended it.
 *
 * @param {import("node:stream").Duplex} socket
 * @param {number} patience how long the peer may take to read what is left for it and to end the connection, in ms
 * @param {Buffer} [last] the last bytes for it
 */
function endUnread(socket, patience, last) {
  if (socket.destroyed) return;
  const timer = loop.setTimeout(() => socket.destroy(), patience).unref();
  socket.once("close", () => loop.clearTimeout(timer));
  socket.end(last);
  socket.resume();
}

module.exports = { endUnread };
