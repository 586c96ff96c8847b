"use strict";

// The options `trustProxy` and `proxyProtocol`: which proxies are believed when they say where a request comes from. What is read of it is done by the
// workers (src/http/forwarded.rs), before this thread hears of a client.

const { isIP } = require("node:net");
const { invalidOption } = require("./errors");
const { checkParts } = require("./option-parts");

/**
 * What the workers need to know.
 *
 * @typedef {import("../../native").ProxyTrust} ProxyTrust
 */

/** Networks that have a name, as in Express. */
const NAMED = Object.freeze({
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
});

/** Those who come by a Unix socket. */
const UNIX = "unix";

const HEADER = "x-forwarded-for";

/** Proxies, counted from here, when all are trusted. */
const ALL = 2 ** 32 - 1;

const FIX =
  'give how many proxies are before this server, as in 1, or their addresses and networks, as in ["loopback", "10.0.0.0/8"]';

/**
 * @param {unknown} value the option
 * @returns {ProxyTrust | undefined} undefined: nobody is trusted
 * @throws {TypeError} when it can't have that value
 */
function readTrustProxy(value) {
  const isPlain = typeof value !== "object" || value === null || Array.isArray(value);
  if (isPlain) return readProxies("option trustProxy", value, HEADER);
  checkParts("trustProxy", /** @type {object} */ (value), ["proxies", "header"]);
  const { proxies, header = HEADER } = /** @type {{ proxies?: unknown, header?: unknown }} */ (
    value
  );
  if (proxies === undefined) throw invalidOption("option trustProxy.proxies", proxies, FIX);
  if (typeof header !== "string" || !/^[!#$%&'*+.^_`|~\w-]+$/.test(header))
    throw invalidOption(
      "option trustProxy.header",
      header,
      'give the name of the one header that your proxies write, as in "forwarded"',
    );
  return readProxies("option trustProxy.proxies", proxies, header.toLowerCase());
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string} header
 * @returns {ProxyTrust | undefined}
 */
function readProxies(name, value, header) {
  if (value === undefined || value === null || value === false || value === 0) return undefined;
  if (value === true) return { header, hops: ALL, networks: [], unix: true };
  if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0 || value > ALL) throw invalidOption(name, value, FIX);
    return { header, hops: value, networks: [], unix: true };
  }
  if (typeof value === "function") {
    const fix = `clients are let in before JavaScript runs, so a function can't be asked: ${FIX}`;
    throw invalidOption(name, value, fix);
  }
  const names = typeof value === "string" ? value.split(",") : value;
  if (!Array.isArray(names)) throw invalidOption(name, value, FIX);
  const known = names.map((each) => (typeof each === "string" ? each.trim() : each));
  return {
    header,
    networks: known.filter((each) => each !== UNIX).flatMap((each) => networksOf(name, each, FIX)),
    unix: known.includes(UNIX),
  };
}

/**
 * Reads a list of networks.
 *
 * @param {string} name of the option
 * @param {unknown} value one of the list
 * @param {string} fix
 * @returns {readonly string[]} networks, as the workers read them
 * @throws {TypeError} when it is none
 */
function networksOf(name, value, fix) {
  if (typeof value !== "string") throw invalidOption(name, value, fix);
  if (Object.hasOwn(NAMED, value)) return NAMED[/** @type {keyof typeof NAMED} */ (value)];
  const [address, bits, ...rest] = value.split("/");
  const family = isIP(address);
  const longest = family === 4 ? 32 : 128;
  const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest);
  if (family === 0 || address.includes("%") || !isNetwork || rest.length > 0)
    throw invalidOption(name, value, fix);
  return [value];
}

/**
 * @param {unknown} value the option `proxyProtocol`
 * @returns {string[] | undefined} the networks from which connections begin with its header; none: all do; undefined: none does
 * @throws {TypeError} when it can't have that value
 */
function readProxyProtocol(value) {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return [];
  const fix = 'give true, or from where such connections come, as in { from: ["10.0.0.0/8"] }';
  if (typeof value !== "object") throw invalidOption("option proxyProtocol", value, fix);
  checkParts("proxyProtocol", value, ["from"]);
  const { from } = /** @type {{ from?: unknown }} */ (value);
  const names = typeof from === "string" ? from.split(",") : from;
  if (!Array.isArray(names) || names.length === 0)
    throw invalidOption("option proxyProtocol.from", from, fix);
  return names.flatMap((each) =>
    networksOf("option proxyProtocol.from", typeof each === "string" ? each.trim() : each, fix),
  );
}

module.exports = { readProxyProtocol, readTrustProxy };
