"use strict";

// The table of metrics: `io.metrics()` is made of it, and `npm run api-table` writes that of docs/metrics.md.
//
// Names are as Prometheus wants them: the unit at the end, base units. That of a counter is without the `_total` that its
// samples have. No label has values that a client chooses.

const { OTHERS } = require("../base/counts");

/** @typedef {import("../border/measured").Measured} Measured */
/** @typedef {import("../border/measured").Values} Values */

/**
 * What the metrics are made of.
 *
 * @typedef {object} Snapshot
 * @property {Measured} addon
 * @property {import("../engine/session-counts").SessionCounts | undefined} sessions undefined: a foreign engine has the sessions
 * @property {import("./namespace-counts").NamespacesCounts} namespaces
 * @property {Map<string, number>} reasons why connections did not come the fastest way
 * @property {{ status: string }} health
 */

/** @typedef {{ count: number, sum: number, buckets: [number, number][] }} Distribution buckets: up to what, and how many so far */
/** @typedef {{ labels: Record<string, string>, value: number | Distribution }} Sample */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {"counter" | "gauge" | "histogram"} type
 * @property {"server" | "thread" | "process"} of what it is told of
 * @property {string} [unit]
 * @property {string[]} labels
 * @property {string} help
 * @property {(from: Snapshot) => Sample[]} read
 */

const MILLISECONDS = 1e-3;
const MICROSECONDS = 1e-6;
const NANOSECONDS = 1e-9;

/** @type {readonly string[]} */
const ERROR_NAMES = [
  "unknown_transport",
  "unknown_sid",
  "bad_handshake_method",
  "bad_request",
  "forbidden",
  "unsupported_protocol_version",
  "too_many_requests",
  "unavailable",
];

/** @type {readonly Row[]} */
const METRICS = [
  {
    name: "socketio_sessions",
    type: "gauge",
    of: "server",
    labels: ["transport", "protocol", "door"],
    help: "Sessions that are open.",
    read: ({ sessions }) =>
      (sessions?.groups ?? []).map((group) => sample(groupLabels(group), group.open)),
  },
  {
    name: "socketio_sessions_opened",
    type: "counter",
    of: "server",
    labels: ["transport", "protocol", "door"],
    help: "Sessions that were opened, by how they began.",
    read: ({ sessions }) =>
      (sessions?.groups ?? []).map((group) => sample(groupLabels(group), group.opened)),
  },
  {
    name: "socketio_sessions_closed",
    type: "counter",
    of: "server",
    labels: ["reason"],
    help: "Sessions that have ended.",
    read: ({ sessions }) => counts("reason", sessions?.closed.byLabel),
  },
  {
    name: "socketio_upgrades",
    type: "counter",
    of: "server",
    labels: [],
    help: "Sessions that have moved to a better transport.",
    read: ({ sessions }) => [sample({}, sessions?.upgrades ?? 0)],
  },
  {
    name: "socketio_requests_refused",
    type: "counter",
    of: "server",
    labels: ["code"],
    help: "Requests that were refused.",
    read: ({ sessions }) => counts("code", byErrorName(sessions?.refused.byLabel)),
  },
  {
    name: "socketio_handshakes_limited",
    type: "counter",
    of: "server",
    labels: ["limit"],
    help: "Handshakes that were refused for `limits` (docs/limits.md), by workers or here.",
    read: ({ addon }) => counts("limit", new Map(Object.entries(addon.server?.limited ?? {}))),
  },
  {
    name: "socketio_traffic_limited",
    type: "counter",
    of: "server",
    labels: ["limit", "action"],
    help: "How often clients were paused, their events dropped, or they disconnected, as they sent more than `limits` allow.",
    read: ({ addon }) =>
      (addon.server?.traffic ?? []).map(([limit, action, count]) =>
        sample({ limit, action }, count),
      ),
  },
  {
    name: "socketio_slow_ways",
    type: "counter",
    of: "thread",
    labels: ["reason"],
    help: "Connections that came by way of Node.js, by what stood against a faster way (docs/fast-paths.md).",
    read: ({ reasons }) => counts("reason", reasons),
  },
  {
    name: "socketio_sockets",
    type: "gauge",
    of: "server",
    labels: ["namespace"],
    help: "Sockets that are connected.",
    read: (from) => byNamespace(from, (counts) => counts.connected - counts.left),
  },
  {
    name: "socketio_sockets_connected",
    type: "counter",
    of: "server",
    labels: ["namespace"],
    help: "Sockets that were let in.",
    read: (from) => byNamespace(from, (counts) => counts.connected),
  },
  {
    name: "socketio_sockets_refused",
    type: "counter",
    of: "server",
    labels: ["namespace"],
    help: "Sockets that a middleware has refused.",
    read: (from) => byNamespace(from, (counts) => counts.refused),
  },
  {
    name: "socketio_namespaces_refused",
    type: "counter",
    of: "server",
    labels: [],
    help: "Times that a client has asked for a namespace that there is not.",
    read: ({ namespaces }) => [sample({}, namespaces.unknown)],
  },
  {
    name: "socketio_sockets_disconnected",
    type: "counter",
    of: "server",
    labels: ["namespace", "reason"],
    help: "Sockets that have left.",
    read: ({ namespaces }) =>
      [...namespaces.byLabel].flatMap(([namespace, { disconnected }]) =>
        [...disconnected.byLabel].map(([reason, count]) => sample({ namespace, reason }, count)),
      ),
  },
  {
    name: "socketio_events_received",
    type: "counter",
    of: "server",
    labels: ["namespace"],
    help: "Events that have come from clients.",
    read: (from) => byNamespace(from, (counts) => counts.received),
  },
  {
    name: "socketio_events_emitted",
    type: "counter",
    of: "server",
    labels: ["namespace"],
    help: "Events that were emitted to one client.",
    read: (from) => byNamespace(from, (counts) => counts.emitted),
  },
  {
    name: "socketio_recoveries",
    type: "counter",
    of: "server",
    labels: ["namespace", "result"],
    help: "Sockets that came back for their state, and whether it was there.",
    read: ({ namespaces }) =>
      [...namespaces.byLabel].flatMap(([namespace, { recovered, unrecovered }]) => [
        sample({ namespace, result: "hit" }, recovered),
        sample({ namespace, result: "miss" }, unrecovered),
      ]),
  },
  {
    name: "socketio_packets_received",
    type: "counter",
    of: "server",
    labels: ["kind"],
    help: "Packets that have come from clients.",
    read: ({ addon }) => kinds(addon.server?.received.packets),
  },
  {
    name: "socketio_packets_sent",
    type: "counter",
    of: "server",
    labels: ["kind"],
    help: "Packets for clients: a broadcast is as many as the clients that get it.",
    read: ({ addon }) => kinds(addon.server?.sent.packets),
  },
  {
    name: "socketio_attachments_received",
    type: "counter",
    of: "server",
    labels: [],
    help: "Binary attachments of the packets that have come.",
    read: ({ addon }) => [sample({}, addon.server?.received.attachments ?? 0)],
  },
  {
    name: "socketio_attachments_sent",
    type: "counter",
    of: "server",
    labels: [],
    help: "Binary attachments of the packets for clients.",
    read: ({ addon }) => [sample({}, addon.server?.sent.attachments ?? 0)],
  },
  {
    name: "socketio_received_bytes",
    type: "counter",
    of: "server",
    unit: "bytes",
    labels: [],
    help: "Packets and attachments that have come, uncompressed and without what frames them.",
    read: ({ addon }) => [sample({}, addon.server?.received.bytes ?? 0)],
  },
  {
    name: "socketio_sent_bytes",
    type: "counter",
    of: "server",
    unit: "bytes",
    labels: [],
    help: "Packets and attachments for clients, uncompressed and without what frames them.",
    read: ({ addon }) => [sample({}, addon.server?.sent.bytes ?? 0)],
  },
  {
    name: "socketio_volatile_dropped",
    type: "counter",
    of: "server",
    labels: [],
    help: "Volatile packets that were dropped, as their client did not take them.",
    read: ({ addon }) => [sample({}, addon.server?.volatileDropped ?? 0)],
  },
  {
    name: "socketio_heartbeat_round_trip_seconds",
    type: "histogram",
    of: "server",
    unit: "seconds",
    labels: [],
    help: "From a ping to its pong (clients of protocol 4).",
    read: ({ addon }) => distribution(addon.server?.roundTrips, MILLISECONDS),
  },
  {
    name: "socketio_sessions_spared",
    type: "counter",
    of: "server",
    labels: [],
    help: "Sessions that were late, and were not given up because the event loop was blocked.",
    read: ({ addon }) => [sample({}, addon.server?.spared ?? 0)],
  },
  {
    name: "socketio_rooms",
    type: "gauge",
    of: "thread",
    labels: [],
    help: "Rooms with members, but for those of a single socket's own.",
    read: ({ addon }) => [sample({}, addon.thread.rooms)],
  },
  {
    name: "socketio_broadcast_clients",
    type: "histogram",
    of: "thread",
    labels: [],
    help: "Clients that a broadcast was for; those that it excepts are among them.",
    read: ({ addon }) => distribution(addon.thread.audiences, 1),
  },
  {
    name: "socketio_event_loop_delay_seconds",
    type: "histogram",
    of: "thread",
    unit: "seconds",
    labels: [],
    help: "How long what clients have sent waits for the event loop: once for all that it takes at once.",
    read: ({ addon }) => distribution(addon.thread.delays, MICROSECONDS),
  },
  {
    name: "socketio_event_loop_stalls",
    type: "counter",
    of: "thread",
    labels: [],
    help: "Times that it has waited for half a second or more.",
    read: ({ addon }) => [sample({}, addon.thread.stalls)],
  },
  {
    name: "socketio_backlogged_sessions",
    type: "gauge",
    of: "thread",
    labels: [],
    help: "Sessions for which something waits, as their client reads too slowly.",
    read: ({ addon }) => [sample({}, addon.thread.backlogs)],
  },
  {
    name: "socketio_memory_bytes",
    type: "gauge",
    of: "thread",
    unit: "bytes",
    labels: ["owner"],
    help: "Memory by what it is for: records for the event loop (inbox), what has been read and is no record yet (held), what clients do not take (backlog), what is kept for clients that come back (recovery).",
    read: ({ addon: { thread } }) => [
      sample({ owner: "inbox" }, thread.queuedBytes),
      sample({ owner: "held" }, thread.heldBytes),
      sample({ owner: "backlog" }, thread.backlogBytes),
      sample({ owner: "recovery" }, thread.recoveryBytes),
    ],
  },
  {
    name: "socketio_operations_dropped",
    type: "counter",
    of: "thread",
    labels: ["cause"],
    help: "What the workers were asked for and did not do: for connections that had gone (stale), or that made no sense (unreadable).",
    read: ({ addon: { thread } }) => [
      sample({ cause: "stale" }, thread.stale),
      sample({ cause: "unreadable" }, thread.unreadable),
    ],
  },
  {
    name: "socketio_health",
    type: "gauge",
    of: "server",
    labels: ["status"],
    help: "1 for what io.health() tells, 0 for all else.",
    read: ({ health }) =>
      STATUSES.map((status) => sample({ status }, Number(status === health.status))),
  },
  {
    name: "socketio_worker_cpu_seconds",
    type: "counter",
    of: "process",
    unit: "seconds",
    labels: ["worker"],
    help: "Processor time of the threads that own the connections (Linux). What the event loop does for them is its own.",
    read: ({ addon }) =>
      addon.workers.flatMap(({ cpuTime }, worker) =>
        cpuTime === null ? [] : [sample({ worker: String(worker) }, cpuTime * NANOSECONDS)],
      ),
  },
  {
    name: "socketio_socket_read_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: ["worker"],
    help: "Bytes read from the connections that a worker has.",
    read: ({ addon }) => byWorker(addon, (worker) => worker.readBytes),
  },
  {
    name: "socketio_socket_written_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: ["worker"],
    help: "Bytes written to the connections that a worker has.",
    read: ({ addon }) => byWorker(addon, (worker) => worker.writtenBytes),
  },
  {
    name: "socketio_deflate_input_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: [],
    help: "Bytes of messages that were compressed for WebSockets.",
    read: ({ addon }) => sumOfWorkers(addon, (worker) => worker.deflatedBytes),
  },
  {
    name: "socketio_deflate_output_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: [],
    help: "Bytes that they were compressed to.",
    read: ({ addon }) => sumOfWorkers(addon, (worker) => worker.deflatedToBytes),
  },
  {
    name: "socketio_inflate_input_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: [],
    help: "Bytes of compressed messages that have come by WebSockets.",
    read: ({ addon }) => sumOfWorkers(addon, (worker) => worker.inflatedBytes),
  },
  {
    name: "socketio_inflate_output_bytes",
    type: "counter",
    of: "process",
    unit: "bytes",
    labels: [],
    help: "Bytes that they were before they were compressed.",
    read: ({ addon }) => sumOfWorkers(addon, (worker) => worker.inflatedToBytes),
  },
];

/** What `io.health()` may tell. */
const STATUSES = Object.freeze(["ready", "overloaded", "draining", "closed"]);

/**
 * @param {Record<string, string>} labels
 * @param {number} value
 * @returns {Sample}
 */
function sample(labels, value) {
  return { labels, value };
}

/**
 * @param {import("../engine/session-counts").Group} group
 * @returns {Record<string, string>}
 */
function groupLabels({ transport, protocol, door }) {
  return { transport, protocol: String(protocol), door };
}

/**
 * @param {string} label
 * @param {Map<string, number>} [byLabel]
 * @returns {Sample[]}
 */
function counts(label, byLabel = new Map()) {
  return [...byLabel].map(([value, count]) => sample({ [label]: value }, count));
}

/**
 * @param {Map<string, number>} [byCode]
 * @returns {Map<string, number>} by the names of the codes; those of programs have none, and are one
 */
function byErrorName(byCode = new Map()) {
  const byName = new Map();
  for (const [code, count] of byCode) {
    const name = ERROR_NAMES[Number(code)] ?? OTHERS;
    byName.set(name, (byName.get(name) ?? 0) + count);
  }
  return byName;
}

/**
 * @param {Record<string, number>} [packets]
 * @returns {Sample[]}
 */
function kinds(packets = {}) {
  return Object.entries(packets).map(([kind, count]) => sample({ kind }, count));
}

/**
 * @param {Snapshot} from
 * @param {(counts: import("./namespace-counts").NamespaceCounts) => number} value
 * @returns {Sample[]}
 */
function byNamespace({ namespaces }, value) {
  return [...namespaces.byLabel].map(([namespace, counts]) => sample({ namespace }, value(counts)));
}

/**
 * @param {Measured} addon
 * @param {(worker: import("../border/measured").OfWorker) => number} value
 * @returns {Sample[]}
 */
function byWorker({ workers }, value) {
  return workers.map((worker, index) => sample({ worker: String(index) }, value(worker)));
}

/**
 * @param {Measured} addon
 * @param {(worker: import("../border/measured").OfWorker) => number} value
 * @returns {Sample[]}
 */
function sumOfWorkers({ workers }, value) {
  return [
    sample(
      {},
      workers.reduce((sum, worker) => sum + value(worker), 0),
    ),
  ];
}

/**
 * @param {Values | undefined} values undefined: nothing has been counted yet
 * @param {number} unit of a value, as part of the base unit
 * @returns {Sample[]} one, or none
 */
function distribution(values, unit) {
  if (values === undefined) return [];
  let count = 0;
  /** @type {[number, number][]} */
  const buckets = values.counts.map((more, at) => {
    count += more;
    return [at < values.bounds.length ? inUnit(values.bounds[at], unit) : Infinity, count];
  });
  return [{ labels: {}, value: { count, sum: inUnit(values.sum, unit), buckets } }];
}

/**
 * @param {number} value
 * @param {number} unit 1, or a negative power of ten
 * @returns {number} the nearest number to what it is in the base unit: 3 × 0.001 would not be
 */
function inUnit(value, unit) {
  return unit === 1 ? value : value / Math.round(1 / unit);
}

module.exports = { METRICS, STATUSES };
