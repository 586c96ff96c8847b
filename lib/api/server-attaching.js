"use strict";

const http = require("node:http");
const cors = require("cors");
const debug = require("debug")("socket.io:server");
const { createAppEngine, serveAppFiles } = require("./attach-app");
const { Client } = require("./client");
const { isClientFile, serveClientFile } = require("./client-files");
const { Engine } = require("../engine");
const { MESSAGES } = require("../base/errors");
const { interceptRequests } = require("../http");
const { ServerSettings } = require("./server-settings");

/**
 * A server's ways to get connections: an HTTP server, an engine, one connection.
 */
class AttachingServer extends ServerSettings {
  /** @param {any} opts as documented for Socket.IO and Engine.IO */
  constructor(opts) {
    super(opts);
    /** @type {http.Server | undefined} */
    this.httpServer = undefined;
    /** @type {any} */
    this.engine = undefined;
    /** whether packets are encoded and decoded here, by a parser that the program has given */
    this._foreignParser = !!opts.parser;
    /** @type {any} @private */
    this._corsMiddleware = opts.cors ? cors(opts.cors) : undefined;
  }

  /**
   * Alias of attach().
   *
   * @param {any} srv
   * @param {any} [opts]
   * @returns {this}
   */
  listen(srv, opts = {}) {
    return this.attach(srv, opts);
  }

  /**
   * Attaches to an HTTP server, or makes one that listens on a port.
   *
   * @param {any} srv an HTTP server or a port
   * @param {any} [opts] options of Engine.IO
   * @returns {this}
   */
  attach(srv, opts = {}) {
    if (typeof srv === "function") throw new Error(MESSAGES.ATTACH_FUNCTION);
    // eslint-disable-next-line eqeqeq -- a port may be a string
    if (Number(srv) == srv) srv = Number(srv);
    if (typeof srv === "number") {
      debug("creating http server and binding to %d", srv);
      const port = srv;
      srv = http.createServer((_req, res) => {
        res.writeHead(404);
        res.end();
      });
      srv.listen(port);
    }
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    this.initEngine(srv, opts);
    return this;
  }

  /**
   * Attaches to an application of uWebSockets.js. Its connections are served by the npm package `engine.io`, which has
   * to be installed beside this one, and not by the workers.
   *
   * @param {any} app
   * @param {any} [opts] options of Engine.IO
   * @throws {Error} when `engine.io` is not installed
   */
  attachApp(app, opts = {}) {
    Object.assign(opts, this.opts);
    opts.path = opts.path || this._path;
    const engine = createAppEngine(opts);
    engine.attach(app, opts);
    this.bind(engine);
    if (this._serveClient) serveAppFiles(app, this._path);
  }

  /**
   * @param {any} srv
   * @param {any} opts
   * @protected
   */
  initEngine(srv, opts) {
    if (debug.enabled) debug("creating engine.io instance with opts %j", opts);
    const engine = new Engine(opts);
    engine.rawMessages = this._foreignParser;
    engine.connectTimeout = this._connectTimeout;
    if (this._origins !== undefined) this.guard(engine);
    engine.attach(srv, opts);
    this.eio = engine;
    if (this._serveClient) this.attachServe(srv);
    this.httpServer = srv;
    this.bind(engine);
  }

  /**
   * @param {any} srv
   * @protected
   */
  attachServe(srv) {
    debug("attaching client serving req handler");
    interceptRequests(srv, (req, res) => {
      if (!req.url.startsWith(this._path)) return false;
      const name = req.url.substring(this._path.length + 1).split("?")[0];
      if (!isClientFile(name)) return false;
      if (this._corsMiddleware)
        this._corsMiddleware(req, res, () => serveClientFile(name, req, res));
      else serveClientFile(name, req, res);
      return true;
    });
  }

  /**
   * Takes the connections of an Engine.IO server: our own, or a foreign one written in JavaScript.
   *
   * @param {any} engine
   * @returns {this}
   */
  bind(engine) {
    this.engine = engine;
    engine.on("connection", this.onconnection.bind(this));
    return this;
  }

  /**
   * Takes one connection.
   *
   * @param {any} conn
   * @returns {this}
   */
  onconnection(conn) {
    if (debug.enabled) debug("incoming connection with id %s", conn.id);
    const client = this._makeClient(conn);
    if (conn.protocol === 3) client.connect("/");
    return this;
  }

  // --- what an entry with a class of its own replaces ---

  /**
   * @param {any} conn
   * @returns {Client}
   */
  _makeClient(conn) {
    return new Client(this, conn);
  }
}

module.exports = { AttachingServer };
