"use strict";

const debug = require("debug")("socket.io:server");

/**
 * Which origins may connect, as Socket.IO 2.x has it: "*:*" or "*" (all), "host:port", "host:*", "*:port",
 * "scheme://host:port"; one, several in a string or an array of them; or a function (origin, callback(error, success)).
 *
 * @typedef {string | string[] | ((origin: string, callback: (error: unknown, success: boolean) => void) => void)} Origins
 */

const EVERYONE = new Set(["*", "*:*"]);
/** What stands for the origin of a request that names none. */
const NO_ORIGIN = "*";

/**
 * Says whether a request comes from an allowed origin.
 *
 * @param {Origins} origins
 * @param {import("node:http").IncomingMessage} req
 * @param {(error: unknown, success: boolean) => void} done
 */
function checkOrigin(origins, req, done) {
  let origin = req.headers.origin || req.headers.referer || NO_ORIGIN;
  if (origin === "null") origin = NO_ORIGIN; // what a page of a file:// URL sends
  if (typeof origins === "function") {
    origins(origin, done);
    return;
  }
  // Compared entry by entry: a search in the whole string would let "http://o.example" in where "foo.example:*" is allowed.
  const allowed = typeof origins === "string" ? origins.split(/[\s,]+/) : origins;
  const forms = formsOf(origin);
  // in a string, a scheme may stand before "host:*" too
  if (typeof origins === "string" && forms.length > 1)
    forms.push(`${forms[0].replace(/\d+$/, "*")}`);
  const ok = allowed.some((entry) => EVERYONE.has(entry) || forms.includes(entry));
  if (debug.enabled) debug("origin %s is %svalid", origin, ok ? "" : "not ");
  done(null, ok);
}

/**
 * @param {string} origin
 * @returns {string[]} the entries that allow it
 */
function formsOf(origin) {
  if (origin === NO_ORIGIN) return ["*:80"];
  let url;
  try {
    url = new URL(origin);
  } catch {
    return [];
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return [`${url.protocol}//${host}:${port}`, `${host}:${port}`, `${host}:*`, `*:${port}`];
}

module.exports = { checkOrigin };
