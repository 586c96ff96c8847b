"use strict";

const { assignable } = require("../base/assignable");
const { LazyEmitter } = require("../node");

/**
 * What a transport asks of its connection.
 *
 * @typedef {object} Connection
 * @property {string} id
 * @property {number} protocol
 * @property {string} readyState
 * @property {{ busy: boolean } | undefined} _writeBuffer
 * @property {{ opts: any, isPolled(sid: string): boolean }} server
 * @property {(type: string, data: any, options?: any) => void} writePacket
 * @property {(discard: boolean) => void} close
 * @property {() => void} observe looks what is listened to
 */

/**
 * The transport of a connection as programs see it: the real one is in a worker. Emits "error" (error), "close", and "headers"
 * (headers, req) for each answer to a polling request, which Node.js reads and writes while somebody listens to that.
 *
 *     probing ──upgrade──► current ──the session ends, or another one takes over──► closed
 */
class Transport extends LazyEmitter {
  /** @type {string[]} the transports that a session may go on with */
  static upgradesTo = [];

  /**
   * @param {Connection} conn
   * @param {string} name
   * @param {boolean} supportsBinary whether it carries bytes as they are, and not as base64
   */
  constructor(conn, name, supportsBinary) {
    super();
    /** @private */
    this._conn = conn;
    this.name = name;
    this.sid = conn.id;
    this.protocol = conn.protocol;
    this.supportsBinary = supportsBinary;
    this.discarded = false;
    /** @private whether another one has taken over */
    this._replaced = false;
    /** @private whether its end has been told */
    this._ended = false;
  }

  /** Whether a packet would leave at once, as far as this thread knows. That does not decide about volatile packets: workers do. */
  get writable() {
    const conn = this._conn;
    if (this.readyState === "closed") return false;
    if (conn._writeBuffer?.busy) return false;
    return this.name !== "polling" || conn.server.isPolled(conn.id);
  }

  /** The options of the engine that concern transports, as they are now. */
  get opts() {
    const { opts } = this._conn.server;
    const { perMessageDeflate, maxHttpBufferSize, maxBufferedChunks } = opts;
    const { httpRequestBodyTimeout, httpCompression } = opts;
    return {
      perMessageDeflate,
      maxHttpBufferSize,
      maxBufferedChunks,
      httpRequestBodyTimeout,
      httpCompression,
    };
  }

  get readyState() {
    return this._replaced ? "closed" : this._conn.readyState;
  }

  discard() {
    this.discarded = true;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    if (name === "headers") this._conn.observe();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  prependListener(name, listener) {
    super.prependListener(name, listener);
    if (name === "headers") this._conn.observe();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  removeListener(name, listener) {
    super.removeListener(name, listener);
    if (name === "headers") this._conn.observe();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  off(name, listener) {
    return this.removeListener(name, listener);
  }

  /** Another transport has taken over. */
  replace() {
    this.discarded = true;
    this._replaced = true;
  }

  /** Tells its listeners that it is closed, once. */
  end() {
    if (this._ended) return;
    this._ended = true;
    this.emit("close");
  }

  /**
   * Sends packets that "packetCreate" and "flush" listeners are not shown.
   *
   * @param {{ type: string, data?: any, options?: any }[]} packets
   */
  send(packets) {
    if (this._replaced) return;
    for (const { type, data, options } of packets) this._conn.writePacket(type, data, options);
  }

  /**
   * Closes the connection.
   *
   * @param {() => void} [done]
   */
  close(done) {
    if (this.readyState === "closed") return;
    this._conn.close(this.discarded);
    if (typeof done === "function") done();
  }
}

assignable(Transport.prototype, "writable", "opts", "readyState");

module.exports = { Transport };
