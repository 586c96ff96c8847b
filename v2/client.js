"use strict";

const debug = require("debug")("socket.io:client");
const { Client: Base } = require("../lib/client");
const { MESSAGES } = require("../lib/errors");
const { PacketType } = require("../lib/packet");

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
  }

  /**
   * @param {string} name
   * @param {any} auth
   * @protected
   */
  doConnect(name, auth) {
    // later clients ask for each namespace by itself, and may never ask for "/"
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
   * A packet that has no place in this state is passed over.
   *
   * @param {number} type
   * @protected
   */
  reject(type) {
    if (debug.enabled) debug("no socket for the packet (type: %s)", type);
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
}

module.exports = Client;
