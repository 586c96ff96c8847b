"use strict";

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
/** @typedef {import("../engine/request-info").RequestParts} RequestParts */

/**
 * What is asked of a connection. One of a foreign engine has no `requestParts()`.
 *
 * @typedef {object} Opened
 * @property {() => RequestParts | undefined} [requestParts]
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
  // if there is no request object yet, none is made just for this
  const request = conn.requestParts?.() ?? partsOf(conn.request);
  return {
    headers: request?.headers || {},
    time: new Date(issued) + "",
    address: conn.remoteAddress,
    xdomain: !!request?.headers.origin,
    // a connection without a request is a WebTransport session
    secure: !request || request.encrypted,
    issued,
    url: request?.url,
    query: request?.query || {},
    auth,
  };
}

/**
 * @param {Request | null | undefined} request
 * @returns {RequestParts | undefined}
 */
function partsOf(request) {
  if (!request) return undefined;
  const { headers, url, _query: query } = request;
  /** @type {import("../node/inside").Stream | undefined} */
  const socket = request.socket ?? request.connection;
  return { headers, url, query, encrypted: !!socket?.encrypted };
}

module.exports = { buildHandshake };
