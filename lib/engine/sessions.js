"use strict";

const debug = require("debug")("engine");
const {
  AcceptedRequest,
  DROP_REQUEST,
  reasonAgainst,
  WebSocketDoor,
  WebTransportDoor,
} = require("../ingress");
const { Conn } = require("./conn");
const { EngineRequests, FORMS } = require("./requests");
const { rejectUnhandled } = require("../base/errors");
const { KeptRequest, RequestInfo } = require("./request-info");

/** @typedef {import("../ingress/polling-door").PollingDoor} PollingDoor */
/** @typedef {import("../ingress/taken-connection").TakenConnection} TakenConnection */

/** In place of a door by which nobody comes any more. */
const NO_DOOR = { kind: /** @type {"polling"} */ ("polling"), reason: undefined };

const NO_ORIGIN = { remoteAddress: undefined, rebuild: () => null };

/**
 * The sessions of an engine, as the workers tell of them.
 *
 * "flush" and "drain" of all connections cost something only while somebody listens.
 */
class EngineSessions extends EngineRequests {
  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    if (name === "flush" || name === "drain") this.showFlushes();
    if (name === "headers") this.takeover.recall();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /** @private */
  showFlushes() {
    this.showsFlushes = true;
    for (const conn of Object.values(this.clients)) conn.watch();
  }

  /**
   * @param {import("../border/operations").Named} name
   * @param {string} sid
   * @param {number} index
   * @param {number} token
   * @param {import("../border/border").Peer} [peer]
   * @returns {Conn}
   */
  onopen(name, sid, index, token, peer) {
    const border = this.border();
    const door =
      /** @type {PollingDoor | TakenConnection | WebSocketDoor | WebTransportDoor | undefined} */ (
        /** @type {any} */ (border.doors.get(token))
      );
    const req = door?.req;
    const seen = reasonAgainst(this._engine, this.httpServer, DROP_REQUEST) !== undefined;
    const origin = req
      ? seen && !(req instanceof AcceptedRequest)
        ? new KeptRequest(req, door, peer)
        : new RequestInfo(req, door, peer)
      : NO_ORIGIN;
    /** @type {import("../http/verify").SessionForm} */
    let form = FORMS[index];
    if (door instanceof WebTransportDoor) form = { ...form, transport: "webtransport" };
    else if (req?._query.b64) form = { ...form, takesBytes: false };
    if (debug.enabled) debug('handshaking client "%s"', sid);
    const conn = new Conn(this._engine, border, name, sid, form, origin, door ?? NO_DOOR);
    // of these the session has what it needs
    if (door && (door instanceof WebSocketDoor || req instanceof AcceptedRequest))
      door.req = undefined;
    if (seen) conn.exposeRequest();
    border.adopt(name._handle, conn);
    this.hold();
    this.clients[sid] = conn;
    this.clientsCount++;
    try {
      if (this.showsFlushes) this.showOpenPacket(conn);
      this.emit("connection", conn);
    } catch (error) {
      rejectUnhandled(error);
    }
    return conn;
  }

  /**
   * Shows the handshake, which the worker has sent, to the listeners of "flush" and "drain".
   *
   * @param {Conn} conn
   * @private
   */
  showOpenPacket(conn) {
    const data = this.openPacket(conn.id, conn.transportName);
    this.emit("flush", conn, [{ type: "open", options: { compress: true }, data }]);
    this.emit("drain", conn);
  }

  /**
   * @param {string} sid
   * @param {string} transport
   * @returns {string} what the handshake of a session says
   */
  openPacket(sid, transport) {
    const { transports, pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = this.opts;
    const upgrades = this.upgrades(transport).filter((name) => transports.includes(name));
    return JSON.stringify({ sid, upgrades, pingInterval, pingTimeout, maxPayload });
  }

  /**
   * @param {string} sid
   * @returns {boolean} whether a request of that session waits for something to be sent
   */
  isPolled(sid) {
    if (this.polls.has(sid)) return true;
    return this.takeover.size > 0 && this.border().native.isPolled(this.nativeId(), sid);
  }

  /**
   * @param {string} sid
   * @param {boolean} shown whether this thread has to see each request of that session
   */
  showRequests(sid, shown) {
    this.border().native.showRequests(this.nativeId(), sid, shown);
  }

  /**
   * @param {Conn} conn
   * @param {number} token that of the WebSocket which asks to become the transport
   */
  onupgrading(conn, token) {
    const door = /** @type {any} */ (this.border().doors.get(token));
    if (door !== undefined) door.probeOf = conn;
    else conn.upgrading = false; // it has gone already
  }

  /**
   * @param {Conn} conn
   * @param {number} token
   */
  onupgraded(conn, token) {
    const door = /** @type {any} */ (this.border().doors.get(token));
    if (door === undefined) return;
    conn.door = door.kind;
    conn.doorReason = door.reason;
    door.req = undefined;
    door.probeOf = undefined;
  }

  /**
   * @param {number} token
   * @returns {number} index of the name of the transport that the door leads to
   */
  transportOfDoor(token) {
    const door = /** @type {any} */ (this.border().doors.get(token));
    return door === undefined ? WebSocketDoor.prototype.transport : door.transport;
  }

  /**
   * @param {number} token
   * @returns {boolean} whether who came by this door takes bytes as they are, and not as base64
   */
  takesBytes(token) {
    const door = /** @type {any} */ (this.border().doors.get(token));
    return !door?.req?._query.b64;
  }

  /** @param {Conn} conn */
  onclosed(conn) {
    const { clients } = this;
    // a program that makes ids of its own may have given this one to another session, too; or it has given the connection another
    const id =
      clients[conn.id] === conn ? conn.id : Object.keys(clients).find((of) => clients[of] === conn);
    if (id !== undefined) delete clients[id];
    this.clientsCount--;
  }
}

module.exports = { EngineSessions };
