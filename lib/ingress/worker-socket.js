"use strict";

// Sockets of Node.js whose connections are the workers'.
//
// A worker that takes a connection over has a descriptor of its own, and reads and writes by itself. What Node.js has of the
// connection is in the way then: its handle is closed. So far the shortcut; this file says what it must not change.
//
// - Where a program has been given the socket object, or may have been (`isShown()`), the object stays what it is: counted by
//   its server, open until the connection has ended, with "close" then, and with `destroy()` and `end()` that end the
//   connection. Only its handle is another one, which leads to the worker.
// - Where nobody has, there is no socket any more (or has never been one: see Acceptor). A program that asks for it later, by
//   `socket.request`, gets one that is made then, and is as true.
//
// What is not: `bytesRead` and `bytesWritten` stand still, and `write()` fails with EPIPE: the bytes of a connection are the
// worker's alone.

const { channel } = require("node:diagnostics_channel");
const { EventEmitter } = require("node:events");
const net = require("node:net");
const { constants } = require("node:os");
const { setImmediate } = require("../base/loop");

/**
 * What takes a connection to a worker.
 *
 * @typedef {object} Door
 * @property {import("../border/border").Border} border
 * @property {number} token the name of the connection
 * @property {any} server the HTTP server that counts the connection
 * @property {any} kept the socket that programs may have
 */

/** Bytes of an answer to an upgrade request, at least: to Node.js and to others, nothing has been written to a socket without. */
const ANSWER_LENGTH = 129;
const EPIPE = -constants.errno.EPIPE;
const NEW_SOCKET = channel("net.server.socket");

/** @type {WeakSet<object>} sockets that a program has been given, and HTTP servers that show theirs */
const shown = new WeakSet();

/**
 * Begins to note whether a program is shown the sockets of an HTTP server. A listener that goes again has seen what came.
 *
 * @param {any} server
 */
function watchSockets(server) {
  if (server.listenerCount("connection") > 1) shown.add(server);
  server.on("newListener", (/** @type {any} */ name) => {
    if (name === "connection") shown.add(server);
  });
}

/**
 * Notes that a program is given a socket, or an HTTP server's sockets.
 *
 * @param {any} socket
 */
function show(socket) {
  if (socket) shown.add(socket);
}

/**
 * @param {any} socket
 * @param {any} server its HTTP server
 * @returns {boolean} whether a program may have been given the socket by anybody but us
 */
function isShown(socket, server) {
  return (
    shown.has(socket) ||
    shown.has(server) ||
    server.emit !== EventEmitter.prototype.emit || // instrumentations replace it
    NEW_SOCKET.hasSubscribers
  );
}

/**
 * Stands for the handle of a connection that a worker has, as far as Node's sockets use one.
 */
class WorkerHandle {
  /**
   * @param {Door} door
   * @param {number} bytesRead
   * @param {number} bytesWritten
   */
  constructor(door, bytesRead, bytesWritten) {
    /** @type {Door | undefined} until the connection has ended, or is to */
    this.door = door;
    this.fd = -1;
    this.reading = false;
    this.bytesRead = bytesRead;
    this.bytesWritten = bytesWritten;
    this.writeQueueSize = 0;
  }

  /** Has the worker end the connection, as if the peer had. */
  end() {
    const { door } = this;
    this.door = undefined;
    if (door !== undefined) door.border.endWire(door.token);
  }

  /** @param {() => void} [done] called when all that the socket does by itself is done: its "error" comes before its "close" */
  close(done) {
    this.end();
    if (done) setImmediate(done);
  }

  /** @returns {number} 1: nothing is to be waited for */
  shutdown() {
    this.end();
    return 1;
  }

  // the socket knows its addresses: see keepSocket() and makeSocket()
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

for (const kind of ["Buffer", "Utf8String", "AsciiString", "Latin1String", "Ucs2String"])
  /** @type {any} */ (WorkerHandle.prototype)[`write${kind}`] = () => EPIPE;
/** @type {any} */ (WorkerHandle.prototype).writev = () => EPIPE;

/**
 * Goes on with the socket of a connection that a worker has taken; its own handle is closed.
 *
 * @param {any} socket
 * @param {Door} door
 */
function keepSocket(socket, door) {
  const handle = socket._handle;
  // asked for now, they are remembered
  void socket.remoteAddress;
  void socket.localAddress;
  if (socket.timeout) socket.setTimeout(0);
  release(socket.parser);
  const written = socket.bytesWritten || ANSWER_LENGTH;
  socket._handle = new WorkerHandle(door, socket.bytesRead, written);
  prepare(socket, door);
  handle.close();
}

/**
 * Makes the socket of a connection that a worker has, or has had, for a program that asks for it.
 *
 * @param {Door} door
 * @param {import("../border/border").Peer} names
 * @returns {any}
 */
function makeSocket(door, names) {
  const { border, token, server } = door;
  const { address, port, localAddress, localPort } = names;
  const isOpen = /** @type {any} */ (border.doors.get(token)) === door;
  const handle = isOpen ? new WorkerHandle(door, 0, ANSWER_LENGTH) : undefined;
  const socket = /** @type {any} */ (
    new net.Socket(/** @type {any} */ ({ handle, allowHalfOpen: true }))
  );
  if (address !== "") socket._peername = peerName(address, port);
  socket.server = server;
  if (isOpen) {
    if (localAddress !== "") socket._sockname = peerName(localAddress, localPort);
    socket._server = server; // which it takes one off when it is closed
    prepare(socket, door);
  } else {
    socket.destroy();
  }
  return socket;
}

/**
 * @param {any} socket
 * @param {Door} door
 */
function prepare(socket, door) {
  door.kept = socket;
  socket.on("error", noop); // the peer may be gone, and nobody else may listen
  socket.resetAndDestroy = socket.destroy; // what Node.js does needs a handle of its own
}

/**
 * The connection has ended.
 *
 * @param {any} socket
 */
function endSocket(socket) {
  const handle = socket._handle;
  if (handle instanceof WorkerHandle) handle.door = undefined;
  socket.destroy();
}

/**
 * Takes the parser of a connection's requests away: to Node.js the connection would be one that waits for the next.
 *
 * @param {any} parser
 */
function release(parser) {
  if (!parser) return;
  parser.unconsume?.();
  parser.remove?.();
}

/**
 * @param {string} address
 * @param {number} port
 * @returns {{ address: string, family: string, port: number }} as Node.js has it
 */
function peerName(address, port) {
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port };
}

function noop() {}

module.exports = { endSocket, isShown, keepSocket, makeSocket, show, watchSockets };
