"use strict";

// RFC 6265 §4.1.1: what a cookie-name, a cookie-value, a domain and a path may hold
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^("?)[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*\1$/;
const DOMAIN = /^\.?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const PATH = /^[\x20-\x3A\x3C-\x7E]*$/;

/** @type {Record<string, string>} */
const SAME_SITE = { lax: "Lax", strict: "Strict", none: "None" };
/** @type {Record<string, string>} */
const PRIORITY = { low: "Low", medium: "Medium", high: "High" };

/**
 * @param {string} option
 * @param {unknown} value
 * @returns {TypeError}
 */
function invalid(option, value) {
  return new TypeError(`option ${option} is invalid: ${String(value)}`);
}

/**
 * Writes the value of a Set-Cookie header.
 *
 * @param {string} name
 * @param {string} value
 * @param {Record<string, any>} options encode, maxAge (seconds), domain, path, expires (Date), httpOnly, secure,
 *   partitioned, priority, sameSite (true, "lax", "strict", "none")
 * @returns {string}
 * @throws {TypeError} when one of them can't be written
 */
function serializeCookie(name, value, options) {
  if (!NAME.test(name)) throw new TypeError(`argument name is invalid: ${name}`);
  const encoded = (options.encode || encodeURIComponent)(value);
  if (!VALUE.test(encoded)) throw new TypeError(`argument val is invalid: ${value}`);
  let text = `${name}=${encoded}`;
  if (options.maxAge !== undefined && options.maxAge !== null) {
    const maxAge = Math.floor(Number(options.maxAge));
    if (!Number.isFinite(maxAge)) throw invalid("maxAge", options.maxAge);
    text += `; Max-Age=${maxAge}`;
  }
  if (options.domain) {
    if (!DOMAIN.test(options.domain)) throw invalid("domain", options.domain);
    text += `; Domain=${options.domain}`;
  }
  if (options.path) {
    if (!PATH.test(options.path)) throw invalid("path", options.path);
    text += `; Path=${options.path}`;
  }
  if (options.expires) {
    if (!(options.expires instanceof Date) || Number.isNaN(options.expires.getTime())) {
      throw invalid("expires", options.expires);
    }
    text += `; Expires=${options.expires.toUTCString()}`;
  }
  if (options.httpOnly) text += "; HttpOnly";
  if (options.secure) text += "; Secure";
  if (options.partitioned) text += "; Partitioned";
  if (options.priority) text += `; Priority=${word(PRIORITY, options.priority, "priority")}`;
  if (options.sameSite === true) text += "; SameSite=Strict";
  else if (options.sameSite) text += `; SameSite=${word(SAME_SITE, options.sameSite, "sameSite")}`;
  return text;
}

/**
 * @param {Record<string, string>} words
 * @param {unknown} value
 * @param {string} option
 * @returns {string}
 */
function word(words, value, option) {
  const key = typeof value === "string" ? value.toLowerCase() : "";
  if (!Object.hasOwn(words, key)) throw invalid(option, value);
  return words[key];
}

module.exports = { serializeCookie };
