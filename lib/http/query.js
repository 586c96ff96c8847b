"use strict";

/** The query of a request's URL. @typedef {Record<string, string | undefined>} Query */

/**
 * A request for our path that Node.js has read, with its query. While its answer is not given, middlewares find that in it.
 *
 * @typedef {import("node:http").IncomingMessage & {
 *   method: string,
 *   url: string,
 *   _query: Query,
 *   res?: import("node:http").ServerResponse | null,
 * }} Request
 */

/** Characters of a query that is kept for the next request. */
const LONGEST_KEPT = 256;

/** What was read last: clients of a server mostly send the same one. */
const last = { search: "", query: {} };

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

module.exports = { parseQuery };
