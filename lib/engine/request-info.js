"use strict";

const { buildRequest, readHeaders, setSocket, standInSocket } = require("../node");
const { parseQuery } = require("../http");
const { noteShown } = require("../ingress");

/** @typedef {import("../border/border").Addresses} Addresses */
/** @typedef {import("../node/inside").Stream} Stream */
/** @typedef {import("../http/query").Request} Request */
/** @typedef {import("../ingress/door").Door} Door */
/** @typedef {import("../ingress/door").FirstRequest} FirstRequest */

/** One string for all requests: the parser makes another one for each. */
const USUAL_VERSION = "1.1";
const LONGEST_KEPT = 256; // characters of a text that is kept for the next request

/** What was read last: requests that open a WebSocket are mostly alike, and share these strings. */
const last = { url: "", address: "" };

/**
 * @param {string} url
 * @returns {string} the same text: that of the request before, if the two are equal
 */
function sharedUrl(url) {
  if (url === last.url) return last.url;
  if (url.length <= LONGEST_KEPT) last.url = url;
  return url;
}

/**
 * @param {string} address one of this machine: most connections come to the same
 * @returns {string} the same text: that of the request before, if the two are equal
 */
function sharedAddress(address) {
  if (address !== last.address) last.address = address;
  return last.address;
}

/**
 * What is made of a request at the first look.
 *
 * @typedef {object} RequestParts
 * @property {Record<string, any>} headers
 * @property {Record<string, any>} query
 * @property {boolean} hasOrigin whether it came with an Origin header
 */

/** In place of a connection that has ended and left nothing here. */
const ENDED = {
  socketFor: (/** @type {Addresses} */ addresses) => standInSocket(addresses, undefined),
};

/**
 * What a session keeps of the request that opened it.
 *
 * @typedef {object} Opening
 * @property {string | undefined} remoteAddress
 * @property {RequestInfo | undefined} info what was known of the request when no program had seen it; undefined: one might have
 * @property {unknown} [built] the request that has been built of it, for a program
 * @property {() => Request | null | undefined} rebuild gives the request, to a program
 * @property {() => CarriedOpening | undefined} carry what another process needs to know of it
 */

/**
 * What is told of such a request to another process, which takes its session over.
 *
 * @typedef {object} CarriedOpening
 * @property {string} method
 * @property {string} url
 * @property {string} httpVersion
 * @property {string} raw names and values of the headers, a line each
 * @property {boolean} encrypted
 * @property {boolean} upgrade
 * @property {string | undefined} client its address
 * @property {string | undefined} address at the other end of its connection
 * @property {number} port
 * @property {string} localAddress
 * @property {number} localPort
 */

/**
 * What is kept of the request that opened a session, when no program has seen it: much less than Node's IncomingMessage. One is
 * built from it when a program asks.
 */
class RequestInfo {
  /**
   * @param {FirstRequest} req
   * @param {Door} door by which it came
   * @param {Addresses} [addresses] known when a worker has the connection: then Node's socket does not know it any more
   */
  constructor(req, door, addresses) {
    const { socket } = req;
    this.method = req.method;
    this.url = sharedUrl(req.url);
    this.httpVersion = req.httpVersion === USUAL_VERSION ? USUAL_VERSION : req.httpVersion;
    // one flat string instead of two per header; a header holds no line feed
    this.raw = req.raw ?? /** @type {Request} */ (req).rawHeaders.join("\n");
    /** @private @type {string | undefined} at the other end of its connection */
    this._peerAddress = addresses ? addresses.address : socket.remoteAddress;
    /** @type {string | undefined} of the client */
    this.remoteAddress = door.clientAt(this._peerAddress);
    /** @type {number | undefined} */
    this.remotePort = addresses ? addresses.port : socket.remotePort;
    this.encrypted = !!socket.encrypted;
    this.upgrade = door.kind !== "polling";
    /** @private @type {string} of this machine, as is the port; known when a worker has the connection */
    this._localAddress = addresses ? sharedAddress(addresses.localAddress) : "";
    /** @private */
    this._localPort = addresses ? addresses.localPort : 0;
    /**
     * What has the connection: the door that leads to a worker, or Node's socket. That is not kept alive by this when the
     * connection has ended, unless it is encrypted: then only the socket itself can tell what programs ask of it.
     *
     * @private @type {Door | typeof ENDED | Stream | WeakRef<Stream>}
     */
    this._carrier = door;
    if (!door.isTaken) {
      const own = /** @type {Stream} */ (socket);
      this._carrier = !this.encrypted && door.kind === "polling" ? new WeakRef(own) : own;
    }
    /** @private @type {RequestParts | undefined} */
    this._parts = undefined;
  }

  /** @returns {RequestInfo} itself, as an Opening */
  get info() {
    return this;
  }

  /**
   * The parts that programs mostly look at: objects that they may change. A request that is built has these very objects.
   *
   * @returns {RequestParts}
   */
  parts() {
    if (this._parts === undefined) {
      const headers = readHeaders(this.rawHeaders());
      this._parts = { headers, query: parseQuery(this.url), hasOrigin: !!headers.origin };
    }
    return this._parts;
  }

  /** @returns {boolean} whether a program may have changed the parts */
  isLookedAt() {
    return this._parts !== undefined;
  }

  /**
   * @returns {string[]}
   * @private
   */
  rawHeaders() {
    return this.raw === "" ? [] : this.raw.split("\n");
  }

  /**
   * A worker takes the connection from a socket of Node.js that no program has been given.
   *
   * @param {Stream} socket
   * @param {Door} door
   */
  handleMove(socket, door) {
    if (!(this._carrier instanceof WeakRef) || this._carrier.deref() !== socket) return;
    this._localAddress = sharedAddress(socket.localAddress ?? "");
    this._localPort = socket.localPort ?? 0;
    this._carrier = door;
  }

  /** @returns {Stream} the socket of the connection, for a program */
  findSocket() {
    let carrier = this._carrier;
    if (carrier instanceof WeakRef) carrier = carrier.deref() ?? ENDED;
    if (!("socketFor" in carrier)) return carrier;
    const socket = carrier.socketFor({
      address: this._peerAddress ?? "",
      port: this.remotePort ?? 0,
      localAddress: this._localAddress,
      localPort: this._localPort,
    });
    return /** @type {Stream} */ (socket); // a worker has its connection, or has had it
  }

  /** @returns {CarriedOpening} */
  carry() {
    const { method, url, httpVersion, raw, encrypted, upgrade } = this;
    let carrier = this._carrier;
    if (carrier instanceof WeakRef) carrier = carrier.deref() ?? ENDED;
    const socket = "socketFor" in carrier ? undefined : carrier;
    return {
      method,
      url,
      httpVersion,
      raw,
      encrypted,
      upgrade,
      client: this.remoteAddress,
      address: this._peerAddress,
      port: this.remotePort ?? 0,
      localAddress: this._localAddress || (socket?.localAddress ?? ""),
      localPort: this._localPort || (socket?.localPort ?? 0),
    };
  }

  /**
   * Builds the request again, for a program.
   *
   * @returns {Request}
   */
  rebuild() {
    if (this._carrier instanceof WeakRef) noteShown(this._carrier.deref());
    return this.build();
  }

  /**
   * @returns {Request}
   * @private
   */
  build() {
    const { method, url, httpVersion, upgrade } = this;
    const { headers, query } = this.parts();
    const rawHeaders = this.rawHeaders();
    const req = /** @type {Request} */ (
      buildRequest({ method, url, httpVersion, rawHeaders, upgrade, headers }, this)
    );
    if (!upgrade) req.res = null;
    req._query = query;
    return req;
  }
}

/** The request itself, kept because somebody may hold or have changed it. */
class KeptRequest {
  /**
   * @param {Request} req
   * @param {Door} door by which it came
   * @param {Addresses} [addresses] known when a worker has the connection
   */
  constructor(req, door, addresses) {
    this.req = req;
    const socket = addresses && door.socketFor(addresses);
    if (socket !== undefined) setSocket(req, socket); // nobody had seen it when it was taken over
    noteShown(req.socket);
    /** @type {string | undefined} of the client */
    this.remoteAddress = door.clientAt(req.socket.remoteAddress);
  }

  /** A program may have changed it. */
  get info() {
    return undefined;
  }

  /** @returns {Request} */
  rebuild() {
    return this.req;
  }

  /** @returns {CarriedOpening} */
  carry() {
    return carryRequest(this.req, this.remoteAddress);
  }
}

/** @type {Opening} when the connection had gone before its session was told of */
const NO_OPENING = {
  remoteAddress: undefined,
  info: undefined,
  rebuild: () => null,
  carry: () => undefined,
};

/** In place of the door of a polling session that another process has handed over: its connections come by themselves. */
const NO_CONNECTION = {
  ...ENDED,
  kind: /** @type {"polling"} */ ("polling"),
  isTaken: true,
  clientAt: (/** @type {string | undefined} */ peer) => peer,
};

/**
 * @param {Door | undefined} door by which a session has come; undefined: it has gone
 * @param {boolean} isSeen whether somebody may have seen its request
 * @param {Addresses} [addresses] known when a worker has the connection
 * @returns {Opening}
 */
function openingOf(door, isSeen, addresses) {
  const req = door?.request;
  const ends = door?.addresses ?? addresses;
  if (door === undefined || req === undefined) return NO_OPENING;
  // a request that Node.js has not read can't have been seen
  return isSeen && door.reason !== undefined
    ? new KeptRequest(/** @type {Request} */ (req), door, ends)
    : new RequestInfo(req, door, ends);
}

/**
 * @param {Request} req one that a program may have changed
 * @param {string | undefined} client its address
 * @returns {CarriedOpening}
 */
function carryRequest(req, client) {
  const { socket } = req;
  return {
    method: String(req.method),
    url: String(req.url),
    httpVersion: String(req.httpVersion),
    raw: Array.from(req.rawHeaders, String).join("\n"),
    encrypted: !!(/** @type {Stream | undefined} */ (socket)?.encrypted),
    upgrade: !!(/** @type {{ upgrade?: unknown }} */ (req).upgrade),
    client,
    address: socket?.remoteAddress,
    port: socket?.remotePort ?? 0,
    localAddress: socket?.localAddress ?? "",
    localPort: socket?.localPort ?? 0,
  };
}

/**
 * @param {CarriedOpening} carried
 * @returns {FirstRequest}
 */
function requestOf({ method, url, httpVersion, raw, encrypted }) {
  const socket = { encrypted, remoteAddress: undefined, remotePort: undefined };
  return { method, url, httpVersion, raw, _query: parseQuery(url), socket };
}

/**
 * @param {CarriedOpening | undefined} carried of a session that another process has handed over
 * @param {Door | undefined} door that it has now
 * @returns {Opening}
 */
function openingFrom(carried, door) {
  if (carried === undefined) return NO_OPENING;
  const { address = "", port, localAddress, localPort } = carried;
  const addresses = { address, port, localAddress, localPort };
  const carrier = /** @type {Door} */ (door ?? NO_CONNECTION);
  const opening = new RequestInfo(requestOf(carried), carrier, addresses);
  opening.upgrade = carried.upgrade;
  opening.remoteAddress = carried.client;
  return opening;
}

module.exports = { carryRequest, openingFrom, openingOf, requestOf, RequestInfo };
