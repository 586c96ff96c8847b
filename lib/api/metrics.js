"use strict";

const { getHealth } = require("./health");
const { METRICS } = require("./metrics-table");
const { Engine } = require("../engine");

/** @typedef {import("./metrics-table").Sample} Sample */
/** @typedef {import("./metrics-table").Snapshot} Snapshot */

/**
 * A metric, with all its values.
 *
 * @typedef {object} Metric
 * @property {"counter" | "gauge" | "histogram"} type
 * @property {string} [unit]
 * @property {string} help
 * @property {Sample[]} values
 */

/** Metrics by their names. @typedef {Record<string, Metric>} Metrics */

/**
 * What is asked of a server.
 *
 * @typedef {import("./health").Server & { _counts: import("./namespace-counts").NamespacesCounts }} Server
 */

/** In place of what the addon has counted, where a foreign engine has the sessions: nothing. */
const NO_VALUES = Object.freeze({ bounds: [], counts: [0], sum: 0 });
/** @type {import("../border/measured").Measured} */
const NOTHING_MEASURED = Object.freeze({
  server: null,
  thread: {
    rooms: 0,
    audiences: NO_VALUES,
    recoveryBytes: 0,
    queuedBytes: 0,
    heldBytes: 0,
    hasRoom: true,
    age: 0,
    delays: NO_VALUES,
    stalls: 0,
    backlogs: 0,
    backlogBytes: 0,
    stale: 0,
    unreadable: 0,
  },
  workers: [],
});

/**
 * Reads all metrics of a server.
 *
 * @param {Server} server
 * @returns {Metrics}
 */
function readMetrics(server) {
  const snapshot = takeSnapshot(server);
  return Object.fromEntries(
    METRICS.map(({ name, type, unit, help, read }) => {
      const values = read(snapshot);
      return [name, unit === undefined ? { type, help, values } : { type, unit, help, values }];
    }),
  );
}

/**
 * @param {Server} server
 * @returns {Snapshot}
 */
function takeSnapshot(server) {
  const { engine, _counts: namespaces } = server;
  const health = getHealth(server);
  if (!(engine instanceof Engine)) {
    const [sessions, reasons] = [undefined, new Map()];
    return { addon: NOTHING_MEASURED, sessions, namespaces, reasons, health };
  }
  const { addon, reasons } = engine.measure();
  return { addon, sessions: engine._counts, namespaces, reasons, health };
}

module.exports = { readMetrics };
