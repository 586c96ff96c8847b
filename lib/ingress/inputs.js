"use strict";

const threads = require("node:worker_threads");
const createDebug = require("debug");
const {
  countContexts,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  longestHead,
  secureContextOf,
  tlsSetting,
  upgradesByDefault,
} = require("../base/node-internals");
const { soleListener } = require("../http");
const { countTlsListeners, nativeTls } = require("./native-tls");
const {
  areNodesResponses,
  areNodesSockets,
  channels,
  enginesOf,
  onlyThreshold,
} = require("./reasons");

/** @typedef {import("../base/options").CrossOrigin} CrossOrigin */
/** @typedef {import("../base/options").HttpCompression | null | undefined} Compression */

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
   * @param {import("../base/node-internals").HttpServer} server
   */
  constructor(engine, server) {
    this.engine = engine;
    this.server = server;
    /** how often the parts of the option `cors` have changed */
    this.corsChanges = 0;
    /** @private */
    this._isSecure = nativeTls.has(server);
    /** @private @type {unknown[]} those parts */
    this._cors = [];
    /** @private @type {unknown[]} what is in the option `transports` */
    this._transportItems = [];
    /** @private whether there was a last look, and it has come to its end */
    this._isKnown = false;
  }

  /** Whatever there was is another at the next look. */
  forget() {
    this._isKnown = false;
  }

  /**
   * Looks at all.
   *
   * @returns {boolean} whether all of it is as it was at the last look
   * @throws what a getter of the program throws; then the next look is like the first
   */
  areSame() {
    const { engine, server } = this;
    const { middlewares, opts, original } = engine;
    let same = this._isKnown;
    this._isKnown = false;
    // Each line compares what was with what is, which takes its place.

    // the process
    same = this._reachesLoop === (this._reachesLoop = engine.border().reachesLoop) && same;
    same = this._onMainThread === (this._onMainThread = threads.isMainThread) && same;
    same = this._newSocket === (this._newSocket = channels.newSocket.hasSubscribers) && same;
    same = this._request === (this._request = channels.requestStart.hasSubscribers) && same;
    same = this._created === (this._created = channels.responseCreated.hasSubscribers) && same;
    same = this._finish === (this._finish = channels.responseFinish.hasSubscribers) && same;
    same = this._responses === (this._responses = areNodesResponses()) && same;
    same = this._sockets === (this._sockets = areNodesSockets()) && same;
    same = this._debugScopes === (this._debugScopes = createDebug.namespaces) && same;

    // the HTTP server
    same = this._engines === (this._engines = enginesOf(server)) && same;
    same = this._connects === (this._connects = soleListener(server, "connection")) && same;
    same = this._requests === (this._requests = soleListener(server, "request")) && same;
    same = this._upgrades === (this._upgrades = soleListener(server, "upgrade")) && same;
    same = this._emit === (this._emit = server.emit) && same;
    same = this._maxConnections === (this._maxConnections = server.maxConnections) && same;
    same = this._blockList === (this._blockList = hasSetting(server, "blockList")) && same;
    same = this._pauses === (this._pauses = hasSetting(server, "pauseOnConnect")) && same;
    same = this._keepAlive === (this._keepAlive = hasSetting(server, "keepAlive")) && same;
    same = this._maxHeaders === (this._maxHeaders = server.maxHeadersCount) && same;
    same = this._ownRequests === (this._ownRequests = hasOwnRequests(server)) && same;
    same = this._ownResponses === (this._ownResponses = hasOwnResponses(server)) && same;
    same = this._upgradesAll === (this._upgradesAll = upgradesByDefault(server)) && same;
    same = this._timeout === (this._timeout = server.timeout) && same;
    same = this._idleTimeout === (this._idleTimeout = server.keepAliveTimeout) && same;
    same = this._idleBuffer === (this._idleBuffer = server.keepAliveTimeoutBuffer) && same;
    same = this._headTimeout === (this._headTimeout = server.headersTimeout) && same;
    same = this._requestTimeout === (this._requestTimeout = server.requestTimeout) && same;
    same = this._maxRequests === (this._maxRequests = server.maxRequestsPerSocket) && same;
    same = this._maxHead === (this._maxHead = longestHead(server)) && same;

    // an HTTPS server for which workers are to speak TLS
    if (this._isSecure) {
      same = this._context === (this._context = secureContextOf(server)) && same;
      same = this._contexts === (this._contexts = countContexts(server)) && same;
      const requestCert = tlsSetting(server, "requestCert");
      const protocols = tlsSetting(server, "ALPNProtocols");
      const protocolOf = tlsSetting(server, "ALPNCallback");
      same = this._requestCert === (this._requestCert = requestCert) && same;
      same = this._protocols === (this._protocols = protocols) && same;
      same = this._protocolOf === (this._protocolOf = protocolOf) && same;
      same = this._tlsListeners === (this._tlsListeners = countTlsListeners(server)) && same;
    }

    // the engine
    same = this._id === (this._id = engine.nativeId()) && same;
    same = this._isLast === (this._isLast = engine.httpServer === server) && same;
    same = this._middleware === (this._middleware = middlewares[0]) && same;
    same = this._middlewares === (this._middlewares = middlewares.length) && same;
    same = this._ownMiddlewares === (this._ownMiddlewares = engine.ownMiddlewares) && same;
    same = this._headers === (this._headers = engine.listenerCount("headers")) && same;
    same = this._initial === (this._initial = engine.listenerCount("initial_headers")) && same;
    same = this._sessions === (this._sessions = engine.listenerCount("connection")) && same;
    same = this._ids === (this._ids = engine.generateId === original.generateId) && same;
    same = this._prepares === (this._prepares = engine.prepare === original.prepare) && same;
    same = this._verifies === (this._verifies = engine.verify === original.verify) && same;
    const { handleRequest, handleUpgrade } = engine;
    same = this._handles === (this._handles = handleRequest === original.handleRequest) && same;
    same = this._accepts === (this._accepts = handleUpgrade === original.handleUpgrade) && same;

    // its options
    const { allowRequest, cookie, cors, httpCompression, perMessageDeflate, transports } = opts;
    same = this._allowRequest === (this._allowRequest = allowRequest) && same;
    same = this._cookie === (this._cookie = cookie) && same;
    same = this._deflate === (this._deflate = perMessageDeflate) && same;
    same = this._compression === (this._compression = httpCompression) && same;
    same = this._compresses === (this._compresses = onlyThreshold(httpCompression)) && same;
    const compression = /** @type {Compression} */ (httpCompression);
    same = this._threshold === (this._threshold = compression?.threshold) && same;
    same = this._transports === (this._transports = transports) && same;
    if (!areItems(this._transportItems, transports)) {
      this._transportItems = [...transports];
      same = false;
    }
    if (!areParts(this._cors, cors)) {
      this._cors = partsOf(cors);
      this.corsChanges++;
      same = false;
    }
    this._isKnown = true;
    return same;
  }
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
