"use strict";

const POSIX = process.platform !== "win32" && process.versions.bun === undefined;

/**
 * @param {any} socket
 * @returns {number} the descriptor of a plain TCP connection that a worker can take over, or -1
 */
function descriptorOf(socket) {
  const handle = socket._handle;
  if (!POSIX || !handle || socket.encrypted || handle.constructor.name !== "TCP") return -1;
  if (socket.writableLength > 0) return -1; // what Node still has to write would be lost
  return typeof handle.fd === "number" ? handle.fd : -1;
}

module.exports = { POSIX, descriptorOf };
