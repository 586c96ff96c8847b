"use strict";

// What is kept of a socket while its client is away, and what is told of it to another process.

const debug = require("debug")("socket.io:socket");
const { isAsBuilt } = require("./handshake");

/** @typedef {import("socket.io-adapter").Room} Room */

/**
 * What is asked of a socket.
 *
 * @typedef {object} Socket
 * @property {string} id
 * @property {string} [pid]
 * @property {Set<Room>} rooms
 * @property {unknown} data
 * @property {unknown} _data undefined: no program has looked at it
 * @property {unknown} _auth
 * @property {number} _issued
 * @property {object} [_handshake]
 * @property {{ conn: { remoteAddress: string | undefined } }} client
 * @property {{ name: string }} nsp
 * @property {{ _opts: { connectionStateRecovery?: unknown } }} server
 * @property {import("./adapter").SomeAdapter} adapter
 */

const RECOVERABLE_REASONS = new Set([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "buffer overflow",
  "server shutting down",
  "forced server close",
]);

/** @param {string} reason for which a socket ends @returns {boolean} whether its client may come back to what it had */
function isRecoverable(reason) {
  return RECOVERABLE_REASONS.has(reason);
}

/**
 * Has the adapter remember a socket, for the case that its client comes back.
 *
 * @param {Socket} socket
 */
function persist(socket) {
  const { id: sid, pid, server, adapter } = socket;
  if (!server._opts.connectionStateRecovery) return;
  if (debug.enabled) debug("connection state recovery is enabled for sid %s", sid);
  const rooms = [...socket.rooms];
  adapter.persistSession({ sid, pid: /** @type {string} */ (pid), rooms, data: socket.data });
}

/**
 * @param {Socket} socket
 * @returns {import("./handover-tuples").SocketState} what another process needs to know of it
 */
function carriedState(socket) {
  const { adapter, client, id, nsp, pid, rooms } = socket;
  const { _auth: auth, _data: data, _handshake: handshake, _issued: issued } = socket;
  const isKnown =
    handshake === undefined || isAsBuilt(handshake, client.conn.remoteAddress, auth, issued);
  return {
    nsp: nsp.name,
    id,
    pid,
    rooms: [...rooms],
    data,
    auth,
    issued,
    from: pid === undefined ? undefined : adapter.carryFrom?.(pid),
    handshake: isKnown ? undefined : /** @type {Record<string, unknown>} */ (handshake),
  };
}

module.exports = { carriedState, isRecoverable, persist };
