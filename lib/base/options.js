"use strict";

const { constants } = require("node:buffer");
const { invalidOption } = require("./errors");
const { readAdmission } = require("./admission");
const { readLimits } = require("./limits");
const { readProxyProtocol, readTrustProxy } = require("./trust-proxy");

// The table of options. The code reads defaults and bounds here; `npm run api-table` writes docs/OPTIONS.md from it, and
// __test__/options.test.js holds types/options.d.ts against it.
//
// What upstream takes is taken, with the meaning that it has there: numbers often come as text, or not at all, from
// `process.env`. What ends upstream's process or its clients at the first request is refused when the server is made.

/**
 * @typedef {object} Option
 * @property {string} name
 * @property {"engine" | "server" | "attach" | "connectionStateRecovery"} of where it belongs; "attach": to an HTTP server
 * @property {string} type
 * @property {any} [value] the default, as far as it is a plain value
 * @property {string} [otherwise] the default in words
 * @property {string} bounds what is taken, and what it means
 * @property {string} reason why there is a limit, or this default
 * @property {boolean} [ours] whether upstream does not have it
 * @property {(value: any, opts: any) => void} [check] throws at what can't be taken
 */

/**
 * The options of an engine that the lower floors read, once they have been checked. A program may change them.
 *
 * @typedef {object} EngineOptions
 * @property {string | string[]} transports
 * @property {number} upgradeTimeout ms
 * @property {number} maxHttpBufferSize bytes
 * @property {number} maxBufferedChunks
 * @property {number} httpRequestBodyTimeout ms
 * @property {unknown} allowRequest
 * @property {unknown} cookie
 * @property {unknown} perMessageDeflate
 * @property {boolean | null | HttpCompression} [httpCompression]
 * @property {unknown} [tls]
 * @property {unknown} [trustProxy]
 * @property {unknown} [proxyProtocol]
 * @property {false | null | CrossOrigin} [cors] it may also be a function, which has no parts
 */

/** @typedef {{ threshold?: unknown }} HttpCompression */
/** @typedef {{ origin?: unknown } & Record<string, unknown>} CrossOrigin */

/** The longest time of Node's timers, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1;
const TIME =
  "any number, also as text; what `setTimeout()` does not take (from 1 to 2^31 − 1) is 1 ms";
const COMPATIBLE = "as upstream";

/** Bytes that a message may have, whatever `maxHttpBufferSize` says: no string is longer. See src/net/record.rs. */
const LONGEST_MESSAGE = constants.MAX_STRING_LENGTH - 1024;

/** What may be done with a client that does not read, see `bufferPolicy`. */
const POLICIES = ["disconnect", "dropVolatile"];

/**
 * @param {any} value
 * @returns {number} NaN for what is no number, whatever it is
 */
function numberOf(value) {
  try {
    return Number(value);
  } catch {
    return NaN;
  }
}

/**
 * @param {any} value an option
 * @returns {number} ms, as `setTimeout()` reads it
 */
function milliseconds(value) {
  const time = numberOf(value);
  return time >= 1 && time <= LONGEST_TIMER ? Math.trunc(time) : 1;
}

/**
 * @param {any} value an option that a length is compared with
 * @returns {number} the longest that is allowed; no length is ever greater than what is no number
 */
function longest(value) {
  const length = numberOf(value);
  return Number.isNaN(length) ? Infinity : length;
}

/**
 * @param {any} value `maxHttpBufferSize`
 * @param {boolean} withPolling whether long-polling is offered
 * @returns {number} bytes; `ws` takes what is less than 1 for no limit
 */
function payloadLimit(value, withPolling) {
  const bytes = longest(value);
  return bytes < 1 && !withPolling ? Infinity : bytes;
}

/**
 * @param {any} value `maxBufferedChunks`
 * @returns {number} chunks that a body, or a frame of a WebSocket, may come in; what is no number from 1 on is no limit
 */
function maxChunks(value) {
  const count = numberOf(value);
  return count >= 1 ? count : Infinity;
}

/**
 * Reads how much may wait for a client that does not read.
 *
 * @param {{ maxBufferedBytes?: any, bufferPolicy?: any }} opts
 * @returns {{ maxBufferedBytes: number | undefined, dropVolatile: boolean }} as the workers need it
 * @throws {TypeError} when an option can't have its value
 */
function bufferLimits({ maxBufferedBytes, bufferPolicy = POLICIES[0] }) {
  if (!POLICIES.includes(bufferPolicy))
    throw invalidOption("option bufferPolicy", bufferPolicy, `give one of ${POLICIES.join(", ")}`);
  const dropVolatile = bufferPolicy === "dropVolatile";
  if (maxBufferedBytes == null || maxBufferedBytes === Infinity)
    return { maxBufferedBytes: undefined, dropVolatile };
  if (typeof maxBufferedBytes !== "number" || !(maxBufferedBytes >= 1)) {
    const fix = "give a number of bytes from 1 on, or leave it out for no limit";
    throw invalidOption("option maxBufferedBytes", maxBufferedBytes, fix);
  }
  return { maxBufferedBytes, dropVolatile };
}

/**
 * @param {string} name
 * @returns {(value: any) => void}
 */
function checkTime(name) {
  return (value) => {
    if (isUnreadable(value))
      throw invalidOption(`option ${name}`, value, "give a number of milliseconds");
  };
}

/**
 * @param {any} value
 * @returns {boolean} whether arithmetic throws
 */
function isUnreadable(value) {
  if (typeof value === "bigint") return true;
  try {
    Number(value);
    return false;
  } catch {
    return true; // a symbol, or an object that is no value
  }
}

/**
 * @param {any} value
 * @param {any} opts
 */
function checkPayloadLimit(value, { transports }) {
  const name = "option maxHttpBufferSize";
  if (isUnreadable(value)) throw invalidOption(name, value, "give a number of bytes");
  if (longest(value) < 1 && transports.includes("polling"))
    throw invalidOption(
      name,
      value,
      "by polling nothing could be sent; for no limit give Infinity",
    );
}

/** @param {any} value */
function checkTransports(value) {
  if (typeof value !== "string" && !Array.isArray(value))
    throw invalidOption(
      "option transports",
      value,
      'give an array, as in ["polling", "websocket"]',
    );
}

/**
 * @param {string} name
 * @returns {(value: any) => void}
 */
function checkFunction(name) {
  return (value) => {
    if (value && typeof value !== "function")
      throw invalidOption(`option ${name}`, value, "give a function, or leave it out");
  };
}

/** @param {any} value */
function checkPath(value) {
  if (value && typeof value !== "string")
    throw invalidOption("option path", value, 'give a text, as in "/socket.io"');
}

/** @param {any} value */
function checkParser(value) {
  if (value && !["Encoder", "Decoder"].every((name) => typeof value[name] === "function"))
    throw invalidOption(
      "option parser",
      value,
      "give an object with the classes Encoder and Decoder",
    );
}

/** @param {any} value */
function checkTls(value) {
  if (value !== undefined && value !== "native")
    throw invalidOption("option tls", value, 'give "native", or leave it out');
}

/** @param {any} value */
function checkStoredBytes(value) {
  if (value !== undefined && !(numberOf(value) >= 0))
    throw invalidOption(
      "option connectionStateRecovery.maxStoredBytes",
      value,
      "give a number of bytes",
    );
}

/** @type {readonly Option[]} */
const OPTIONS = [
  {
    name: "path",
    of: "server",
    type: "string",
    value: "/socket.io",
    bounds: "a text; empty or nothing: the default",
    reason: COMPATIBLE,
    check: checkPath,
  },
  {
    name: "serveClient",
    of: "server",
    type: "boolean",
    value: true,
    bounds: "only `false` turns it off",
    reason: COMPATIBLE,
  },
  {
    name: "connectTimeout",
    of: "server",
    type: "number",
    value: 45_000,
    bounds: `${TIME}; 0, "" or nothing: the default`,
    reason: "a client that joins nothing must not stay",
    check: checkTime("connectTimeout"),
  },
  {
    name: "adapter",
    of: "server",
    type: "AdapterConstructor",
    otherwise: "one whose broadcasts are fanned out by the workers",
    bounds: "a class",
    reason: COMPATIBLE,
  },
  {
    name: "parser",
    of: "server",
    type: "any",
    otherwise: "that of the protocol",
    bounds: "an object with the classes `Encoder` and `Decoder`",
    reason: COMPATIBLE,
    check: checkParser,
  },
  {
    name: "origins",
    of: "server",
    type: "Origins",
    otherwise: "everyone",
    bounds: "as in Socket.IO 2.x",
    reason: "deprecated: use `cors` and `allowRequest`",
  },
  {
    name: "connectionStateRecovery",
    of: "server",
    type: "ConnectionStateRecoveryOptions",
    otherwise: "off",
    bounds: "an object, or `true` for its defaults",
    reason: COMPATIBLE,
  },
  {
    name: "maxDisconnectionDuration",
    of: "connectionStateRecovery",
    type: "number",
    value: 120_000,
    bounds: "any number of ms, also as text; what is no number: for ever",
    reason: COMPATIBLE,
    check: checkTime("connectionStateRecovery.maxDisconnectionDuration"),
  },
  {
    name: "skipMiddlewares",
    of: "connectionStateRecovery",
    type: "boolean",
    value: true,
    bounds: "anything",
    reason: COMPATIBLE,
  },
  {
    name: "maxStoredBytes",
    of: "connectionStateRecovery",
    type: "number",
    value: 67_108_864,
    bounds: "0 or more",
    reason: "two minutes of half a megabyte a second",
    ours: true,
    check: checkStoredBytes,
  },
  {
    name: "cleanupEmptyChildNamespaces",
    of: "server",
    type: "boolean",
    value: false,
    bounds: "anything",
    reason: COMPATIBLE,
  },
  {
    name: "workers",
    of: "server",
    type: "number",
    otherwise: "the number of cores − 1, at least 1 and at most 4",
    bounds: "a whole number from 1 to 16",
    reason: "a handle of a connection has 4 bits for its worker",
    ours: true,
  },
  {
    name: "metrics",
    of: "server",
    type: "boolean | MetricsOptions",
    value: false,
    bounds:
      '`true`, or an object: `path` ("/metrics"), `allow` (networks, or a function that is given the request)',
    reason:
      "who may ask learns how much a server has to do: private networks, unless `allow` says otherwise",
    ours: true,
  },
  {
    name: "shutdown",
    of: "server",
    type: "Signals[] | ShutdownOptions",
    otherwise: "signals are the program's",
    bounds:
      'an array of signals, as in `["SIGTERM"]`, or an object: `signals`, and `over` and `acks` of `io.drain()`',
    reason:
      "what a deploy sends: the clients go to another server one by one, and the process ends",
    ours: true,
  },
  {
    name: "takeOver",
    of: "server",
    type: "string",
    otherwise: "no clients of another process",
    bounds:
      "the path that the other process gives to `io.handOver()`, of 102 bytes at most; the HTTP server must not listen yet",
    reason: "a restart that no client notices; where nobody hands over, all is as without it",
    ours: true,
  },
  {
    name: "addTrailingSlash",
    of: "attach",
    type: "boolean",
    value: true,
    bounds: "only `false` turns it off",
    reason: COMPATIBLE,
  },
  {
    name: "destroyUpgrade",
    of: "attach",
    type: "boolean",
    value: true,
    bounds: "only `false` turns it off",
    reason: "upgrade requests that nobody answers must not stay",
  },
  {
    name: "destroyUpgradeTimeout",
    of: "attach",
    type: "number",
    value: 1000,
    bounds: `${TIME}; 0, "" or nothing: the default`,
    reason: COMPATIBLE,
    check: checkTime("destroyUpgradeTimeout"),
  },
  {
    name: "pingTimeout",
    of: "engine",
    type: "number",
    value: 20_000,
    bounds: TIME,
    reason: "a dead client must not stay",
    check: checkTime("pingTimeout"),
  },
  {
    name: "pingInterval",
    of: "engine",
    type: "number",
    value: 25_000,
    bounds: TIME,
    reason: "shorter than what proxies take for idle",
    check: checkTime("pingInterval"),
  },
  {
    name: "upgradeTimeout",
    of: "engine",
    type: "number",
    value: 10_000,
    bounds: TIME,
    reason: "half an upgrade must not stay",
    check: checkTime("upgradeTimeout"),
  },
  {
    name: "maxHttpBufferSize",
    of: "engine",
    type: "number",
    value: 1e6,
    bounds:
      "any number of bytes from 1 on, also as text; `Infinity` or what is no number: no limit; less than 1: no limit, and only without polling",
    reason: "the memory that one client can take",
    check: checkPayloadLimit,
  },
  {
    name: "httpRequestBodyTimeout",
    of: "engine",
    type: "number",
    value: 30_000,
    bounds: TIME,
    reason: "half a body must not stay",
    check: checkTime("httpRequestBodyTimeout"),
  },
  {
    name: "maxBufferedChunks",
    of: "engine",
    type: "number",
    value: 10_000,
    bounds: "any number from 1 on, also as text; all else: no limit",
    reason: "the work that one client can make",
    check: checkTime("maxBufferedChunks"),
  },
  {
    name: "transports",
    of: "engine",
    type: "TransportName[]",
    value: ["polling", "websocket"],
    bounds: "an array, or a text in which names are looked for; unknown ones mean nothing",
    reason: COMPATIBLE,
    check: checkTransports,
  },
  {
    name: "allowUpgrades",
    of: "engine",
    type: "boolean",
    value: true,
    bounds: "anything",
    reason: COMPATIBLE,
  },
  {
    name: "allowRequest",
    of: "engine",
    type: "function",
    otherwise: "everyone may connect",
    bounds: "a function, or nothing",
    reason: COMPATIBLE,
    check: checkFunction("allowRequest"),
  },
  {
    name: "perMessageDeflate",
    of: "engine",
    type: "boolean | PerMessageDeflateOptions",
    value: false,
    bounds: "anything true, or the options of `ws`: windows of 8 to 15 bits, a level from −1 to 9",
    reason: "it costs memory for each client",
  },
  {
    name: "httpCompression",
    of: "engine",
    type: "boolean | HttpCompressionOptions",
    value: { threshold: 1024 },
    bounds: "anything true, or the options of zlib; nothing, `null` or `false`: off",
    reason: COMPATIBLE,
  },
  {
    name: "wsEngine",
    of: "engine",
    type: "any",
    otherwise: "not used",
    bounds: "anything",
    reason: "WebSockets are served natively",
  },
  {
    name: "initialPacket",
    of: "engine",
    type: "any",
    otherwise: "none",
    bounds: "a text or bytes; all else as text",
    reason: COMPATIBLE,
  },
  {
    name: "cookie",
    of: "engine",
    type: "(CookieSerializeOptions & { name: string }) | boolean",
    otherwise: "none",
    bounds: "what can be written as a cookie",
    reason: COMPATIBLE,
  },
  {
    name: "cors",
    of: "engine",
    type: "CorsOptions | CorsOptionsDelegate",
    value: false,
    bounds: "what the package `cors` takes",
    reason: COMPATIBLE,
  },
  {
    name: "allowEIO3",
    of: "engine",
    type: "boolean",
    value: false,
    bounds: "anything",
    reason: COMPATIBLE,
  },
  {
    name: "maxBufferedBytes",
    of: "engine",
    type: "number",
    otherwise: "no limit",
    bounds: "a number of bytes from 1 on; `Infinity` or nothing: no limit",
    reason: "the memory that one client can take by not reading",
    ours: true,
  },
  {
    name: "bufferPolicy",
    of: "engine",
    type: '"disconnect" | "dropVolatile"',
    value: "disconnect",
    bounds: "one of the two",
    reason: "a client that does not read is gone, mostly",
    ours: true,
  },
  {
    name: "admission",
    of: "engine",
    type: "boolean | AdmissionOptions",
    value: false,
    bounds:
      "`true`, or an object: `inboxAge` (ms; 10000), `inboxBytes`, `memory` (bytes, Linux only): what is too much",
    reason: "nobody is kept out unless it is said",
    ours: true,
    check: readAdmission,
  },
  {
    name: "limits",
    of: "engine",
    type: "LimitsOptions",
    otherwise: "no limits",
    bounds: "an object; what is misspelt in it is refused (docs/limits.md)",
    reason:
      "who comes too often, or in too great numbers, must not take the server from the others",
    ours: true,
    check: readLimits,
  },
  {
    name: "tls",
    of: "engine",
    type: '"native"',
    otherwise: "Node.js speaks TLS",
    bounds: '"native", or nothing',
    reason: "who speaks TLS for HTTPS servers: the workers, or this thread",
    ours: true,
    check: checkTls,
  },
  {
    name: "trustProxy",
    of: "engine",
    type: "TrustedProxies | TrustProxyOptions",
    value: false,
    bounds:
      'how many proxies are before the server; `true`: all; their addresses and networks, as in `["loopback", "10.0.0.0/8"]`; or an object: `proxies`, `header` ("x-forwarded-for")',
    reason:
      "whose word about where a request comes from is taken: anybody can write such a header, so nobody's unless it is said",
    ours: true,
    check: readTrustProxy,
  },
  {
    name: "proxyProtocol",
    of: "engine",
    type: "boolean | ProxyProtocolOptions",
    value: false,
    bounds:
      "`true`: every connection begins with its header; or an object: `from` (networks), then those from there do; Linux only",
    reason: "a connection without the header is closed, so it has to be said who sends it",
    ours: true,
    check: readProxyProtocol,
  },
];

/**
 * @param {Option["of"]} of
 * @returns {Record<string, any>} the defaults of the options there
 */
function defaultsOf(of) {
  const own = OPTIONS.filter((option) => option.of === of && option.value !== undefined);
  return Object.fromEntries(own.map(({ name, value }) => [name, structuredClone(value)]));
}

const ENGINE_DEFAULTS = Object.freeze(defaultsOf("engine"));

/**
 * Refuses what can't be taken.
 *
 * @param {any} opts as programs give them; what is missing has its default
 * @throws {TypeError} that names option, value and fix
 */
function checkOptions(opts) {
  const all = { ...ENGINE_DEFAULTS, ...opts };
  const recovery = Object(all.connectionStateRecovery);
  for (const { name, of, check } of OPTIONS) {
    const from = of === "connectionStateRecovery" ? recovery : all;
    if (check && Object.hasOwn(from, name)) check(from[name], all);
  }
}

/** Times that drop everybody when they are 1 ms. */
const HEARTBEAT = ["pingInterval", "pingTimeout"];

/**
 * Tells of a time that is 1 ms because it is no time: it makes clients come and go, and nothing else tells why.
 *
 * @param {any} opts
 */
function warnOfTimes(opts) {
  for (const name of HEARTBEAT) {
    const value = opts[name];
    if (milliseconds(value) === 1 && numberOf(value) !== 1)
      process.emitWarning(`option ${name} is ${String(value)}, which setTimeout() takes for 1 ms`);
  }
}

module.exports = {
  ENGINE_DEFAULTS,
  LONGEST_MESSAGE,
  OPTIONS,
  bufferLimits,
  checkOptions,
  defaultsOf,
  maxChunks,
  milliseconds,
  numberOf,
  payloadLimit,
  warnOfTimes,
};
