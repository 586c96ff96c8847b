"use strict";

// The options of an engine: how they are read, how the workers are told of those that a program changes later, and what the
// workers are told. What each option may be: see lib/base/options.js.

const { bare } = require("../base/bare");
const { isAnyArrayBuffer, isArrayBufferView } = require("node:util/types");
const debug = require("debug")("engine");
const { workerCount } = require("../border");
const { checkHttpCompression, deflateOptions, nativeDeflate, serializeCookie } = require("../http");
const { copyOf } = require("../base/bytes");
const { unusable } = require("../base/errors");
const { readAdmission } = require("../base/admission");
const { readLimits } = require("../base/limits");
const {
  ENGINE_DEFAULTS,
  bufferLimits,
  checkOptions,
  maxChunks,
  milliseconds,
  payloadLimit,
  warnOfTimes,
} = require("../base/options");
const { readTrustProxy } = require("../base/trust-proxy");

/** Options of which the workers are told when a program changes them in `engine.opts`. */
const LIVE = [
  "transports",
  "pingTimeout",
  "pingInterval",
  "upgradeTimeout",
  "maxHttpBufferSize",
  "httpRequestBodyTimeout",
  "maxBufferedChunks",
  "allowUpgrades",
  "initialPacket",
  "maxBufferedBytes",
  "bufferPolicy",
  "trustProxy",
];

/** Options that Socket.IO 2.x has as properties of the engine. */
const SETTINGS = [
  "pingTimeout",
  "pingInterval",
  "upgradeTimeout",
  "maxHttpBufferSize",
  "transports",
  "allowUpgrades",
  "allowRequest",
  "httpCompression",
  "initialPacket",
];

const COOKIE_DEFAULTS = { name: "io", path: "/", httpOnly: true, sameSite: "lax" };

/**
 * Reads the options of a new engine.
 *
 * @param {any} given by the program
 * @returns {any} all of them
 * @throws {TypeError} when one can't have its value
 */
function readOptions(given) {
  const opts = { ...ENGINE_DEFAULTS, ...given };
  checkOptions(opts);
  warnOfTimes(opts);
  workerCount(given.workers); // a wrong value is told at once, not at the first request
  bufferLimits(given);
  checkHttpCompression(opts.httpCompression);
  opts.perMessageDeflate = deflateOptions(given.perMessageDeflate);
  if (given.wsEngine) debug("option wsEngine is not used: WebSockets are served natively");
  if (given.cookie) opts.cookie = cookieOptions(given.cookie);
  return opts;
}

/**
 * Reads options that a program gives in place of those that were there.
 *
 * @param {any} given
 * @returns {any} the same object, if it can be extended: what it lacks has been given its default
 * @throws {TypeError} when one can't have its value
 */
function replaceOptions(given) {
  checkOptions(given);
  const filled = { ...ENGINE_DEFAULTS, ...given };
  filled.perMessageDeflate = deflateOptions(filled.perMessageDeflate);
  return Object.isExtensible(given) ? Object.assign(given, filled) : filled;
}

/**
 * Has a function called when a program changes an option that the workers have to be told of.
 *
 * @param {any} opts
 * @param {() => void} onchange
 */
function keepLive(opts, onchange) {
  for (const name of LIVE) defineLive(opts, name, opts[name], Object.hasOwn(opts, name), onchange);
}

/**
 * The same with an object of its own, which no program has yet. V8 looks up the properties of an object in which a value becomes
 * an accessor, and each turn of the event loop reads some.
 *
 * @param {any} opts
 * @param {() => void} onchange
 * @returns {any} another object with these options
 */
function liveOptions(opts, onchange) {
  /** @type {any} */
  const live = {};
  for (const name of Reflect.ownKeys(opts))
    if (LIVE.includes(/** @type {string} */ (name)))
      defineLive(live, /** @type {string} */ (name), opts[name], true, onchange);
    else live[name] = opts[name];
  for (const name of LIVE)
    if (!Object.hasOwn(live, name)) defineLive(live, name, undefined, false, onchange);
  return live;
}

/**
 * @param {any} opts
 * @param {string} name
 * @param {any} current its value
 * @param {boolean} enumerable
 * @param {() => void} onchange
 */
function defineLive(opts, name, current, enumerable, onchange) {
  Object.defineProperty(
    opts,
    name,
    bare({
      get: () => current,
      set(value) {
        const before = current;
        current = value;
        try {
          onchange();
        } catch (error) {
          current = before; // the workers can't use the new value, so it does not count here either
          throw error;
        }
      },
      enumerable,
      configurable: true,
    }),
  );
}

/**
 * Makes options properties of the engine, too.
 *
 * @param {{ opts: any, configure(): void }} engine
 */
function exposeSettings(engine) {
  for (const name of SETTINGS) {
    Object.defineProperty(
      engine,
      name,
      bare({
        get: () => engine.opts[name],
        set(value) {
          checkOptions({ ...engine.opts, [name]: value });
          engine.opts[name] = value;
          engine.configure();
        },
        enumerable: true,
        configurable: true,
      }),
    );
  }
}

/**
 * @param {any} opts
 * @returns {Omit<import("../border/border").ServerConfig, "connectTimeout">} what the workers need to know of them
 */
function workerOptions(opts) {
  const { transports } = opts;
  return {
    pingInterval: milliseconds(opts.pingInterval),
    pingTimeout: milliseconds(opts.pingTimeout),
    upgradeTimeout: milliseconds(opts.upgradeTimeout),
    maxHttpBufferSize: payloadLimit(opts.maxHttpBufferSize, transports.includes("polling")),
    httpRequestBodyTimeout: milliseconds(opts.httpRequestBodyTimeout),
    maxBufferedChunks: maxChunks(opts.maxBufferedChunks),
    polling: transports.includes("polling"),
    websocket: transports.includes("websocket"),
    webtransport: transports.includes("webtransport"),
    allowUpgrades: !!opts.allowUpgrades,
    perMessageDeflate: nativeDeflate(opts.perMessageDeflate),
    trustProxy: readTrustProxy(opts.trustProxy),
    initialPacket: messageOf(opts.initialPacket),
    limits: readLimits(opts.limits),
    admission: readAdmission(opts.admission),
    ...bufferLimits(opts),
  };
}

/**
 * @param {any} given the option `cookie`
 * @returns {any}
 * @throws {TypeError} when it can't be written
 */
function cookieOptions(given) {
  const cookie = { ...COOKIE_DEFAULTS, ...given };
  try {
    serializeCookie(cookie.name, "id", { ...cookie, encode: String });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw unusable("option cookie", JSON.stringify(given), message);
  }
  return cookie;
}

/**
 * @param {any} given the option `initialPacket`
 * @returns {string | Buffer | undefined}
 */
function messageOf(given) {
  if (!given) return undefined;
  return isArrayBufferView(given) || isAnyArrayBuffer(given) ? copyOf(given) : String(given);
}

module.exports = {
  exposeSettings,
  keepLive,
  liveOptions,
  readOptions,
  replaceOptions,
  workerOptions,
};
