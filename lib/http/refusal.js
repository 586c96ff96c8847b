"use strict";

const { STATUS_CODES } = require("node:http");
const { ENGINE_ERRORS, LIMIT_ANSWERS, engineMessage } = require("../base/errors");

/**
 * Answers a request that is refused.
 *
 * @param {import("node:http").ServerResponse} res
 * @param {number} code an Engine.IO error code
 * @param {any} [context]
 */
function abortRequest(res, code, context) {
  if (res.headersSent) {
    if (!res.writableEnded) res.end(); // a middleware has begun an answer of its own
    return;
  }
  const message = context?.message || engineMessage(code);
  const limited = LIMIT_ANSWERS[code];
  if (limited !== undefined) res.setHeader("Retry-After", context.retryAfter);
  res.writeHead(limited?.status ?? (code === ENGINE_ERRORS.FORBIDDEN ? 403 : 400), {
    "Content-Type": "application/json",
  });
  res.end(JSON.stringify({ code, message }));
}

/**
 * Answers an upgrade request that is refused, and closes its connection.
 *
 * @param {import("node:stream").Duplex} socket
 * @param {number} code an Engine.IO error code
 * @param {any} [context]
 */
function abortUpgrade(socket, code, context) {
  const message = String(context?.message || engineMessage(code));
  const limited = LIMIT_ANSWERS[code];
  const lines = limited === undefined ? "" : `Retry-After: ${context.retryAfter}\r\n`;
  abortHandshake(socket, limited?.status ?? 400, message, lines, "Content-type");
}

/**
 * @param {import("node:stream").Duplex} socket
 * @param {number} status
 * @param {string} message the body
 * @param {string} lines further headers, each with its line end
 * @param {string} [typeHeader] its spelling: the Engine.IO answer and that of the WebSocket handshake differ
 */
function abortHandshake(socket, status, message, lines, typeHeader = "Content-Type") {
  socket.on("error", noop); // the peer may have gone
  if (socket.writable) {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${typeHeader}: text/html\r\n`;
    head += `Content-Length: ${Buffer.byteLength(message)}\r\n`;
    head += lines;
    socket.once("finish", () => socket.destroy());
    socket.end(`${head}\r\n${message}`);
  } else {
    socket.destroy();
  }
}

function noop() {}

module.exports = { abortHandshake, abortRequest, abortUpgrade };
