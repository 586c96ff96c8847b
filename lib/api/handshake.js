"use strict";

const { inspect } = require("node:util");
const { own } = require("../base/assignable");
const { bare } = require("../base/bare");

/**
 * What a program can read of the request that opened a connection.
 *
 * @typedef {object} Handshake
 * @property {Record<string, unknown>} headers
 * @property {string} time
 * @property {string | undefined} address
 * @property {boolean} xdomain whether it has an Origin header
 * @property {boolean} secure whether it came over TLS
 * @property {number} issued ms since the epoch
 * @property {string | undefined} url
 * @property {Record<string, unknown>} query
 * @property {unknown} auth
 */

/** @typedef {import("../http/query").Request} Request */
/** @typedef {import("../engine/request-info").RequestInfo} RequestInfo */

/**
 * What is asked of a connection. One of a foreign engine has no `requestInfo()`.
 *
 * @typedef {object} Opened
 * @property {() => RequestInfo | undefined} [requestInfo]
 * @property {Request | null | undefined} request
 * @property {string | undefined} remoteAddress
 */

/**
 * @param {Opened} conn
 * @param {unknown} auth what the client sent along
 * @param {number} issued ms since the epoch: when the socket was made
 * @returns {Handshake} a plain object that programs may change
 */
function buildHandshake(conn, auth, issued) {
  const info = conn.requestInfo?.();
  if (info !== undefined) {
    /** @type {unknown} */
    const lazy = new LazyHandshake(info, conn.remoteAddress, auth, issued);
    return /** @type {Handshake} */ (lazy);
  }
  const { request } = conn;
  const headers = request?.headers;
  /** @type {import("../node/inside").Stream | undefined} */
  const socket = request?.socket ?? request?.connection;
  return {
    headers: headers || {},
    time: timeOf(issued),
    address: conn.remoteAddress,
    xdomain: !!headers?.origin,
    // a connection without a request is a WebTransport session
    secure: !request || !!socket?.encrypted,
    issued,
    url: request?.url,
    query: request?._query || {},
    auth,
  };
}

// Most programs look at `auth`, or at one header. What takes time and memory is made when it is looked at: headers, query, and all
// their strings.
//
// What this must not change: to who reads it, assigns to it, copies or prints it, it is the plain object of above.
// __test__/handshake.test.js compares it with that.

/** Where a handshake has its request. It is no private field: those are not found through a Proxy. */
const INFO = Symbol("request");
const HIDDEN = bare({ value: undefined, writable: true });

/** @typedef {Handshake & { [INFO]: RequestInfo }} Lazy */

/**
 * @param {string} name
 * @param {(parts: import("../engine/request-info").RequestParts) => unknown} pick
 * @returns {PropertyDescriptor}
 */
function lazily(name, pick) {
  return bare({
    /** @this {Lazy} */
    get() {
      return pick(this[INFO].parts());
    },
    /** @this {object} @param {unknown} value */
    set(value) {
      own(this, name, value);
    },
    enumerable: true,
    configurable: true,
  });
}

const HEADERS = lazily("headers", ({ headers }) => headers);
const XDOMAIN = lazily("xdomain", ({ hasOrigin }) => hasOrigin);
const QUERY = lazily("query", ({ query }) => query);
const INSPECT = bare({
  /** @this {object} */
  value() {
    return { ...this };
  },
  writable: true,
  configurable: true,
});

const { defineProperty } = Reflect;

/**
 * A handshake with accessors, in upstream's order. They take no place in the object, as all of them share its shape.
 *
 * @this {Lazy}
 * @param {RequestInfo} info
 * @param {string | undefined} address
 * @param {unknown} auth
 * @param {number} issued
 */
function LazyHandshake(info, address, auth, issued) {
  defineProperty(this, INFO, HIDDEN);
  this[INFO] = info;
  defineProperty(this, inspect.custom, INSPECT);
  defineProperty(this, "headers", HEADERS);
  this.time = timeOf(issued);
  this.address = address;
  defineProperty(this, "xdomain", XDOMAIN);
  this.secure = info.encrypted;
  this.issued = issued;
  this.url = info.url;
  defineProperty(this, "query", QUERY);
  this.auth = auth;
}
LazyHandshake.prototype = Object.prototype;

const NAMES = "headers,time,address,xdomain,secure,issued,url,query,auth";

/**
 * @param {unknown} handshake
 * @param {string | undefined} address
 * @param {unknown} auth
 * @param {number} issued ms since the epoch
 * @returns {boolean} whether it is as `buildHandshake()` builds it from these, again: nobody has assigned to it, or looked at a part
 *     that can be changed
 */
function isAsBuilt(handshake, address, auth, issued) {
  // a program may have put anything there
  if (typeof handshake !== "object" || handshake === null || !Object.hasOwn(handshake, INFO))
    return false;
  const lazy = /** @type {Lazy} */ (handshake);
  const info = lazy[INFO];
  return (
    !info.isLookedAt() &&
    Object.keys(lazy).join() === NAMES &&
    getterOf(lazy, "headers") === HEADERS.get &&
    getterOf(lazy, "xdomain") === XDOMAIN.get &&
    getterOf(lazy, "query") === QUERY.get &&
    lazy.time === timeOf(issued) &&
    lazy.address === address &&
    lazy.secure === info.encrypted &&
    lazy.issued === issued &&
    lazy.url === info.url &&
    lazy.auth === auth
  );
}

/** @param {object} object @param {string} name @returns {unknown} */
function getterOf(object, name) {
  return Reflect.getOwnPropertyDescriptor(object, name)?.get;
}

/** The text of the last second that was asked for: of those who come together, each needs the same. */
const last = { second: NaN, text: "" };

/**
 * @param {number} issued ms since the epoch
 * @returns {string} as a Date is written
 */
function timeOf(issued) {
  const second = Math.floor(issued / 1000);
  if (second !== last.second) {
    last.text = `${new Date(issued)}`;
    last.second = second;
  }
  return last.text;
}

module.exports = { buildHandshake, isAsBuilt };
