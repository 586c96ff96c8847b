"use strict";

const debug = require("debug")("socket.io:socket");
const { generateId } = require("../base/ids");
const { PacketType } = require("../codec");
const { RestoredSession } = require("./restored-session");
const { ReceivingSocket } = require("./socket-receiving");
const { nextTick } = require("../base/loop");

const RECOVERABLE_REASONS = new Set([
  "transport error",
  "transport close",
  "forced close",
  "ping timeout",
  "buffer overflow",
  "server shutting down",
  "forced server close",
]);

/**
 * One client in one namespace.
 *
 *     middlewares ──accepted──► connected ──► disconnected
 *          └──refused, or the client goes──────────▲
 *
 * Emits the client's events, and "disconnecting" (reason, description), "disconnect" (reason, description), "error".
 */
class Socket extends ReceivingSocket {
  /**
   * @param {any} nsp
   * @param {any} client
   * @param {any} auth
   * @param {any} [session] the state to recover
   */
  constructor(nsp, client, auth, session) {
    super(nsp, client, auth, session);
    /** @type {RestoredSession | undefined} @private until it is connected again */
    this._restored = undefined;
    if (session) this.recover(session);
    else if (this.server._opts.connectionStateRecovery) this.pid = generateId();
    // a client may send an event named "error"
    this.on("error", noop);
  }

  /**
   * @param {any} session
   * @private
   */
  recover(session) {
    this.pid = session.pid;
    for (const room of session.rooms) this.join(room);
    this._data = session.data;
    if (session instanceof RestoredSession) {
      session.socket = this;
      this._restored = session;
    } else for (const data of session.missedPackets) this.packet({ type: PacketType.EVENT, data });
    this.recovered = true;
  }

  // --- rooms ---

  /**
   * Joins rooms, at once.
   *
   * @param {any} rooms a room or an array of rooms
   * @param {(error: any) => void} [callback] called in a later tick
   * @returns {Promise<void> | void} what the adapter gives
   */
  join(rooms, callback) {
    if (debug.enabled) debug("join room %s", rooms);
    const joined = this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
    if (typeof callback === "function") tell(callback, joined); // forEach() gives an index
    return joined;
  }

  /**
   * Leaves a room, at once.
   *
   * @param {any} room
   * @param {(error: any) => void} [callback] called in a later tick
   * @returns {Promise<void> | void} what the adapter gives
   */
  leave(room, callback) {
    if (debug.enabled) debug("leave room %s", room);
    const left = this.adapter.del(this.id, room);
    if (typeof callback === "function") tell(callback, left);
    return left;
  }

  /** Leaves all rooms. */
  leaveAll() {
    this.adapter.delAll(this.id);
  }

  // --- the life of the socket ---

  /** Called once the namespace has let the socket in. */
  _onconnect() {
    if (debug.enabled) debug("socket connected - writing packet");
    if (!this.connected && !this.client._native) this.nsp._foreign++; // a middleware may answer twice
    this.connected = true;
    this.join(this.id);
    this.adapter.onconnected?.(this);
    const { client, nsp } = this;
    if (this._restored !== undefined) {
      // not before: who is refused gets nothing of it, and what is sent while middlewares think belongs to it
      this._restored.sendMissed(client);
      this._restored = undefined;
    }
    if (client.conn.greeted && nsp.name === "/")
      client.conn.greeted = false; // the handshake has said so
    else client.send(PacketType.CONNECT, nsp.name, undefined, this.connectData(), 0);
  }

  /**
   * @returns {any} what the client is told of its socket; with protocol 3 it knows the id already
   * @private
   */
  connectData() {
    if (this.client.conn.protocol === 3) return undefined;
    return { sid: this.id, pid: this.pid };
  }

  /**
   * Called when the socket is disconnected, whoever wanted it.
   *
   * @param {string} reason
   * @param {any} [description]
   */
  _onclose(reason, description) {
    if (!this.connected) return;
    if (debug.enabled) debug("closing socket - reason %s", reason);
    try {
      this.emitReserved("disconnecting", reason, description);
      if (this.server._opts.connectionStateRecovery && RECOVERABLE_REASONS.has(reason)) {
        if (debug.enabled) debug("connection state recovery is enabled for sid %s", this.id);
        this.adapter.persistSession({
          sid: this.id,
          pid: this.pid,
          rooms: [...this.rooms],
          data: this.data,
        });
      }
    } finally {
      // whatever a handler throws: nothing of it may stay
      this._cleanup();
      this.client._remove(this);
      this.connected = false;
    }
    this.emitReserved("disconnect", reason, description);
  }

  /** Ends the socket if its client has gone while it was being connected: the client has not known it then. */
  _endWithClient() {
    const end = this.client._end;
    if (end !== undefined) this._onclose(end.reason, end.description);
  }

  /** Makes the socket leave everything. */
  _cleanup() {
    this.leaveAll();
    this.adapter.ondisconnecting?.(this);
    if (this.connected && !this.client._native) this.nsp._foreign--;
    if (this._counted) {
      this._counted = false;
      this.nsp._outgoing--;
    }
    this.nsp._remove(this);
    // a late middleware must not bring it back
    this.join = noop;
    this.countOutgoing = noop;
    if (this.pid === undefined) return;
    // nor may it reach who has come back with this id
    this.leave = noop;
    this.leaveAll = noop;
  }

  /**
   * Refuses the client.
   *
   * @param {any} data
   */
  _error(data) {
    this.packet({ type: PacketType.CONNECT_ERROR, data });
  }

  /**
   * Disconnects the client from this namespace.
   *
   * @param {boolean} [close] whether to close the connection, and so to leave all namespaces
   * @returns {this}
   */
  disconnect(close = false) {
    if (!this.connected) return this;
    if (close) {
      this.client._disconnect();
    } else {
      this.packet({ type: PacketType.DISCONNECT });
      this._onclose("server namespace disconnect");
    }
    return this;
  }
}

function noop() {}

/**
 * Calls a callback once something is done.
 *
 * @param {(error: any) => void} callback
 * @param {any} result of the adapter: a promise, or nothing
 */
function tell(callback, result) {
  // in a tick of its own, so that what the callback throws is no rejected promise
  Promise.resolve(result).then(
    () => nextTick(callback, null),
    (error) => nextTick(callback, error),
  );
}

// Under this path Socket.IO 2.x has the class itself; the other files ask for it by name.
module.exports = Socket;
module.exports.Socket = Socket;
