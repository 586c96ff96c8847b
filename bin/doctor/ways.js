"use strict";

// What is against the fast ways, as the documentation and the doctor show it: the rows of lib/ingress/reasons.js, and the ways that
// each closes.

const { nativeTls } = require("../../lib/ingress/native-tls");
const reasons = require("../../lib/ingress/reasons");

const ACCEPTED = reasons.LISTEN | reasons.ACCEPT | reasons.LEND;

/** The ways, and the parts of which one is enough for a "no". */
const WAYS = Object.freeze({
  "accepted by a worker": ACCEPTED,
  "WebSocket, when accepted": reasons.TAKES_WEBSOCKET,
  "polling, when accepted": reasons.TAKES_POLLING,
  "polling, later": reasons.MOVE_POLLING | reasons.MOVE_BEHIND,
  "WebSocket, later": reasons.TAKE_OVER,
});

/** What can be asked before there is a connection. */
const BEFORE = ACCEPTED | reasons.TAKES_WEBSOCKET | reasons.TAKES_POLLING;

/**
 * @param {import("../../lib/ingress/reasons").Row} row
 * @returns {string[]} the names of the ways that it closes
 */
function closedBy({ against }) {
  return Object.entries(WAYS).flatMap(([name, parts]) => (against & parts ? [name] : []));
}

/**
 * Asks of a server that listens what is against the fast ways of all its connections.
 *
 * @param {any} engine
 * @param {any} server
 * @returns {string[]} a line for each reason; none: workers accept its connections
 */
function reasonsAgainst(engine, server) {
  const rows = reasons.ROWS.filter(
    (row) =>
      (row.against & BEFORE) !== 0 && row.holds(engine, server, /** @type {any} */ (undefined)),
  );
  const lines = rows.map((row) => `${row.word}: ${row.text}. Closed: ${closedBy(row).join("; ")}`);
  if (nativeTls.has(server) && rows.some(({ against }) => against & ACCEPTED))
    lines.push('tls is "native", and Node.js speaks it, for these reasons');
  return lines;
}

module.exports = { closedBy, reasonsAgainst, WAYS };
