"use strict";

const { getHealth } = require("./health");
const { METRICS } = require("./metrics-table");
const { addUp } = require("../border");
const { SessionCounts } = require("../engine");

/** @typedef {import("../engine/engine").Engine} Engine */
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
 * @typedef {import("./health").Server & { _counts: import("./namespace-counts").NamespacesCounts, _engines: Engine[] }} Server
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
  const { _counts: namespaces, _engines: engines } = server;
  const health = getHealth(server);
  /** @type {Snapshot} */
  const snapshot = {
    addon: NOTHING_MEASURED,
    sessions: undefined,
    namespaces,
    reasons: new Map(),
    health,
  };
  for (const engine of engines) {
    const { addon, reasons } = engine.measure();
    // of the thread and the workers each tells the same
    snapshot.addon = { ...addon, server: addUp(snapshot.addon.server, addon.server) };
    snapshot.reasons = reasons;
    snapshot.sessions ??= new SessionCounts();
    snapshot.sessions.include(engine._counts);
  }
  return snapshot;
}

module.exports = { readMetrics };
