"use strict";

const debug = require("debug")("engine:ws");
const { ByteBridge, CLOSE_TIMEOUT, kindOf } = require("./bridge");
const { endUnread } = require("../http");
const { decryptedDetails } = require("../base/decrypted-socket");
const { descriptorOf, httpServerOf, keepHalfOpen } = require("../node");
const { reasonAgainst, reasonOf, TAKE_OVER, TAKES_WEBSOCKET } = require("./reasons");
const { TakenConnection } = require("./taken-connection");

/** @typedef {import("./door").Engine} Engine */
/** @typedef {import("./door").FirstRequest} FirstRequest */
/** @typedef {import("../node/inside").Stream} Stream */
/** @typedef {import("../http/query").Request} Request */
/** @typedef {import("./bridge").Arrival & { answer: import("../http/upgrade-answer").UpgradeAnswer }} Arrival */

/**
 * Hands a WebSocket to a worker, which answers the handshake; unless it has gone while that was decided.
 *
 * @param {Engine} engine
 * @param {Request} req
 * @param {Stream} socket
 * @param {Buffer | undefined} head what has been read behind the request
 * @param {Arrival} arrival
 */
function openWebSocket(engine, req, socket, head, arrival) {
  if (socket.destroyed) return;
  if (socket.timeout) socket.setTimeout?.(0);
  const server = httpServerOf(socket);
  const mustPump = reasonAgainst(engine, server, TAKE_OVER, socket) !== undefined;
  const ways = mustPump ? TAKE_OVER : TAKES_WEBSOCKET;
  const reason = reasonOf(engine, "WebSocket", server, ways, socket);
  if (mustPump) new WebSocketBridge(engine, req, reason, socket).open(head, arrival);
  else new TakenWebSocket(engine, req, reason).take(socket, head, arrival);
}

/** A WebSocket that a worker reads and writes by a descriptor of its own. */
class TakenWebSocket extends TakenConnection {
  /**
   * @param {Engine} engine
   * @param {FirstRequest | undefined} request
   * @param {string} [reason]
   * @param {number} [token] its name, when a worker has accepted it
   */
  constructor(engine, request, reason, token) {
    super(engine, "takeover", "websocket", request, token);
    this.reason = reason;
  }

  /**
   * Takes the connection of a socket. If that fails, it is lost.
   *
   * @param {Stream} socket
   * @param {Buffer | undefined} head
   * @param {Arrival} arrival
   */
  take(socket, head, arrival) {
    const { border, engine, token } = this;
    const { sid, answer } = arrival;
    const kind = kindOf(arrival);
    const bytes = collect(socket, head);
    this.tls = decryptedDetails(socket);
    // else the worker asks the connection itself
    const { proxyProtocol, trustProxy } = engine.opts;
    const client = trustProxy || proxyProtocol ? this.clientAddress() : undefined;
    if (proxyProtocol) this.noteAddresses(socket);
    const { native } = border;
    let taken = false;
    try {
      const fd = descriptorOf(socket);
      const server = engine.nativeId();
      taken = native.takeOver(server, token, sid, kind, fd, answer.text, bytes, client);
    } catch (error) {
      debug("the connection can't be taken over: %s", error); // no descriptor is free
    }
    if (!taken) {
      socket.destroy();
      this.end();
      return;
    }
    this.leaveSocket(socket);
    border.wakeSoon();
  }

  /**
   * Takes a connection of which Node.js has made no socket: the one that the addon has looked at last.
   *
   * @param {number} fd its descriptor
   * @param {import("../node/inside").HttpServer} server the one that has accepted it
   * @param {Arrival} arrival
   * @throws {Error} when no descriptor is free; the connection is as it was then
   */
  accept(fd, server, arrival) {
    const { border, engine, token } = this;
    const { sid, answer } = arrival;
    const kind = kindOf(arrival);
    let taken = false;
    try {
      taken = border.native.takeOverPeeked(engine.nativeId(), token, sid, kind, fd, answer.text);
    } finally {
      if (!taken) this.end();
    }
    if (!taken) return;
    this.countFor(server);
    border.wakeSoon();
  }
}

/** A WebSocket whose bytes go through this thread: by TLS, on Windows, on any stream that is no TCP socket. */
class WebSocketBridge extends ByteBridge {
  /**
   * @param {Engine} engine
   * @param {Request} request
   * @param {string} reason
   * @param {Stream} socket
   */
  constructor(engine, request, reason, socket) {
    super(engine, "websocket", request, reason);
    /** @type {Stream | undefined} undefined: it has been closed */
    this.socket = socket;
  }

  /**
   * @param {Buffer | undefined} head
   * @param {Arrival} arrival
   */
  open(head, arrival) {
    const { socket } = this;
    if (socket === undefined) return;
    if (typeof socket.setNoDelay === "function") socket.setNoDelay();
    keepHalfOpen(socket); // it ends behind what the worker writes
    if (!this.openBridge(arrival, collect(socket, head))) return;
    const onend = () => this.end();
    socket.on("data", (/** @type {Buffer} */ chunk) => this.give(chunk));
    socket.on("end", onend);
    socket.on("error", () => this.end(true));
    socket.on("close", onend);
    socket.resume();
  }

  /** @override @protected */
  pause() {
    this.socket?.pause();
  }

  /** @override @protected */
  resume() {
    this.socket?.resume();
  }

  /**
   * @param {Buffer} buffer
   * @override
   * @protected
   */
  write(buffer) {
    this.socket?.write(buffer, (error) => {
      if (!error) this.written(buffer.length); // an error ends the wire through its own event
    });
  }

  /**
   * @param {boolean} cut
   * @override
   * @protected
   */
  shut(cut) {
    const { socket } = this;
    this.socket = undefined;
    if (socket === undefined) return;
    if (cut) socket.destroy();
    else endUnread(socket, CLOSE_TIMEOUT); // it may be paused
  }
}

/**
 * @param {import("node:stream").Duplex} socket
 * @param {Buffer | undefined} head
 * @returns {Buffer | undefined} what the peer has sent since its request, as far as it has been read
 */
function collect(socket, head) {
  if (socket.readableLength === 0) return head; // the usual case; to ask for more would start reading
  const chunks = head === undefined ? [] : [head];
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

module.exports = { openWebSocket, TakenWebSocket, WebSocketBridge };
