"use strict";

// The way in, as an engine and its sessions see it, and what the ways in ask of the engine.

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../border/border").Addresses} Addresses */

/**
 * What carries a session, or asks to: a connection, or a request. The border brings it what the workers tell of it.
 *
 *     polling.js       PollingDoor         a polling request that Node.js has read
 *     takeover.js      TakenPolling        a connection of which a worker reads the polling requests
 *     websocket.js     TakenWebSocket      a WebSocket whose connection a worker has
 *     websocket.js     WebSocketBridge     a WebSocket whose connection Node.js has: its bytes are pumped
 *     webtransport.js  WebTransportBridge  a WebTransport session: likewise
 *
 * @typedef {object} Door
 * @property {"takeover" | "bridge" | "polling"} kind what `socket.conn.door` tells
 * @property {string | undefined} reason what `socket.conn.doorReason` tells: why it came no faster way
 * @property {"polling" | "websocket" | "webtransport"} transport
 * @property {any} request the one that it came with, as long as no session has what it needs of it: an IncomingMessage with
 *   `_query`, or an AcceptedRequest; undefined: there was none
 * @property {boolean} takesBytes whether its client takes bytes as they are, and not as base64
 * @property {Session | undefined} probeOf the session whose transport it asks to become
 * @property {(addresses: Addresses) => any} [socketFor] gives the socket of a connection that a worker has; without it, Node.js has the
 *   connection, and its socket is that of the request
 * @property {(kind: number, first: any, second: any, buffer: Buffer | undefined) => void} onrecord
 */

/**
 * What is asked of a session.
 *
 * @typedef {object} Session
 * @property {string} transportName
 * @property {(socket: any, door: Door) => void} handleMove a worker gets the connection of a socket that nobody has been given
 * @property {(token: number) => void} onProbeEnd the door with this token, which asked to become its transport, has gone
 * @property {() => void} flush what it sends can leave
 * @property {(discard: boolean) => void} close
 */

/**
 * What is asked of an engine by all ways in.
 *
 * @typedef {object} Host
 * @property {() => Border} border
 * @property {() => number} nativeId its number at the border
 * @property {() => void} hold
 * @property {() => void} letGo
 * @property {Record<string, Session>} clients
 */

/** @typedef {Host & import("./reasons").Engine} Engine */

/**
 * @param {Border} border
 * @param {number} token
 * @returns {Door | undefined} undefined: it has gone
 */
function doorOf(border, token) {
  return /** @type {Door | undefined} */ (border.doors.get(token));
}

module.exports = { doorOf };
