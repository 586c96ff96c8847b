"use strict";

// The option `limits`: how much may come. It is read once, when the engine is made; docs/limits.md says what each part does.

const { invalidOption } = require("./errors");

/** So many a second, and so many at once. @typedef {{ rate: number, burst: number }} Rate */
/** @typedef {import("../../native").LimitsConfig} LimitsConfig */

/** Bits of an IPv6 address that name a network: a customer has one at least, and all addresses of it. */
const IPV6_PREFIX = 64;
/** More clients than a process can have: no limit is meant. */
const MOST_CLIENTS = 2 ** 32 - 1;

/**
 * Reads an option of ours that has parts.
 *
 * @param {string} path where it is, as in "limits.connects"
 * @param {any} value
 * @param {Record<string, (path: string, value: any) => unknown>} parts what reads each of them
 * @returns {Record<string, any>} those that are there
 * @throws {TypeError} when it is no object, or has a part of another name: a limit that is misspelt would be none
 */
function readParts(path, value, parts) {
  const names = Object.keys(parts);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(`option ${path}`, value, `give an object with some of ${names.join(", ")}`);
  for (const name of Object.keys(value))
    if (!names.includes(name))
      throw invalidOption(
        `option ${path}`,
        `an object with ${name}`,
        `its parts are ${names.join(", ")}`,
      );
  return Object.fromEntries(
    names
      .filter((name) => value[name] !== undefined)
      .map((name) => [name, parts[name](`${path}.${name}`, value[name])]),
  );
}

/**
 * @param {string} path
 * @param {any} value a number, or an object
 * @returns {Rate}
 */
function readRate(path, value) {
  if (typeof value === "number") return { rate: readSpeed(path, value), burst: Math.max(1, value) };
  const { rate, burst } = readParts(path, value, { rate: readSpeed, burst: readBurst });
  if (rate === undefined)
    throw invalidOption(`option ${path}.rate`, rate, "give a number for each second, as in 10");
  return { rate, burst: burst ?? Math.max(1, rate) };
}

/** @param {string} path @param {any} value @returns {number} */
function readSpeed(path, value) {
  if (typeof value !== "number" || !(value > 0) || value === Infinity)
    throw invalidOption(
      `option ${path}`,
      value,
      "give a number greater than 0 for each second, or leave it out for no limit",
    );
  return value;
}

/** @param {string} path @param {any} value @returns {number} */
function readBurst(path, value) {
  if (typeof value !== "number" || !(value >= 1) || value === Infinity)
    throw invalidOption(`option ${path}`, value, "give a number from 1 on");
  return value;
}

/** @param {string} path @param {any} value @returns {number} */
function readCount(path, value) {
  if (!Number.isInteger(value) || value < 1 || value > MOST_CLIENTS)
    throw invalidOption(
      `option ${path}`,
      value,
      "give a whole number from 1 on, or leave it out for no limit",
    );
  return value;
}

/** @param {string} path @param {any} value @returns {number} */
function readPrefix(path, value) {
  if (!Number.isInteger(value) || value < 1 || value > 128)
    throw invalidOption(`option ${path}`, value, "give a whole number of bits from 1 to 128");
  return value;
}

/** @param {string} path @param {any} value @returns {Record<string, any>} */
function readConnects(path, value) {
  return readParts(path, value, { perAddress: readRate, total: readRate });
}

/**
 * @param {any} value the option `limits`
 * @returns {LimitsConfig | undefined} as the workers need it; undefined: there are none
 * @throws {TypeError} that names option, value and fix
 */
function readLimits(value) {
  if (value === undefined || value === null || value === false) return undefined;
  const { connects, maxClients, maxClientsPerAddress, ipv6Prefix } = readParts("limits", value, {
    connects: readConnects,
    maxClients: readCount,
    maxClientsPerAddress: readCount,
    ipv6Prefix: readPrefix,
  });
  return {
    connectsPerAddress: connects?.perAddress,
    connects: connects?.total,
    maxClients,
    maxClientsPerAddress,
    ipv6Prefix: ipv6Prefix ?? IPV6_PREFIX,
  };
}

module.exports = { readLimits };
