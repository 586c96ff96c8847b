"use strict";

const zlib = require("node:zlib");
const { invalidOption } = require("../base/errors");
const { ENGINE_DEFAULTS, numberOf } = require("../base/options");

const DEFAULT_THRESHOLD = ENGINE_DEFAULTS.httpCompression.threshold; // bytes, of both kinds of compression
const DEFAULT_LEVEL = 6; // zlib's own

/**
 * The encodings of polling answers.
 *
 * @type {Record<string, (options: any) => import("node:zlib").Gzip | import("node:zlib").Deflate>}
 */
const ENCODERS = { gzip: zlib.createGzip, deflate: zlib.createDeflate };

/**
 * @param {any} option `perMessageDeflate`, as programs set it
 * @returns {any} the settings, or false
 */
function deflateOptions(option) {
  if (option) checkDeflate(option);
  return option ? { threshold: DEFAULT_THRESHOLD, ...(option === true ? {} : option) } : false;
}

/**
 * Throws now what zlib would throw when the first message is compressed.
 *
 * @param {any} option `perMessageDeflate`
 */
function checkDeflate({ serverMaxWindowBits, clientMaxWindowBits, zlibDeflateOptions }) {
  for (const [name, bits] of Object.entries({ serverMaxWindowBits, clientMaxWindowBits }))
    if (typeof bits === "number" && !(bits >= 8 && bits <= 15))
      throw invalidOption(`option perMessageDeflate.${name}`, bits, "give 8 to 15 bits");
  const level = zlibDeflateOptions?.level ?? -1;
  if (typeof level === "number" ? level < -1 || level > 9 : true) {
    const fix = "give a number from -1 to 9";
    throw invalidOption("option perMessageDeflate.zlibDeflateOptions.level", level, fix);
  }
}

/**
 * @param {any} settings what `deflateOptions` gave
 * @returns {any} the same as the workers take it; undefined: WebSocket messages are not compressed
 */
function nativeDeflate(settings) {
  if (!settings) return undefined;
  const level = settings.zlibDeflateOptions?.level;
  return {
    serverNoContextTakeover: flag(settings.serverNoContextTakeover),
    clientNoContextTakeover: !!settings.clientNoContextTakeover,
    serverMaxWindowBits: windowBits(settings.serverMaxWindowBits),
    clientMaxWindowBits: windowBits(settings.clientMaxWindowBits),
    threshold: numberOf(settings.threshold) || 0,
    level: Number.isInteger(level) && level >= 0 ? level : DEFAULT_LEVEL, // -1 is the default, too
  };
}

/**
 * @param {any} value
 * @returns {boolean | undefined} `false` refuses what a client offers, `undefined` leaves it to the client
 */
function flag(value) {
  return value === undefined || value === null ? undefined : !!value;
}

/**
 * @param {any} value a number of bits; false: a client that asks for a limit is refused
 * @returns {number | undefined} the same, with 0 for false; undefined: the client may choose
 */
function windowBits(value) {
  if (value === false) return 0;
  return typeof value === "number" ? value : undefined;
}

/**
 * Throws now what would be thrown when the first answer is compressed.
 *
 * @param {any} settings `httpCompression`
 */
function checkHttpCompression(settings) {
  const keys = typeof settings === "object" && settings !== null ? Object.keys(settings) : [];
  if (keys.some((key) => key !== "threshold")) zlib.createGzip(settings).close();
  compressFrom(settings);
}

/**
 * @param {any} settings `httpCompression`: false, true or the options of zlib with a threshold
 * @param {number} length bytes of an answer
 * @returns {boolean} whether it is long enough to be compressed; without a threshold every answer is
 */
function isWorthIt(settings, length) {
  return !!settings && !(length < settings.threshold);
}

/**
 * @param {any} settings `httpCompression`
 * @returns {number | undefined} the least number of bytes for an answer to be compressed; undefined: none is
 */
function compressFrom(settings) {
  if (!settings) return undefined;
  const threshold = numberOf(settings.threshold);
  if (threshold === Infinity) return undefined;
  return threshold >= 0 ? threshold : 0; // no length is less than NaN, so everything is compressed
}

module.exports = {
  compressFrom,
  ENCODERS,
  checkHttpCompression,
  deflateOptions,
  isWorthIt,
  nativeDeflate,
};
