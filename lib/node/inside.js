"use strict";

// What others see of Node's objects is what Node.js documents. What is used in this folder besides:

const http = require("node:http");

/** @typedef {import("node:http").Server & { keepAliveTimeoutBuffer?: number }} HttpServer Node.js 24 on has the latter */
/** @typedef {import("node:https").Server} TlsServer */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/** @typedef {import("node:net").Socket} Socket */
/** @typedef {import("node:stream").Duplex} Duplex */

/**
 * What requests come by: a socket of Node.js, or another stream that a program has put into an HTTP server, which may lack
 * what only sockets have.
 *
 * @typedef {Duplex & { encrypted?: boolean } & Partial<Pick<Socket, "timeout" | "setTimeout" | "setNoDelay" | "bytesRead" |
 *   "remoteAddress" | "remotePort" | "localAddress" | "localPort">>} Stream
 */

/**
 * What libuv has of a socket, or of a server.
 *
 * @typedef {object} Handle
 * @property {number} fd
 * @property {number} writeQueueSize bytes
 * @property {Accept} [onconnection] a server's only
 * @property {(out: object) => number} [getpeername] 0, or an error: there is no peer
 * @property {(done?: () => void) => void} close
 */

/** @typedef {(this: Handle, status: number, handle: Handle | undefined) => void} Accept */

/**
 * @typedef {object} ServerParts
 * @property {number} _connections
 * @property {() => void} _emitCloseIfDrained
 * @property {Handle | null} _handle null: it does not listen
 * @property {boolean} allowHalfOpen
 * @property {boolean} keepAlive
 * @property {number} keepAliveInitialDelay
 * @property {boolean} pauseOnConnect
 * @property {unknown} blockList
 * @property {unknown} [httpAllowHalfOpen]
 * @property {number} [maxHeaderSize]
 * @property {unknown} shouldUpgradeCallback
 *
 * @typedef {HttpServer & ServerParts & Record<symbol, unknown>} ServerInside
 */

/**
 * @typedef {object} SocketParts
 * @property {Handle | null} _handle
 * @property {unknown} _peername
 * @property {unknown} _sockname
 * @property {ServerInside} [_server] the one that counts it
 * @property {HttpServer} [server] the one that reads its requests
 * @property {Response | null} [_httpMessage]
 * @property {Parser | null} [parser]
 *
 * @typedef {Socket & SocketParts} SocketInside
 */

/**
 * @typedef {object} RequestParts
 * @property {(lines: string[], length: number) => void} _addHeaderLines
 * @property {(name: string, value: string, headers: import("node:http").IncomingHttpHeaders) => void} _addHeaderLine
 * @property {Socket} client the older name of `socket`
 * @property {boolean} upgrade
 *
 * @typedef {Request & RequestParts} RequestInside
 */

/**
 * @typedef {Record<number, (() => void) | null> & ParserParts} Parser what reads the requests of a connection
 *
 * @typedef {object} ParserParts
 * @property {Request | null} incoming
 * @property {ParserClass} constructor
 * @property {() => void} [unconsume]
 * @property {() => void} [remove]
 * @property {(kind: number, owner: object) => void} initialize
 * @property {(bytes: Buffer) => unknown} execute
 * @property {() => void} close
 *
 * @typedef {{ new (): Parser, kOnMessageBegin: number, REQUEST: number }} ParserClass
 */

/** @param {object} server @returns {ServerInside} the same */
function inside(server) {
  return /** @type {ServerInside} */ (server);
}

/** @param {Stream} socket @returns {SocketInside} the same */
function insideOf(socket) {
  return /** @type {SocketInside} */ (socket);
}

/** Whether sockets have descriptors that can be duplicated. */
const HAS_DESCRIPTORS = process.platform !== "win32" && process.versions.bun === undefined;

const blank = inside(http.createServer());

function noop() {}

module.exports = { HAS_DESCRIPTORS, blank, inside, insideOf, noop };
