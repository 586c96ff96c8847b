"use strict";

// The sockets of connections that somebody else has: those of Node.js whose descriptor is given away, and those that are made.

const net = require("node:net");
const { constants } = require("node:os");
const { decryptedDetails } = require("../base/decrypted-socket");
const { setImmediate } = require("../base/loop");
const { HAS_DESCRIPTORS, inside, insideOf, noop } = require("./inside");
const { declare, isAtLeast } = require("./parts");
const { COUNTS_CONNECTIONS, SHOWS_SETTINGS } = require("./servers");

/** @typedef {import("./inside").Handle} Handle */
/** @typedef {import("./inside").HttpServer} HttpServer */
/** @typedef {import("./inside").Parser} Parser */
/** @typedef {import("./inside").ServerInside} ServerInside */
/** @typedef {import("./inside").Socket} Socket */
/** @typedef {import("./inside").Stream} Stream */

const EPIPE = -constants.errno.EPIPE;

/** Takes the place of a socket's handle when somebody else has the connection; it has what Node's sockets use of one. */
class StandIn {
  /**
   * @param {() => void} onend called when the socket is ended or destroyed
   * @param {number} bytesRead
   * @param {number} bytesWritten
   */
  constructor(onend, bytesRead, bytesWritten) {
    /** @type {(() => void) | undefined} nothing once the connection has ended, or has been asked to */
    this.onend = onend;
    this.fd = -1;
    this.reading = false;
    this.bytesRead = bytesRead;
    this.bytesWritten = bytesWritten;
    this.writeQueueSize = 0;
  }

  end() {
    const { onend } = this;
    this.onend = undefined;
    if (onend !== undefined) onend();
  }

  /** @param {() => void} [done] makes the socket emit "close"; its "error" must come first */
  close(done) {
    this.end();
    if (done) setImmediate(done);
  }

  /** @returns {number} 1: done at once, no callback follows */
  shutdown() {
    this.end();
    return 1;
  }

  // the socket knows its addresses: see replaceHandle() and standInSocket()
  getpeername() {
    return 0;
  }

  getsockname() {
    return 0;
  }

  readStart() {
    return 0;
  }

  readStop() {
    return 0;
  }

  setNoDelay() {
    return 0;
  }

  setKeepAlive() {
    return 0;
  }

  ref() {}

  unref() {}

  hasRef() {
    return false;
  }
}

for (const kind of ["v", "Buffer", "Utf8String", "AsciiString", "Latin1String", "Ucs2String"])
  Object.assign(StandIn.prototype, { [`write${kind}`]: () => EPIPE });

const SWAPS_HANDLES = declare(
  "handle of a socket",
  "`_handle`, `_peername`, `_sockname`, `_server` of a socket; `fd`, `close()`, class name of its handle",
  "no worker takes a connection over: WebSockets are pumped through this thread, and Node.js reads all requests",
  () => {
    let closed = 0;
    const onend = () => {
      closed++;
    };
    const server = inside({ _connections: 3, _emitCloseIfDrained: noop });
    const addresses = { address: "1.2.3.4", port: 1, localAddress: "::1", localPort: 2 };
    const make = () => standInSocket(addresses, server, 100, onend);
    const [kept, silent, ended] = [make(), make(), make()];
    replaceHandle(kept, onend, 200); // closes the first
    const isRight =
      kept.remoteAddress === addresses.address &&
      kept.remoteFamily === "IPv4" &&
      kept.localPort === addresses.localPort &&
      kept.bytesWritten === 100 &&
      closed === 1;
    kept.destroy();
    closeSilently(silent);
    endStandIn(ended);
    return isRight && closed === 3 && server._connections === 1 && !silent.destroyed;
  },
);

/**
 * Closes the handle of a socket and nothing else: no event is emitted, and the connection stays counted. Only for a socket
 * that no program has.
 *
 * @param {Stream} socket one for which `descriptorOf()` has found a descriptor
 */
function closeSilently(socket) {
  const holder = insideOf(socket);
  const handle = holder._handle;
  holder._handle = null;
  holder._server = undefined; // whatever destroys it later, the connection is not uncounted for it
  handle?.close();
}

/**
 * @param {Stream} socket
 * @returns {number} the descriptor of a plain TCP connection that can be handed to somebody else, or -1
 */
function descriptorOf(socket) {
  const handle = insideOf(socket)._handle;
  const isPlain = decryptedDetails(socket) || (isTcp(handle) && !socket.encrypted);
  if (!SWAPS_HANDLES || !HAS_DESCRIPTORS || handle === null || !isPlain) return -1;
  if (socket.writableLength > 0) return -1; // what Node.js still has to write would be lost
  return typeof handle.fd === "number" ? handle.fd : -1;
}

/** @param {Handle | null | undefined} handle @returns {handle is Handle} whether it belongs to a TCP socket or server */
function isTcp(handle) {
  return handle?.constructor?.name === "TCP" && typeof handle.close === "function";
}

/**
 * Keeps a socket open whose connection somebody else has now: its own handle is closed, another takes its place.
 *
 * @param {Stream} socket
 * @param {() => void} onend called when the socket is ended or destroyed
 * @param {number} leastWritten bytes that it shall have written, if it has written none itself
 */
function replaceHandle(socket, onend, leastWritten) {
  const holder = insideOf(socket);
  const handle = holder._handle;
  // Node.js remembers them once they have been asked for
  void holder.remoteAddress;
  void holder.localAddress;
  leaveParser(holder.parser);
  holder._handle = new StandIn(onend, holder.bytesRead, holder.bytesWritten || leastWritten);
  handle?.close();
}

/**
 * Makes a socket for a connection that somebody else has, or has had. The server counts the connection; when the socket is
 * closed, it no longer does.
 *
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses either may be empty
 * @param {HttpServer | undefined} server the HTTP server that it came to
 * @param {number} [bytesWritten]
 * @param {() => void} [onend] called when the socket is ended or destroyed; none: the connection has ended already
 * @returns {Socket}
 */
function standInSocket({ address, port, localAddress, localPort }, server, bytesWritten, onend) {
  const handle = onend && new StandIn(onend, 0, bytesWritten ?? 0);
  const options = { handle, allowHalfOpen: true }; // `handle` is no option that is documented
  const socket = insideOf(new net.Socket(options));
  if (address !== "") socket._peername = addressOf(address, port);
  socket.server = server;
  if (handle === undefined) return socket.destroy();
  if (localAddress !== "") socket._sockname = addressOf(localAddress, localPort);
  socket._server = /** @type {ServerInside | undefined} */ (server); // uncounts the connection when the socket is closed
  return socket;
}

/**
 * @param {Stream} socket
 * @returns {boolean} whether it still has the connection that it was made for
 */
function hasConnection(socket) {
  const handle = insideOf(socket)._handle;
  return !!handle && !(handle instanceof StandIn);
}

/**
 * Ends such a socket, because its connection has ended.
 *
 * @param {Stream} socket
 */
function endStandIn(socket) {
  const handle = insideOf(socket)._handle;
  if (handle instanceof StandIn) handle.onend = undefined;
  socket.destroy();
}

/**
 * @param {string} address
 * @param {number} port
 * @returns {{ address: string, family: string, port: number }} as Node.js stores it
 */
function addressOf(address, port) {
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port };
}

/**
 * Detaches the parser of a connection's requests, or Node.js would go on waiting for the next request and close the connection.
 *
 * @param {Parser | null | undefined} parser
 */
function leaveParser(parser) {
  if (!parser) return;
  parser.unconsume?.();
  parser.remove?.();
}

/** Whether all is there that a connection needs to go from Node.js to a worker and back. */
const MOVES_CONNECTIONS = COUNTS_CONNECTIONS && SHOWS_SETTINGS && SWAPS_HANDLES;

/**
 * Makes a socket from a descriptor, as a server does for a connection that it accepts. The connection must be counted already.
 *
 * @param {HttpServer} server
 * @param {number} descriptor
 * @returns {Socket}
 * @throws {Error} when nothing can be read from it
 */
function socketOf(server, descriptor) {
  const accepting = inside(server);
  const { allowHalfOpen } = accepting;
  const socket = insideOf(
    new net.Socket({ fd: descriptor, allowHalfOpen, readable: true, writable: true }),
  );
  socket.server = server;
  socket._server = accepting; // uncounts the connection when the socket is closed
  if (accepting.keepAlive) socket.setKeepAlive(true, accepting.keepAliveInitialDelay * 1000); // from seconds
  socket.setNoDelay(true);
  return socket;
}

const ECONNRESET = -constants.errno.ECONNRESET;

/**
 * Makes a socket for a connection that somebody else has, and whose bytes come by a pair of sockets. It shows the addresses of
 * the connection. The connection must be counted already.
 *
 * @param {HttpServer} server the one that it came to
 * @param {number} descriptor our end of the pair
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses
 * @param {() => void} reset has the peer see a reset when the socket is closed
 * @returns {Socket}
 * @throws {Error} when nothing can be read from it
 */
function relayedSocket(server, descriptor, addresses, reset) {
  const { address, port, localAddress, localPort } = addresses;
  const socket = insideOf(socketOf(server, descriptor));
  // Node.js does not ask a handle when it knows already, but takes one that can't be asked for one that has no address
  Object.assign(/** @type {Handle} */ (socket._handle), { getsockname: noop });
  socket._peername = addressOf(address, port);
  socket._sockname = addressOf(localAddress, localPort);
  socket.resetAndDestroy = () => {
    reset();
    return socket.destroy();
  };
  return socket;
}

/**
 * Destroys such a socket as Node.js does when a connection is reset.
 *
 * @param {Socket} socket
 */
function breakSocket(socket) {
  const error = new Error("read ECONNRESET");
  socket.destroy(Object.assign(error, { errno: ECONNRESET, code: "ECONNRESET", syscall: "read" }));
}

/**
 * Whether a write fails that is under way when its connection breaks. In older versions it counts as done, so an Engine.IO
 * server there says that the packets have left, and that the transport has closed.
 */
const FAILS_BROKEN_WRITES = isAtLeast(22, 9);

module.exports = {
  addressOf,
  breakSocket,
  closeSilently,
  descriptorOf,
  endStandIn,
  FAILS_BROKEN_WRITES,
  hasConnection,
  isTcp,
  MOVES_CONNECTIONS,
  relayedSocket,
  replaceHandle,
  socketOf,
  standInSocket,
  SWAPS_HANDLES,
};
