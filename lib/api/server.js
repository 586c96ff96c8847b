"use strict";

const { EventEmitter } = require("node:events");
const debug = require("debug")("socket.io:server");
const { NativeAdapter } = require("./adapter");
const { callable } = require("../base/callable");
const { Decoder, Encoder, PacketType, PROTOCOL } = require("../codec");
const { RECOVERY_DEFAULTS, RecoveryAdapter } = require("./recovery-adapter");
const { AttachingServer } = require("./server-attaching");

const PARSER = Object.freeze({ Decoder, Encoder, PacketType, protocol: PROTOCOL });

/**
 * A Socket.IO server. Its emitter methods are those of its main namespace, "/".
 */
class Server extends AttachingServer {
  /**
   * @param {any} [srv] an HTTP server or a port; or the options
   * @param {any} [opts] options of Socket.IO and Engine.IO, as documented there
   */
  constructor(srv, opts = {}) {
    if (typeof srv === "object" && srv instanceof Object && !(/** @type {any} */ (srv).listen)) {
      opts = srv;
      srv = undefined;
    }
    super(opts);
    /** @type {any} */
    this._parser = this._chooseParser(opts.parser);
    this.encoder = new this._parser.Encoder();
    if (opts.connectionStateRecovery) {
      opts.connectionStateRecovery = { ...RECOVERY_DEFAULTS, ...opts.connectionStateRecovery };
      this.adapter(opts.adapter || RecoveryAdapter);
    } else {
      this.adapter(opts.adapter || NativeAdapter);
    }
    opts.cleanupEmptyChildNamespaces = !!opts.cleanupEmptyChildNamespaces;
    this.sockets = this.of("/");
    if (srv || typeof srv === "number") this.attach(srv);
  }

  /**
   * @param {any} [given] that of the options
   * @returns {any} the parser to use
   */
  _chooseParser(given) {
    return given || PARSER;
  }

  /**
   * Closes the server: all clients, and the HTTP server.
   *
   * @param {(error?: Error) => void} [done]
   * @returns {Promise<void>}
   */
  async close(done) {
    await Promise.allSettled(
      [...this._nsps.values()].map(async (nsp) => {
        for (const socket of nsp.sockets.values()) socket._onclose("server shutting down");
        await nsp.adapter.close();
      }),
    );
    this.engine.close(); // rejects when there is none
    const { httpServer } = this;
    if (httpServer === undefined) {
      if (done) done();
      return;
    }
    await new Promise((resolve) => {
      httpServer.close((error) => {
        if (done) done(error);
        if (error) debug("server was not running");
        resolve(undefined);
      });
    });
  }
}

const emitter = /** @type {any} */ (EventEmitter.prototype);
for (const name of Object.keys(emitter)) {
  if (typeof emitter[name] !== "function") continue;
  /** @type {any} */ (Server.prototype)[name] = function (/** @type {any[]} */ ...args) {
    return this.sockets[name](...args);
  };
}

module.exports = { Server: callable(Server) };
