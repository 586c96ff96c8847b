"use strict";

const { IncomingMessage } = require("node:http");

/** One string for all requests, instead of the one that the parser makes for each. */
const USUAL_VERSION = "1.1";
const LONGEST_KEPT = 256; // characters of a text that is kept for the next request

/** What was read last: requests that open a WebSocket are all alike, and so can share it. */
const last = { search: "", query: {}, url: "" };

/**
 * Reads the query of a request's URL.
 *
 * @param {string} url
 * @returns {Record<string, string>} an object with Object.prototype; of a repeated name the last value
 */
function parseQuery(url) {
  const start = url.indexOf("?");
  if (start === -1) return {};
  const hash = url.indexOf("#", start);
  const search = hash === -1 ? url.slice(start + 1) : url.slice(start + 1, hash);
  if (search === last.search) return { ...last.query };
  const query = Object.fromEntries(new URLSearchParams(search));
  if (search.length <= LONGEST_KEPT) {
    last.search = search;
    last.query = { ...query };
  }
  return query;
}

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
   * @param {import("./bridge").Peer} [peer] known when the socket was taken over: then Node's does not know it any more
   */
  constructor(req, peer) {
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
      const req = this.rebuild();
      this.headers = /** @type {Record<string, any>} */ (req.headers);
      this.query = /** @type {Record<string, any>} */ (req._query);
    }
    return { headers: this.headers, url, query: /** @type {any} */ (this.query), encrypted };
  }

  /**
   * Builds the request again.
   *
   * @returns {any} an IncomingMessage whose socket answers remoteAddress, remotePort and encrypted
   */
  rebuild() {
    const req = /** @type {any} */ (
      new IncomingMessage(
        /** @type {any} */ ({
          remoteAddress: this.remoteAddress,
          remotePort: this.remotePort,
          encrypted: this.encrypted,
          readable: false,
          writable: false,
          destroyed: true,
        }),
      )
    );
    const [major, minor] = this.httpVersion.split(".");
    req.httpVersionMajor = Number(major);
    req.httpVersionMinor = Number(minor);
    req.httpVersion = this.httpVersion;
    req.method = this.method;
    req.url = this.url;
    const rawHeaders = this.raw === "" ? [] : this.raw.split("\n");
    req._addHeaderLines(rawHeaders, rawHeaders.length); // as Node's parser does; `headers` is made from it on demand
    req.complete = true;
    if (this.headers !== undefined) req.headers = this.headers;
    req._query = this.query ?? parseQuery(this.url);
    return req;
  }
}

/** The request itself, kept because somebody may hold or have changed it. */
class KeptRequest {
  /**
   * @param {any} req an IncomingMessage
   * @param {import("./bridge").Peer} [peer] known when the socket was taken over
   */
  constructor(req, peer) {
    this.req = req;
    const { socket } = req;
    if (peer !== undefined && socket._peername === undefined) {
      // where Node keeps it: so that the socket goes on answering remoteAddress and the like
      const family = peer.address.includes(":") ? "IPv6" : "IPv4";
      socket._peername = { address: peer.address, family, port: peer.port };
    }
    /** @type {string | undefined} */
    this.remoteAddress = socket.remoteAddress;
  }

  /** @returns {any} */
  rebuild() {
    return this.req;
  }
}

module.exports = { KeptRequest, RequestInfo, parseQuery };
