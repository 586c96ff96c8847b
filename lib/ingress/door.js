"use strict";

// The way in, as an engine and its sessions see it, and what the ways in ask of the engine.

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../border/border").Addresses} Addresses */
/** @typedef {import("../border/border").DoorRecord} DoorRecord */
/** @typedef {import("../node/inside").Stream} Stream */
/** @typedef {import("node:net").Socket} Socket */

/** What `socket.conn.door` tells. @typedef {"takeover" | "bridge" | "polling"} DoorKind */
/** @typedef {"polling" | "websocket" | "webtransport"} TransportName */

/**
 * The request by which a session comes, as far as it is asked for: a Request, or an AcceptedRequest.
 *
 * @typedef {object} FirstRequest
 * @property {string} method
 * @property {string} url
 * @property {string} httpVersion
 * @property {string} [raw] names and values of the headers, a line each
 * @property {string[]} [rawHeaders] the same, if there is no `raw`
 * @property {import("../http/query").Query} _query
 * @property {Stream | NoSocket} socket
 */

/**
 * In place of the socket of a connection from which Node.js has read nothing.
 *
 * @typedef {{ encrypted: boolean, remoteAddress: undefined, remotePort: undefined }} NoSocket
 */

/**
 * What is asked of a session.
 *
 * @typedef {object} Session
 * @property {string} transportName
 * @property {(socket: Stream, door: Door) => void} handleMove a worker gets the connection of a socket that nobody has been given
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
 * @property {() => void} ref
 * @property {() => void} unref
 * @property {Map<string, Session>} sessions
 * @property {(request: FirstRequest, peer: string | undefined) => string | undefined} clientAddress where the client is
 */

/** @typedef {Host & import("./reasons").Engine} Engine */

/**
 * What carries a session, or asks to: a connection, or a request. The border brings it what the workers tell of it.
 *
 *     polling.js       PollingDoor         a polling request that Node.js has read
 *     takeover.js      TakenPolling        a connection of which a worker reads the polling requests
 *     websocket.js     TakenWebSocket      a WebSocket whose connection a worker has
 *     websocket.js     WebSocketBridge     a WebSocket whose connection Node.js has: its bytes are pumped
 *     webtransport.js  WebTransportBridge  a WebTransport session: likewise
 *
 * @template {Host} [E=Host]
 */
class Door {
  /**
   * @param {E} engine
   * @param {DoorKind} kind
   * @param {TransportName} transport
   * @param {FirstRequest | undefined} request the one that it came with; undefined: there was none
   * @param {number} [token] its name, when a worker has given it one
   */
  constructor(engine, kind, transport, request, token) {
    this.engine = engine;
    this.kind = kind;
    this.transport = transport;
    /** @type {string | undefined} what `socket.conn.doorReason` tells: why it came no faster way */
    this.reason = undefined;
    /** kept as long as no session has what it needs of it */
    this.request = request;
    /** whether its client takes bytes as they are, and not as base64 */
    this.takesBytes = !request?._query.b64;
    /** @type {Addresses | undefined} those of the connection, where its descriptor has others */
    this.addresses = undefined;
    /** @type {Session | undefined} the session whose transport it asks to become */
    this.probeOf = undefined;
    this.border = engine.border();
    this.token = this.border.addDoor(this, token);
    engine.ref();
  }

  /** Whether a worker has the connection; else its socket is that of the request. */
  get isTaken() {
    return false;
  }

  /**
   * @param {string | undefined} peer the address at the other end of its connection
   * @returns {string | undefined} that of its client
   */
  clientAt(peer) {
    return this.request === undefined ? peer : this.engine.clientAddress(this.request, peer);
  }

  /** @returns {string | undefined} the same, for a worker that has no connection to ask */
  clientAddress() {
    return this.clientAt(this.request?.socket.remoteAddress);
  }

  /**
   * @param {Addresses} _addresses
   * @returns {Socket | undefined} the socket of a connection that a worker has, for a program
   */
  socketFor(_addresses) {
    return undefined;
  }

  /**
   * A worker tells something of it.
   *
   * @param {DoorRecord} _kind
   * @param {number | undefined} _first
   * @param {number | undefined} _second
   * @param {Buffer | undefined} _buffer
   */
  onrecord(_kind, _first, _second, _buffer) {}

  /**
   * It has ended: the worker has nothing more to tell of it.
   *
   * @protected
   */
  leave() {
    const { probeOf, token } = this;
    this.probeOf = undefined;
    this.border.doors.delete(token);
    this.engine.unref();
    probeOf?.onProbeEnd(token);
  }
}

/**
 * @param {Border} border
 * @param {number} token
 * @returns {Door | undefined} undefined: it has gone
 */
function doorOf(border, token) {
  return /** @type {Door | undefined} */ (border.doors.get(token));
}

module.exports = { Door, doorOf };
