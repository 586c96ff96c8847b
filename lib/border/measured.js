"use strict";

// What `DataPlane.metrics()` tells: see src/binding/data_plane/metrics.rs.

/**
 * How many values were how large: `counts` has one more than `bounds`, for what is larger than all of them.
 *
 * @typedef {object} Values
 * @property {number[]} bounds
 * @property {number[]} counts
 * @property {number} sum
 */

/**
 * What has come or gone.
 *
 * @typedef {object} Traffic
 * @property {Record<string, number>} packets by their kind
 * @property {number} attachments
 * @property {number} bytes
 */

/**
 * What is counted of a server.
 *
 * @typedef {object} OfServer
 * @property {number} sessions
 * @property {Traffic} received
 * @property {Traffic} sent
 * @property {number} volatileDropped
 * @property {number} spared
 * @property {Values} roundTrips ms
 * @property {Record<string, number>} limited handshakes that were refused, by the limit
 * @property {[string, string, number][]} traffic how often something was done about clients that send too much: limit, action, count
 */

/**
 * What is counted of this thread, for all its servers.
 *
 * @typedef {object} OfThread
 * @property {number} rooms
 * @property {Values} audiences
 * @property {number} recoveryBytes
 * @property {number} queuedBytes
 * @property {number} heldBytes
 * @property {boolean} hasRoom
 * @property {number} age µs
 * @property {Values} delays µs
 * @property {number} stalls
 * @property {number} backlogs
 * @property {number} backlogBytes
 * @property {number} stale
 * @property {number} unreadable
 */

/**
 * What is counted of a worker.
 *
 * @typedef {object} OfWorker
 * @property {number} readBytes
 * @property {number} writtenBytes
 * @property {number} deflatedBytes
 * @property {number} deflatedToBytes
 * @property {number} inflatedBytes
 * @property {number} inflatedToBytes
 * @property {number | null} cpuTime ns; null: this system does not tell
 * @property {boolean} javascriptReads
 */

/** @typedef {{ server: OfServer | null, thread: OfThread, workers: OfWorker[] }} Measured */

/**
 * @template T
 * @param {T | null | undefined} past
 * @param {T | null | undefined} now
 * @returns {T | null} both together: each number of one and of the other
 */
function addUp(past, now) {
  if (past === null || past === undefined) return now ?? null;
  if (now === null || now === undefined) return past;
  return /** @type {T} */ (added(past, now));
}

/**
 * @param {any} past
 * @param {any} now of the same form
 * @returns {unknown}
 */
function added(past, now) {
  if (typeof now === "number") return past + now;
  if (Array.isArray(now)) return now.map((value, at) => added(past[at], value));
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => [
      name,
      name === "bounds" ? value : added(past[name], value),
    ]),
  );
}

module.exports = { addUp };
