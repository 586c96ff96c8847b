"use strict";

const tls = require("node:tls");
const { invalidOption, unusable } = require("../base/errors");

/** @typedef {import("../../native").LinkConfig} LinkConfig */

/**
 * What a program says; see types/redis.d.ts.
 *
 * @typedef {object} Options
 * @property {string | string[]} [url]
 * @property {boolean} [cluster]
 * @property {string} [sentinel]
 * @property {string} [username]
 * @property {string} [password]
 * @property {number} [database]
 * @property {Tls} [tls]
 * @property {string} [key]
 * @property {boolean} [sharded]
 * @property {boolean | StreamsOptions} [streams]
 * @property {Subscriptions} [subscriptionMode]
 * @property {number} [requestsTimeout]
 * @property {boolean} [publishOnSpecificResponseChannel]
 * @property {number} [maxBufferedBytes]
 * @property {number} [minBackoff]
 * @property {number} [maxBackoff]
 * @property {number} [connectTimeout]
 *
 * @typedef {object} StreamsOptions
 * @property {string} [streamName]
 * @property {number} [streamCount]
 * @property {number} [maxLen]
 * @property {number} [maxAge]
 * @property {number} [readCount]
 * @property {string} [sessionKeyPrefix]
 *
 * @typedef {{ ca?: Pem, cert?: Pem, key?: Pem, rejectUnauthorized?: boolean }} Tls
 * @typedef {string | Buffer | (string | Buffer)[]} Pem
 * @typedef {"static" | "dynamic" | "dynamic-private"} Subscriptions
 */

/**
 * The same, with nothing left out.
 *
 * @typedef {object} Settings
 * @property {LinkConfig} link
 * @property {string} key
 * @property {boolean} sharded
 * @property {StreamSettings | undefined} streams
 * @property {Subscriptions} subscriptions
 * @property {number} requestsTimeout ms
 * @property {boolean} specific
 */

const DEFAULTS = Object.freeze({
  url: "redis://localhost:6379",
  key: "socket.io",
  requestsTimeout: 5_000, // ms; these two are upstream's
});

/**
 * How streams are used.
 *
 * @typedef {{ name: string, count: number, maxLen: number, maxAge: number | undefined, readCount: number, sessionPrefix: string }} StreamSettings
 */

/** The defaults of upstream. */
const STREAM_DEFAULTS = Object.freeze({
  streamName: "socket.io",
  streamCount: 1,
  maxLen: 10_000,
  readCount: 100,
  sessionKeyPrefix: "sio:session:",
});

const SCHEMES = ["redis:", "rediss:", "unix:", "redis+unix:"];
const SUBSCRIPTIONS = ["static", "dynamic", "dynamic-private"];
const LONGEST_TIMER = 2 ** 31 - 1;

/** @type {Record<string, (name: string, value: any) => void>} what each option may be */
const CHECKS = {
  url: checkUrls,
  cluster: checkBoolean,
  sentinel: checkText,
  username: checkText,
  password: checkSecret,
  database: checkWhole(0, 2 ** 31 - 1, ""),
  tls: checkTls,
  key: checkText,
  sharded: checkBoolean,
  streams: checkStreams,
  subscriptionMode: checkSubscriptions,
  requestsTimeout: checkWhole(1, LONGEST_TIMER, " of milliseconds"),
  publishOnSpecificResponseChannel: checkBoolean,
  maxBufferedBytes: checkWhole(0, Number.MAX_SAFE_INTEGER, " of bytes"),
  minBackoff: checkWhole(1, LONGEST_TIMER, " of milliseconds"),
  maxBackoff: checkWhole(1, LONGEST_TIMER, " of milliseconds"),
  connectTimeout: checkWhole(1, LONGEST_TIMER, " of milliseconds"),
};

/** @type {Record<string, (name: string, value: any) => void>} the same of streams */
const STREAM_CHECKS = {
  streamName: checkText,
  streamCount: checkWhole(1, 1_000, ""),
  maxLen: checkWhole(1, 2 ** 40, " of entries"),
  maxAge: checkWhole(1, 2 ** 40, " of milliseconds"),
  readCount: checkWhole(1, 10_000, " of entries"),
  sessionKeyPrefix: checkText,
};

/**
 * @param {string | URL | Options} [given] a URL, or options
 * @param {Options} [more] options beside a URL
 * @returns {Settings}
 * @throws {TypeError} for what can't be meant
 */
function readOptions(given, more) {
  // of a URL object, nothing would be left: its parts are not its own
  const isText = typeof given === "string" || given instanceof URL;
  const options = { ...more, ...(isText ? { url: String(given) } : given) };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (Object.hasOwn(CHECKS, name)) CHECKS[name](name, value);
    else unknown(name, Object.keys(CHECKS));
  }
  const { url = DEFAULTS.url, key = DEFAULTS.key, sharded = false } = options;
  const { cluster, sentinel, username, password, database } = options;
  if (cluster && sentinel !== undefined)
    throw invalidOption("option sentinel", sentinel, "give it or `cluster`, not both");
  const { streams, subscriptionMode } = options;
  if (streams && subscriptionMode !== undefined && subscriptionMode !== "static") {
    const fix = "leave it out: by a stream comes all of a namespace";
    throw invalidOption("option subscriptionMode", subscriptionMode, fix);
  }
  const { maxBufferedBytes, minBackoff, maxBackoff, connectTimeout } = options;
  const urls = typeof url === "string" ? [url] : url;
  return {
    link: {
      urls,
      cluster,
      sentinel,
      username,
      password,
      database,
      maxBufferedBytes,
      minBackoff,
      maxBackoff,
      connectTimeout,
      ...tlsConfig(urls, options.tls),
    },
    key,
    sharded,
    streams: streams ? streamSettings(streams === true ? {} : streams) : undefined,
    subscriptions: options.subscriptionMode ?? (sharded ? "dynamic" : "static"),
    requestsTimeout: options.requestsTimeout ?? DEFAULTS.requestsTimeout,
    specific: options.publishOnSpecificResponseChannel ?? false,
  };
}

/**
 * @param {StreamsOptions} given
 * @returns {StreamSettings}
 */
function streamSettings(given) {
  const options = { ...STREAM_DEFAULTS };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) Object.assign(options, { [name]: value });
  const { streamName: name, streamCount: count, maxLen, readCount } = options;
  const { sessionKeyPrefix: sessionPrefix } = options;
  return { name, count, maxLen, maxAge: given.maxAge, readCount, sessionPrefix };
}

/**
 * @param {string[]} urls
 * @param {Tls} [given]
 * @returns {{ ca?: string, cert?: string, key?: string, rejectUnauthorized?: boolean }}
 */
function tlsConfig(urls, given) {
  if (!urls.some((url) => url.startsWith("rediss:"))) return {};
  const { ca, cert, key, rejectUnauthorized } = given ?? {};
  return {
    // whom Node.js trusts
    ca: pem(ca) ?? tls.rootCertificates.join("\n"),
    cert: pem(cert),
    key: pem(key),
    rejectUnauthorized,
  };
}

/**
 * @param {Pem} [value]
 * @returns {string | undefined}
 */
function pem(value) {
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? value : [value]).map(String).join("\n");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkUrls(name, value) {
  const urls = Array.isArray(value) ? value : [value];
  const fix = `give ${SCHEMES.map((scheme) => `${scheme}//…`).join(" or ")}`;
  if (urls.length === 0) throw invalidOption(`option ${name}`, value, fix);
  for (const url of urls) {
    const isKnown =
      typeof url === "string" && SCHEMES.some((scheme) => url.startsWith(`${scheme}/`));
    // what is wrong with it is not shown: there may be a password in it
    if (!isKnown)
      throw unusable(`option ${name}`, typeof url === "string" ? "this text" : typeof url, fix);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkBoolean(name, value) {
  if (typeof value !== "boolean")
    throw invalidOption(`option ${name}`, value, "give true or false, or leave it out");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkText(name, value) {
  if (typeof value !== "string" || value === "")
    throw invalidOption(`option ${name}`, value, "give a text, or leave it out");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkSecret(name, value) {
  if (typeof value !== "string")
    throw unusable(`option ${name}`, typeof value, "give a text, or leave it out");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkTls(name, value) {
  if (typeof value !== "object" || value === null)
    throw invalidOption(
      `option ${name}`,
      value,
      "give an object with ca, cert, key, or leave it out",
    );
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkStreams(name, value) {
  if (typeof value === "boolean") return;
  if (typeof value !== "object" || value === null)
    throw invalidOption(
      `option ${name}`,
      value,
      "give true, an object of options, or leave it out",
    );
  for (const [inner, given] of Object.entries(value)) {
    if (given === undefined) continue;
    if (Object.hasOwn(STREAM_CHECKS, inner)) STREAM_CHECKS[inner](`${name}.${inner}`, given);
    else unknown(`${name}.${inner}`, Object.keys(STREAM_CHECKS));
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function checkSubscriptions(name, value) {
  if (typeof value !== "string" || !SUBSCRIPTIONS.includes(value))
    throw invalidOption(`option ${name}`, value, `give one of ${SUBSCRIPTIONS.join(", ")}`);
}

/**
 * @param {number} least
 * @param {number} most
 * @param {string} unit
 * @returns {(name: string, value: unknown) => void}
 */
function checkWhole(least, most, unit) {
  return (name, value) => {
    const isIn = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
    const fix = `give a whole number${unit} from ${least} to ${most}, or leave it out`;
    if (!isIn) throw invalidOption(`option ${name}`, value, fix);
  };
}

/**
 * @param {string} name
 * @param {string[]} names those that there are
 * @returns {never}
 */
function unknown(name, names) {
  const fix = `the options are ${names.join(", ")}`;
  throw invalidOption("an option's name", name, fix);
}

module.exports = { readOptions };
