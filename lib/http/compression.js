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
 * Throws what zlib would throw at the first message that is compressed.
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
 * @returns {any} the same as the workers want it, undefined when WebSocket messages are not compressed
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
 * @returns {boolean | undefined} `false` says something else than nothing
 */
function flag(value) {
  return value === undefined || value === null ? undefined : !!value;
}

/**
 * @param {any} value a number of bits, or false to refuse a limit
 * @returns {number | undefined} 0 for false; nothing when the client may choose
 */
function windowBits(value) {
  if (value === false) return 0;
  return typeof value === "number" ? value : undefined;
}

/**
 * Throws what would be thrown at the first answer that is compressed.
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
 * @returns {boolean} whether it is worth it; without a threshold everything is
 */
function isWorthIt(settings, length) {
  return !!settings && !(length < settings.threshold);
}

/**
 * @param {any} settings `httpCompression`
 * @returns {number | undefined} bytes from which on answers are compressed; undefined: none are
 */
function compressFrom(settings) {
  if (!settings) return undefined;
  const threshold = numberOf(settings.threshold);
  if (threshold === Infinity) return undefined;
  return threshold >= 0 ? threshold : 0; // nothing is shorter than what is no number
}

module.exports = {
  DEFAULT_THRESHOLD,
  compressFrom,
  ENCODERS,
  checkHttpCompression,
  deflateOptions,
  isWorthIt,
  nativeDeflate,
};
