"use strict";

const { buildRequest, lendSocket, setSocket } = require("../base/node-internals");
const { parseQuery } = require("../http");
const { makeSocket, show } = require("../ingress");

/** @typedef {import("../border/border").Peer} Peer */
/** @typedef {import("../ingress/worker-socket").Door} Door */

/** One string for all requests, instead of the one that the parser makes for each. */
const USUAL_VERSION = "1.1";
const LONGEST_KEPT = 256; // characters of a text that is kept for the next request

/** What was read last: requests that open a WebSocket are all alike, and so can share it. */
const last = { url: "", address: "" };

/** In place of that of a connection that has ended, and of which nothing is left. */
const NO_BORDER = { doors: new Map() };

/**
 * @param {string} url
 * @returns {string} the same text; the same string, if the request before this one had it
 */
function sharedUrl(url) {
  if (url === last.url) return last.url;
  if (url.length <= LONGEST_KEPT) last.url = url;
  return url;
}

/**
 * @param {string} address one on this side: most connections come to the same
 * @returns {string} the same text; the same string, if the request before this one had it
 */
function sharedAddress(address) {
  if (address !== last.address) last.address = address;
  return last.address;
}

/**
 * What a handshake shows of a request.
 *
 * @typedef {object} RequestParts
 * @property {Record<string, any>} headers
 * @property {string} url
 * @property {Record<string, any>} query
 * @property {boolean} encrypted whether it came over TLS
 */

/**
 * What is kept of the request that opened a session when nobody has seen it: a fraction of Node's IncomingMessage, from
 * which that is built again when somebody asks.
 */
class RequestInfo {
  /**
   * @param {any} req an IncomingMessage, with `_query`, or an AcceptedRequest
   * @param {any} door by which it came
   * @param {Peer} [peer] known when the socket was taken over: then Node's does not know it any more
   */
  constructor(req, door, peer) {
    const { socket } = req;
    /** @type {string} */
    this.method = req.method;
    /** @type {string} */
    this.url = sharedUrl(req.url);
    /** @type {string} */
    this.httpVersion = req.httpVersion === USUAL_VERSION ? USUAL_VERSION : req.httpVersion;
    // one flat string instead of two per header; a header holds no line feed
    this.raw = req.raw ?? req.rawHeaders.join("\n");
    /** @type {string | undefined} */
    this.remoteAddress = peer ? peer.address : socket.remoteAddress;
    /** @type {number | undefined} */
    this.remotePort = peer ? peer.port : socket.remotePort;
    this.encrypted = !!socket.encrypted;
    this.upgrade = door.kind !== "polling";
    /** @private @type {string} the addresses on this side; known when a worker has the connection */
    this._localAddress = peer ? sharedAddress(peer.localAddress) : "";
    /** @private */
    this._localPort = peer ? peer.localPort : 0;
    /**
     * What has the connection: Node's socket, which is not kept for this when the connection has ended (unless it is
     * encrypted: then it knows more than can be told without it), or the door that leads to a worker.
     *
     * @private @type {any}
     */
    this._carrier = socket;
    if (req.raw !== undefined || door.kind === "takeover") this._carrier = door;
    else if (!this.encrypted && door.kind === "polling") this._carrier = new WeakRef(socket);
    /** @type {Record<string, any> | undefined} made at the first look, as is the next one */
    this.headers = undefined;
    /** @type {Record<string, any> | undefined} */
    this.query = undefined;
  }

  /**
   * The parts that most programs look at, if at anything. A request that is built later has the very same ones.
   *
   * @returns {RequestParts}
   */
  parts() {
    const { url, encrypted } = this;
    if (this.headers === undefined) {
      const req = this.build();
      this.headers = /** @type {Record<string, any>} */ (req.headers);
      this.query = /** @type {Record<string, any>} */ (req._query);
    }
    return { headers: this.headers, url, query: /** @type {any} */ (this.query), encrypted };
  }

  /**
   * A worker gets the connection of a socket that nobody has been given.
   *
   * @param {any} socket
   * @param {Door} door
   */
  handleMove(socket, door) {
    if (!(this._carrier instanceof WeakRef) || this._carrier.deref() !== socket) return;
    this._localAddress = sharedAddress(socket.localAddress ?? "");
    this._localPort = socket.localPort;
    this._carrier = door;
  }

  /**
   * @returns {any} the socket of the connection, for a program
   * @private
   */
  socket() {
    let carrier = this._carrier;
    if (carrier instanceof WeakRef) carrier = carrier.deref() ?? { border: NO_BORDER };
    if (carrier.border === undefined) return carrier;
    if (carrier.kept !== undefined) return carrier.kept;
    return makeSocket(carrier, {
      address: this.remoteAddress ?? "",
      port: this.remotePort ?? 0,
      localAddress: this._localAddress,
      localPort: this._localPort,
    });
  }

  /**
   * Builds the request again, for a program.
   *
   * @returns {any} an IncomingMessage
   */
  rebuild() {
    if (this._carrier instanceof WeakRef) show(this._carrier.deref());
    return this.build();
  }

  /**
   * @returns {any} an IncomingMessage
   * @private
   */
  build() {
    const { method, url, httpVersion, upgrade } = this;
    const rawHeaders = this.raw === "" ? [] : this.raw.split("\n");
    const req = buildRequest({ method, url, httpVersion, rawHeaders, upgrade });
    if (!upgrade) req.res = null;
    lendSocket(req, () => this.socket());
    if (this.headers !== undefined) req.headers = this.headers;
    req._query = this.query ?? parseQuery(this.url);
    return req;
  }
}

/** The request itself, kept because somebody may hold or have changed it. */
class KeptRequest {
  /**
   * @param {any} req an IncomingMessage
   * @param {any} door by which it came
   * @param {Peer} [peer] known when the socket was taken over
   */
  constructor(req, door, peer) {
    this.req = req;
    // nobody had seen it when it was taken over
    if (peer !== undefined && door.kept === undefined) setSocket(req, makeSocket(door, peer));
    show(req.socket);
    /** @type {string | undefined} */
    this.remoteAddress = req.socket.remoteAddress;
  }

  /** @returns {any} */
  rebuild() {
    return this.req;
  }
}

module.exports = { KeptRequest, RequestInfo };
