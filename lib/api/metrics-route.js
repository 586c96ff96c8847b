"use strict";

const { BlockList, isIP } = require("node:net");
const { inspect } = require("node:util");
const { invalidOption } = require("../base/errors");
const { interceptRequests } = require("../http");
const { CLASSIC, OPEN_METRICS, writeMetrics } = require("./metrics-text");

/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("node:http").ServerResponse} ServerResponse */
/** @typedef {(req: IncomingMessage) => unknown} Allow */
/** @typedef {{ path?: string, allow?: string[] | Allow }} RouteOptions */

const PATH = "/metrics";

/** From where they may be read unless the program says it: this machine, and private networks (RFC 1918, 4193, 6598, 3927, 4291). */
const PRIVATE = Object.freeze([
  "127.0.0.0/8",
  "::1/128",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
]);

/** Headers of proxies: whoever asks by one is not where the connection comes from. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/**
 * Serves metrics from an HTTP server.
 *
 * @param {import("node:http").Server} server
 * @param {true | RouteOptions} options
 * @param {() => import("./metrics").Metrics} read
 */
function serveMetrics(server, options, read) {
  const { path = PATH, allow = PRIVATE } = options === true ? {} : options;
  const isAllowed = typeof allow === "function" ? allow : allowedFrom(allow);
  interceptRequests(server, (req, res) => {
    if (pathOf(req.url) !== path) return false;
    answer(req, res, isAllowed, read);
    return true;
  });
}

/**
 * @param {IncomingMessage} req
 * @param {ServerResponse} res
 * @param {Allow} isAllowed
 * @param {() => import("./metrics").Metrics} read
 */
async function answer(req, res, isAllowed, read) {
  let allowed;
  try {
    allowed = await isAllowed(req);
  } catch (error) {
    // not thrown: whoever can send a request could end the process by it
    warnOnce(isAllowed, error);
    if (!res.headersSent) refuse(res, 500, "the option metrics.allow has thrown\n");
    return;
  }
  if (res.headersSent) return; // by a listener that was added later, which hears of all requests
  if (!allowed) {
    const from = `${req.socket.remoteAddress}${isForwarded(req) ? ", by a proxy" : ""}`;
    refuse(res, 403, `metrics are not for ${from}: see the option metrics.allow\n`);
  } else if (req.method !== "GET" && req.method !== "HEAD") {
    res.setHeader("Allow", "GET, HEAD");
    refuse(res, 405, "metrics are read by GET\n");
  } else {
    const classic = !/application\/openmetrics-text/.test(req.headers.accept ?? "");
    res.setHeader("Cache-Control", "no-store");
    res.setHeader("Content-Type", classic ? CLASSIC : OPEN_METRICS);
    res.end(req.method === "HEAD" ? undefined : writeMetrics(read(), classic));
  }
}

/** The functions of programs that have thrown, and of which has been told. @type {WeakSet<Allow>} */
const warned = new WeakSet();

/**
 * @param {Allow} isAllowed
 * @param {unknown} error that it has thrown
 */
function warnOnce(isAllowed, error) {
  if (warned.has(isAllowed)) return;
  warned.add(isAllowed);
  const told = `option metrics.allow has thrown: ${inspect(error)}`;
  const fix = "Such requests get 500; have it return false for whom it refuses.";
  process.emitWarning(`${told}\n${fix}`, { code: "SIO_WARN_METRICS_ALLOW" });
}

/**
 * @param {ServerResponse} res
 * @param {number} status
 * @param {string} text
 */
function refuse(res, status, text) {
  res.statusCode = status;
  res.setHeader("Content-Type", "text/plain; charset=utf-8");
  res.end(text);
}

/**
 * @param {string} [url]
 * @returns {string} its path
 */
function pathOf(url = "") {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

/**
 * @param {readonly string[]} networks
 * @returns {(req: IncomingMessage) => boolean} whether a request comes from one of these, and not by a proxy
 */
function allowedFrom(networks) {
  const list = blockList(networks);
  return (req) => {
    if (isForwarded(req)) return false;
    const address = (req.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
    if (address === "") return true; // by a Unix socket: of this machine
    return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  };
}

/** @param {IncomingMessage} req @returns {boolean} whether a proxy says that it is before us */
function isForwarded(req) {
  return FORWARDED.some((name) => req.headers[name] !== undefined);
}

/**
 * @param {readonly string[]} networks
 * @returns {BlockList}
 */
function blockList(networks) {
  const list = new BlockList();
  for (const network of networks) {
    const [address, bits, ...rest] = network.split("/");
    // `Number("")` would be 0, which is everybody
    if (rest.length > 0 || (bits !== undefined && !/^\d+$/.test(bits)))
      throw new RangeError(network);
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * @param {unknown} value the option `metrics`
 * @throws {TypeError} when it can't have that value
 */
function checkMetrics(value) {
  if (value === undefined || value === null || typeof value === "boolean") return;
  if (typeof value !== "object")
    throw invalidOption("option metrics", value, "give true, or an object with path and allow");
  const { path, allow } = /** @type {{ path?: unknown, allow?: unknown }} */ (value);
  if (path !== undefined && (typeof path !== "string" || !path.startsWith("/")))
    throw invalidOption("option metrics.path", path, 'give a path, as in "/metrics"');
  if (allow === undefined || typeof allow === "function") return;
  const fix = 'give a function, or an array of addresses and networks, as in ["10.0.0.0/8"]';
  if (!Array.isArray(allow)) throw invalidOption("option metrics.allow", allow, fix);
  for (const network of allow) {
    try {
      blockList([network]);
    } catch {
      throw invalidOption("option metrics.allow", network, fix);
    }
  }
}

module.exports = { checkMetrics, FORWARDED, PRIVATE, serveMetrics };
