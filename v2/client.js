"use strict";

const debug = require("debug")("socket.io:client");
const { assignable } = require("../lib/base/assignable");
const { Client: Base, flagsOf } = require("../lib/api");
const { MESSAGES } = require("../lib/base/errors");
const { PacketType } = require("../lib/codec");
const { plainView, refill } = require("../lib/base/plain-view");
const { encode } = require("./encoder");
const { nextTick } = require("../lib/base/loop");

/** A connection with the rules of Socket.IO 2.x: a client has to be in "/" before it gets into other namespaces. */
class Client extends Base {
  /**
   * @param {any} server
   * @param {any} conn
   */
  constructor(server, conn) {
    super(server, conn);
    /** @type {[string, any][]} names and queries of namespaces that wait for "/" */
    this.connectBuffer = [];
    /** @type {any} @private made at first use, as is the next one */
    this._nspsView = undefined;
    /** @type {any} @private */
    this._socketsView = undefined;
  }

  /** @returns {any} the sockets by namespace, in a plain object */
  get nsps() {
    return (this._nspsView ??= plainView(
      () => this._byNamespace(),
      (name, socket) => this.place(name, socket),
      (name) => this.place(name, undefined),
    ));
  }

  set nsps(sockets) {
    refill(this.nsps, sockets);
  }

  /** @returns {any} the sockets by id, in a plain object */
  get sockets() {
    const byId = () => super.sockets;
    return (this._socketsView ??= plainView(
      byId,
      (_id, socket) => this.place(socket.nsp.name, socket),
      (id) => this._remove(/** @type {any} */ (byId().get(id))),
    ));
  }

  set sockets(sockets) {
    refill(this.sockets, sockets);
  }

  /**
   * @param {string} name
   * @param {any} socket that gets the packets for the namespace; undefined: none
   * @private
   */
  place(name, socket) {
    this._others?.delete(name);
    if (name === "/") this.root = socket;
    else if (socket !== undefined) (this._others ??= new Map()).set(name, socket);
  }

  /**
   * @param {string} name
   * @param {any} auth
   * @protected
   */
  doConnect(name, auth) {
    // clients of later versions ask for each namespace by itself, and may never ask for "/"
    if (this.conn.protocol === 3 && name !== "/" && this.root === undefined)
      this.connectBuffer.push([name, auth]);
    else super.doConnect(name, auth);
  }

  /** @param {string} name */
  onjoined(name) {
    if (name !== "/") return;
    const waiting = this.connectBuffer;
    this.connectBuffer = [];
    for (const [other, auth] of waiting) this.connect(other, auth);
  }

  /**
   * @param {string} name
   * @protected
   */
  refuseNamespace(name) {
    if (this.conn.protocol !== 3) super.refuseNamespace(name);
    else
      this._packet({ type: PacketType.CONNECT_ERROR, nsp: name, data: MESSAGES.INVALID_NAMESPACE });
  }

  /**
   * An error that the client sends is emitted by its socket. Any other packet that does not fit this state is ignored.
   *
   * @param {number} type
   * @param {any} [socket]
   * @param {any} [data]
   * @protected
   */
  reject(type, socket, data) {
    if (socket !== undefined && type === PacketType.CONNECT_ERROR)
      nextTick(() => socket._onerror(new Error(data)));
    else if (debug.enabled) debug("no socket for the packet (type: %s)", type);
  }

  /**
   * @param {number} type
   * @param {string} nsp
   * @param {number} id
   * @param {any} data
   * @param {Buffer[] | null} attachments
   */
  onpacket(type, nsp, id, data, attachments) {
    if (this.isEarly()) nextTick(() => super.onpacket(type, nsp, id, data, attachments));
    else super.onpacket(type, nsp, id, data, attachments);
  }

  /** @param {any} data */
  ondata(data) {
    if (this.isEarly()) nextTick(() => super.ondata(data));
    else super.ondata(data);
  }

  /**
   * @returns {boolean} whether the handshake has said that the client is in "/", and its socket there is still to be made, in
   *   the next tick: the client may have sent something already
   * @private
   */
  isEarly() {
    return this.conn.greeted === true && this.root === undefined;
  }

  /**
   * Sends a packet; adapters call it.
   *
   * @param {any} packet
   * @param {any} [opts] volatile, compress, preEncoded
   */
  packet(packet, opts) {
    this._packet(packet, opts);
  }

  /**
   * @param {any} packet
   * @param {any} [opts]
   */
  _packet(packet, opts) {
    if (opts?.preEncoded || this._foreignEncoder !== undefined || this.conn.readyState !== "open")
      super._packet(packet, opts);
    else if (this._native) this.conn.sendEncoded(encode(packet), flagsOf(opts));
    else this.writeToEngine(encode(packet), opts);
  }
}

assignable(Client.prototype, "request");

module.exports = Client;
