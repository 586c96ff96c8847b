"use strict";

// The option `limits`: how much may come. It is read once, when the engine is made; docs/limits.md says what each part does.

const { invalidOption } = require("./errors");
const { readParts } = require("./option-parts");

/** So many a second, and so many at once. @typedef {{ rate: number, burst: number }} Rate */
/** @typedef {import("../../native").LimitsConfig} LimitsConfig */

/** Bits of an IPv6 address that name a network: a customer has one at least, and all addresses of it. */
const IPV6_PREFIX = 64;
/** More clients than a process can have: no limit is meant. */
const MOST_CLIENTS = 2 ** 32 - 1;

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

/** What may be done about who sends too much; the first is what is done if nothing is said. */
const ACTIONS = Object.freeze(["pause", "drop", "disconnect"]);

/** @param {string} path @param {any} value @returns {string} */
function readAction(path, value) {
  if (!ACTIONS.includes(value))
    throw invalidOption(`option ${path}`, value, `give one of ${ACTIONS.join(", ")}`);
  return value;
}

/**
 * @param {Record<string, (path: string, value: any) => Rate>} rates those that there may be
 * @returns {(path: string, value: any) => import("../../native").TrafficConfig}
 */
function readTraffic(rates) {
  return (path, value) => {
    const { action = ACTIONS[0], ...read } = readParts(path, value, {
      ...rates,
      action: readAction,
    });
    return { action, ...read };
  };
}

const readOfAll = readTraffic({ perClient: readRate, perAddress: readRate });
const readOfNamespace = readTraffic({ perClient: readRate });

/**
 * @param {string} path
 * @param {any} value by the names of the namespaces
 * @returns {import("../../native").NamespaceLimitsConfig[]}
 */
function readNamespaces(path, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(
      `option ${path}`,
      value,
      'give an object with the limits by the names of the namespaces, as in { "/chat": { events: { perClient: 10 } } }',
    );
  return Object.entries(value).map(([name, limits]) => ({
    name: name.startsWith("/") ? name : `/${name}`,
    ...readParts(`${path}[${JSON.stringify(name)}]`, limits, {
      events: readOfNamespace,
      bytes: readOfNamespace,
    }),
  }));
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
  const { connects, ipv6Prefix, namespaces, ...others } = readParts("limits", value, {
    connects: readConnects,
    maxClients: readCount,
    maxClientsPerAddress: readCount,
    maxUnauthenticated: readCount,
    maxUnauthenticatedPerAddress: readCount,
    maxPendingHandshakes: readCount,
    maxPendingHandshakesPerAddress: readCount,
    ipv6Prefix: readPrefix,
    events: readOfAll,
    bytes: readOfAll,
    namespaces: readNamespaces,
  });
  return {
    connectsPerAddress: connects?.perAddress,
    connects: connects?.total,
    ipv6Prefix: ipv6Prefix ?? IPV6_PREFIX,
    namespaces: namespaces ?? [],
    ...others,
  };
}

/**
 * @param {any} limits the option, which has been read
 * @returns {boolean} whether handshakes that nothing is decided about are limited
 */
function countsPending(limits) {
  return (
    limits?.maxPendingHandshakes !== undefined ||
    limits?.maxPendingHandshakesPerAddress !== undefined
  );
}

module.exports = { countsPending, readLimits };
