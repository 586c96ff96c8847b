"use strict";

const threads = require("node:worker_threads");
const {
  countContexts,
  isSetAs,
  listenersOf,
  secureContextOf,
  settingsOf,
  soleOf,
  tlsSetting,
} = require("../node");
const { scopes } = require("../base/trace");
const { countTlsListeners, nativeTls } = require("./native-tls");
const {
  areNodesResponses,
  areNodesSockets,
  attachmentOf,
  channels,
  onlyThreshold,
} = require("./reasons");

/** @typedef {import("../base/options").CrossOrigin} CrossOrigin */
/** @typedef {import("../base/options").HttpCompression | null | undefined} Compression */
/** @typedef {ReturnType<Inputs["look"]>} Known */

/**
 * All that it depends on whether a worker may accept the connections of an HTTP server, and by which rules: what those rows of
 * reasons.js read that can stand against it, and what the rules are made of. To compare it with what it was takes a fraction of
 * asking all rows, and it is done in each turn of the event loop.
 *
 * What a row reads that is not here is not noticed when it changes: __test__/reasons.test.js looks at what each reads.
 */
class Inputs {
  /**
   * @param {import("./reasons").Engine & { nativeId(): number }} engine
   * @param {import("../node/inside").HttpServer} server
   */
  constructor(engine, server) {
    this.engine = engine;
    this.server = server;
    /** how often the parts of the option `cors` have changed */
    this.corsChanges = 0;
    /** @private */
    this._isSecure = nativeTls.has(server);
    /** @private how many engines the server has */
    this._attachment = attachmentOf(server);
    /** @private @type {unknown[]} the parts of the option `cors` */
    this._cors = [];
    /** @private @type {Known | undefined} what the last look has found; nothing: it has not come to its end */
    this._known = undefined;
  }

  /** Whatever there was is another at the next look. */
  forget() {
    this._known = undefined;
  }

  /**
   * Looks at all.
   *
   * @returns {boolean} whether all of it is as it was at the last look
   * @throws what a getter of the program throws; then the next look is like the first
   */
  areSame() {
    const known = this._known;
    this._known = undefined;
    const same = known !== undefined && this.are(known);
    this._known = same ? known : this.look();
    return same;
  }

  /**
   * Compares all that `look()` gives. Nothing is written, and all is read in one go: this is what each turn pays.
   *
   * @param {Known} known
   * @returns {boolean}
   * @private
   */
  are(known) {
    const { engine, server } = this;
    const { middlewares, opts, original } = engine;
    const { allowRequest, cookie, cors, httpCompression, perMessageDeflate, transports } = opts;
    const heard = listenersOf(server);
    const told = listenersOf(engine);
    return (
      // the process
      known.reachesLoop === engine.border().reachesLoop &&
      known.onMainThread === threads.isMainThread &&
      known.newSocket === channels.newSocket.hasSubscribers &&
      known.request === channels.requestStart.hasSubscribers &&
      known.created === channels.responseCreated.hasSubscribers &&
      known.finish === channels.responseFinish.hasSubscribers &&
      known.responses === areNodesResponses() &&
      known.sockets === areNodesSockets() &&
      known.debugScopes === scopes.namespaces &&
      // the HTTP server
      known.engines === this._attachment.engines &&
      known.rawListeners === server.rawListeners &&
      known.connects === soleOf(heard.connection) &&
      known.requests === soleOf(heard.request) &&
      known.upgrades === soleOf(heard.upgrade) &&
      known.emit === server.emit &&
      known.maxConnections === server.maxConnections &&
      known.maxHeaders === server.maxHeadersCount &&
      known.timeout === server.timeout &&
      known.idleTimeout === server.keepAliveTimeout &&
      known.idleBuffer === server.keepAliveTimeoutBuffer &&
      known.headTimeout === server.headersTimeout &&
      known.requestTimeout === server.requestTimeout &&
      known.maxRequests === server.maxRequestsPerSocket &&
      isSetAs(server, known.settings) &&
      // the engine
      known.id === engine.nativeId() &&
      known.refuses === engine.refusesWebSockets &&
      known.httpServer === engine.httpServer &&
      known.middleware === middlewares[0] &&
      known.middlewares === middlewares.length &&
      known.ownMiddlewares === engine.ownMiddlewares &&
      known.listenerCount === engine.listenerCount &&
      known.headers === soleOf(told.headers) &&
      known.initial === soleOf(told.initial_headers) &&
      known.sessions === soleOf(told.connection) &&
      known.ids === (engine.generateId === original.generateId) &&
      known.prepares === (engine.prepare === original.prepare) &&
      known.verifies === (engine.verify === original.verify) &&
      known.handles === (engine.handleRequest === original.handleRequest) &&
      known.accepts === (engine.handleUpgrade === original.handleUpgrade) &&
      // its options
      known.allowRequest === allowRequest &&
      known.cookie === cookie &&
      known.deflate === perMessageDeflate &&
      known.compression === httpCompression &&
      known.compresses === onlyThreshold(httpCompression) &&
      known.threshold === thresholdOf(httpCompression) &&
      known.transports === transports &&
      areItems(known.transportItems, transports) &&
      areParts(known.cors, cors) &&
      (known.tls === undefined || this.isSecuredAs(known.tls))
    );
  }

  /** @private */
  look() {
    const { engine, server } = this;
    const { middlewares, opts, original } = engine;
    const { allowRequest, cookie, cors, httpCompression, perMessageDeflate, transports } = opts;
    const heard = listenersOf(server);
    const told = listenersOf(engine);
    if (!areParts(this._cors, cors)) {
      this._cors = partsOf(cors);
      this.corsChanges++;
    }
    return {
      reachesLoop: engine.border().reachesLoop,
      onMainThread: threads.isMainThread,
      newSocket: channels.newSocket.hasSubscribers,
      request: channels.requestStart.hasSubscribers,
      created: channels.responseCreated.hasSubscribers,
      finish: channels.responseFinish.hasSubscribers,
      responses: areNodesResponses(),
      sockets: areNodesSockets(),
      debugScopes: scopes.namespaces,
      engines: this._attachment.engines,
      rawListeners: server.rawListeners,
      connects: soleOf(heard.connection),
      requests: soleOf(heard.request),
      upgrades: soleOf(heard.upgrade),
      emit: server.emit,
      maxConnections: server.maxConnections,
      maxHeaders: server.maxHeadersCount,
      timeout: server.timeout,
      idleTimeout: server.keepAliveTimeout,
      idleBuffer: server.keepAliveTimeoutBuffer,
      headTimeout: server.headersTimeout,
      requestTimeout: server.requestTimeout,
      maxRequests: server.maxRequestsPerSocket,
      settings: settingsOf(server),
      id: engine.nativeId(),
      refuses: engine.refusesWebSockets,
      httpServer: engine.httpServer,
      middleware: middlewares[0],
      middlewares: middlewares.length,
      ownMiddlewares: engine.ownMiddlewares,
      listenerCount: engine.listenerCount,
      headers: soleOf(told.headers),
      initial: soleOf(told.initial_headers),
      sessions: soleOf(told.connection),
      ids: engine.generateId === original.generateId,
      prepares: engine.prepare === original.prepare,
      verifies: engine.verify === original.verify,
      handles: engine.handleRequest === original.handleRequest,
      accepts: engine.handleUpgrade === original.handleUpgrade,
      allowRequest,
      cookie,
      deflate: perMessageDeflate,
      compression: httpCompression,
      compresses: onlyThreshold(httpCompression),
      threshold: thresholdOf(httpCompression),
      transports,
      transportItems: [...transports],
      cors: this._cors,
      tls: this._isSecure ? this.security() : undefined,
    };
  }

  /** @returns what an HTTPS server has been told for which workers are to speak TLS @private */
  security() {
    const { server } = this;
    return {
      context: secureContextOf(server),
      contexts: countContexts(server),
      requestCert: tlsSetting(server, "requestCert"),
      protocols: tlsSetting(server, "ALPNProtocols"),
      protocolOf: tlsSetting(server, "ALPNCallback"),
      listeners: countTlsListeners(server),
    };
  }

  /** @param {ReturnType<Inputs["security"]>} known @returns {boolean} whether it is what `security()` gives @private */
  isSecuredAs(known) {
    const { server } = this;
    return (
      known.context === secureContextOf(server) &&
      known.contexts === countContexts(server) &&
      known.requestCert === tlsSetting(server, "requestCert") &&
      known.protocols === tlsSetting(server, "ALPNProtocols") &&
      known.protocolOf === tlsSetting(server, "ALPNCallback") &&
      known.listeners === countTlsListeners(server)
    );
  }
}

/** @param {unknown} option `httpCompression` @returns {unknown} */
function thresholdOf(option) {
  return /** @type {Compression} */ (option)?.threshold;
}

/** @param {ArrayLike<unknown>} a @param {ArrayLike<unknown>} b @returns {boolean} whether they have the same */
function areItems(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * @param {unknown} cors the option, which may be an object that the program changes
 * @returns {unknown[]} itself, the names and the values of what it has, and what is in values that are lists
 */
function partsOf(cors) {
  const parts = [cors];
  if (typeof cors !== "object") return parts;
  const named = /** @type {CrossOrigin} */ (cors);
  for (const name in named) {
    const value = named[name];
    parts.push(name, value);
    if (Array.isArray(value)) parts.push(...value);
  }
  return parts;
}

/**
 * @param {unknown[]} parts
 * @param {unknown} cors
 * @returns {boolean} whether they are what `partsOf()` gives
 */
function areParts(parts, cors) {
  if (parts[0] !== cors || parts.length === 0) return false;
  let at = 1;
  if (typeof cors === "object") {
    const named = /** @type {CrossOrigin} */ (cors);
    for (const name in named) {
      const value = named[name];
      if (parts[at++] !== name || parts[at++] !== value) return false;
      if (!Array.isArray(value)) continue;
      for (let i = 0; i < value.length; i++) if (parts[at++] !== value[i]) return false;
    }
  }
  return at === parts.length;
}

module.exports = { Inputs };
