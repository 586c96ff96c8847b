"use strict";

// What somebody listens to of a session, apart from the events that come anyway. The bits of Observed the worker is told, in one
// byte; ours are above that.

const { Observed } = require("../border");
const trace = require("./conn-trace");

/** What tells how many listen to an event. @typedef {{ listenerCount: (name: string) => number }} Emitter */

/**
 * What is asked of a session.
 *
 * @typedef {object} Session
 * @property {{ showsFlushes: boolean }} server
 * @property {object | undefined} _writeBuffer
 *
 * @typedef {Emitter & Session} Conn
 */

const { CONTROL } = Observed;
const OUTGOING = 1 << 8;
const INCOMING = 1 << 9;
const HEADERS = 1 << 10;

/** Who wants any of these has this thread see each request. */
const REQUESTS = OUTGOING | HEADERS;

/**
 * @param {Conn} conn
 * @param {Emitter | undefined} transport if a program has been shown it
 * @param {boolean} isTraced whether all that leaves is traced
 * @returns {number} the bits of all that is listened to
 */
function observedOf(conn, transport, isTraced) {
  let observed = isTraced ? OUTGOING : 0;
  if (trace.showsControl() || conn.listenerCount("heartbeat") > 0) observed |= CONTROL;
  if (trace.showsIncoming()) observed |= INCOMING;
  if (conn._writeBuffer !== undefined) observed |= OUTGOING | CONTROL;
  if (transport !== undefined && transport.listenerCount("headers") > 0) observed |= HEADERS;
  if (conn.listenerCount("packet") > 0) observed |= INCOMING | CONTROL;
  if (conn.listenerCount("data") + conn.listenerCount("message") > 0) observed |= INCOMING;
  return observed;
}

/**
 * @param {Conn} conn
 * @returns {boolean} whether somebody listens to what leaves
 */
function wantsFlushes(conn) {
  return (
    conn.server.showsFlushes ||
    conn.listenerCount("flush") > 0 ||
    conn.listenerCount("drain") > 0 ||
    conn.listenerCount("packetCreate") > 0
  );
}

module.exports = { CONTROL, HEADERS, INCOMING, observedOf, OUTGOING, REQUESTS, wantsFlushes };
