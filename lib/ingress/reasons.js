"use strict";

// May a connection go past Node.js? This table has all that can stand against it: a row for each reason, with the ways that it
// closes. `npm run api-table` writes it into docs/fast-paths.md; __test__/reasons.test.js turns on each row.

const cluster = /** @type {import("node:cluster").Cluster} */ (
  /** @type {unknown} */ (require("node:cluster"))
);
const { channel } = require("node:diagnostics_channel");
const { EventEmitter } = require("node:events");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const threads = require("node:worker_threads");
const createDebug = require("debug");
const { isConstant, isOurs, soleListener } = require("../http");
const {
  answersHalfOpen,
  countingServer,
  descriptorOf,
  HAS_DESCRIPTORS,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  keepsConnection,
  listensOnTcp,
  MOVES_CONNECTIONS,
  MUTES_RESPONSES,
  REBUILDS_REQUESTS,
  responseOn,
  speaksTls,
  SWAPS_HANDLES,
  upgradesByDefault,
} = require("../node");
const { onNewListener } = require("../base/new-listeners");
const { decryptedDetails } = require("../base/decrypted-socket");
const { hearsUntold, nativeTls } = require("./native-tls");

// The ways past Node.js, of which several can be asked for at once.

/** To look at the connections that an HTTP server accepts; asked when it begins to listen. */
const LISTEN = 1;
/** To look at one of them: what stands against taking a WebSocket and a polling connection alike. */
const ACCEPT = 2;
/** To take it for the WebSocket that it asks for. */
const ACCEPT_WEBSOCKET = 4;
/** To take it for the polling request that has come by it. */
const ACCEPT_POLLING = 8;
/** The same, when that request opens a session. */
const OPEN_POLLING = 16;
/** To give a polling connection to a worker when Node.js has answered a request that came by it. */
const MOVE_POLLING = 32;
/** To do so behind the answer that is being written. What else is against it is asked again when it has been written. */
const MOVE_BEHIND = 64;
/** To give a WebSocket to a worker whose request Node.js has read, instead of pumping its bytes. */
const TAKE_OVER = 128;
/** To close Node's socket of a connection that a worker has got: nobody else may have been given it. */
const DROP_SOCKET = 256;
/** To keep no more of the request that opens a session than its text. */
const DROP_REQUEST = 512;
/** To have a worker accept the connections of an HTTP server. What is against looking at them is against this, too. */
const LEND = 1024;

/** To have a worker accept polling connections and relay them to Node.js, which goes on reading each request: where they can't be
 * taken only because a program is to see each. */
const RELAY = 2048;

/** To have a worker take the header of the PROXY protocol off the connections of an HTTP server. Without it, there is no other way. */
const INTRODUCE = 4096;

/** What keeps a WebSocket from being taken when it is accepted. */
const TAKES_WEBSOCKET = LISTEN | ACCEPT | ACCEPT_WEBSOCKET;
/** What keeps a polling session from being opened when its connection is accepted. */
const TAKES_POLLING = LISTEN | ACCEPT | ACCEPT_POLLING | OPEN_POLLING;

/** The reason when there is no other. */
const NOT_PLAIN = "no plain request when it was accepted";

/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").Stream} Stream */

/**
 * What the rows ask of an engine.
 *
 * @typedef {object} Engine
 * @property {import("../base/options").EngineOptions} opts as they are now
 * @property {HttpServer | undefined} httpServer the one that it was attached to last
 * @property {Function[]} middlewares
 * @property {number} ownMiddlewares how many of them nobody but us has added
 * @property {(name: string) => number} listenerCount
 * @property {Function} generateId
 * @property {Function} handleRequest
 * @property {Function} handleUpgrade
 * @property {Function} prepare
 * @property {Function} verify
 * @property {{ generateId: Function, handleRequest: Function, handleUpgrade: Function, prepare: Function, verify: Function }} original those
 *   methods of it that programs may replace, as they are if nobody does
 * @property {(server: HttpServer) => boolean} isAttached
 * @property {boolean} refusesWebSockets
 * @property {() => import("../border/border").Border} border
 */

/**
 * A row that stands against accepting reads nothing that is not in lib/ingress/inputs.js.
 *
 * A row may ask of the server and of the socket without a look whether they are there, if they always are where something is meant
 * that it closes.
 *
 * @typedef {object} Row
 * @property {string} word what programs and logs are told
 * @property {number} against the ways that it closes
 * @property {string} text what the documentation says
 * @property {true} [relayed] polling connections are relayed all the same
 * @property {(engine: Engine, server: HttpServer, socket: Stream) => boolean} holds
 */

/** Node's diagnostics channels that can stand against it. */
const channels = {
  newSocket: channel("net.server.socket"),
  requestStart: channel("http.server.request.start"),
  responseCreated: channel("http.server.response.created"),
  responseFinish: channel("http.server.response.finish"),
};

/** What emits the events of HTTP servers, if nobody has replaced it. */
const { emit } = EventEmitter.prototype;

/** Methods of Node's classes by which programs may see what leaves: as they were when this was loaded. */
const { end, setHeader, write, writeHead } = http.ServerResponse.prototype;
const { write: writeToSocket } = net.Socket.prototype;

/** Node's own "connection" listeners, of HTTP servers and of HTTPS servers. */
const [NODES, NODES_TLS] = [new http.Server(), new https.Server()].map((server) =>
  soleListener(server, "connection"),
);

const debug = createDebug("engine:door");
// only to see whether these scopes are on
const debugEngine = createDebug("engine");
const debugPolling = createDebug("engine:polling");
const debugWebSocket = createDebug("engine:ws");

/** @type {WeakMap<object, { engines: number }>} how many engines are attached to an HTTP server */
const attached = new WeakMap();

/** @type {WeakSet<object>} sockets that a program has been given, and HTTP servers that show theirs */
const shown = new WeakSet();

/** @type {Row[]} asked from the top: of several that hold, the first is told */
const ROWS = [
  // the machine, and what kind of server and of connection it is
  {
    word: "Windows",
    against: LISTEN | MOVE_POLLING | TAKE_OVER | INTRODUCE,
    text: "Windows, or Bun: there is no descriptor to be duplicated",
    holds: () => !HAS_DESCRIPTORS,
  },
  {
    word: "this version of Node.js",
    against: LISTEN | MOVE_POLLING | INTRODUCE,
    text: "a part of Node.js that the way stands on is not there, or is another (`lib/node/`)",
    holds: () => !MOVES_CONNECTIONS,
  },
  {
    word: "requests of this Node.js",
    against: LISTEN | DROP_REQUEST,
    text: "the part by which requests are made that Node.js has not read",
    holds: () => !REBUILDS_REQUESTS,
  },
  {
    word: "sockets of this Node.js",
    against: TAKE_OVER,
    text: "the part by which a socket goes on whose connection a worker has",
    holds: () => !SWAPS_HANDLES,
  },
  {
    word: "TLS",
    against: LISTEN | MOVE_POLLING | TAKE_OVER,
    text: 'TLS, so HTTP/2 of browsers, too, unless `tls: "native"` is given',
    holds: ({ opts }, server, socket) =>
      socket === undefined
        ? speaksTls(server) && opts.tls !== "native"
        : socket.encrypted === true && decryptedDetails(socket) === undefined,
  },
  {
    word: "a worker of node:cluster",
    against: LISTEN | INTRODUCE,
    text: "a worker of `node:cluster`",
    holds: () => cluster.isWorker,
  },
  {
    word: "no TCP socket",
    against: LISTEN | MOVE_POLLING | TAKE_OVER,
    text: "a stream that is no TCP socket of Node.js; a server that listens on a pipe",
    holds: (_engine, server, socket) =>
      socket === undefined
        ? !listensOnTcp(server)
        : descriptorOf(socket) < 0 && !socket.writableLength,
  },
  {
    word: "unsent bytes",
    against: TAKE_OVER,
    text: "bytes that Node.js has not written yet when the request has been read, or the answer to a request before it",
    holds: (_engine, _server, socket) => socket.writableLength > 0 || !!responseOn(socket),
  },
  {
    word: "a server that is not attached",
    against: LISTEN | MOVE_POLLING | DROP_SOCKET,
    text: "the engine is not attached to the HTTP server: the program hands in its requests",
    holds: (engine, server) => server === undefined || !engine.isAttached(server),
  },
  {
    word: "a socket of another server",
    against: MOVE_POLLING,
    text: "the HTTP server has not accepted the connection itself: it was replayed into it",
    holds: (_engine, server, socket) => countingServer(socket) !== server,
  },
  {
    word: "another attached server",
    against: ACCEPT,
    text: "the HTTP server is not the last one to which the engine was attached",
    holds: (engine, server) => engine.httpServer !== server,
  },
  {
    word: "another operating system",
    against: LEND | INTRODUCE,
    text: "another operating system than Linux, or an event loop that addons can't reach",
    holds: (engine) => !engine.border().reachesLoop,
  },
  {
    word: "a worker thread",
    against: LEND | INTRODUCE,
    text: "a worker thread of Node.js (`node:worker_threads`)",
    holds: () => !threads.isMainThread,
  },
  {
    word: "another engine",
    against: LEND,
    text: "another engine is attached to the HTTP server, too",
    holds: (_engine, server) => attachmentOf(server).engines > 1,
  },
  {
    word: "another class of server",
    against: LISTEN | INTRODUCE,
    text: "a subclass of `http.Server` or `https.Server`, or an HTTP/2 server",
    holds: (_engine, server) =>
      ![http.Server.prototype, https.Server.prototype].includes(Object.getPrototypeOf(server)),
  },

  // what the HTTP server has been told
  {
    word: "an option of TLS",
    against: ACCEPT,
    text: '`tls: "native"`, and the HTTPS server has been told since to speak TLS as the workers can\'t',
    holds: (_engine, server) => nativeTls.get(server)?.fault() !== undefined,
  },
  {
    word: "a listener of TLS",
    against: ACCEPT,
    text: 'a "secureConnection", "newSession", "resumeSession", "OCSPRequest" or "keylog" listener of the HTTPS server',
    holds: (_engine, server) => nativeTls.has(server) && hearsUntold(server),
  },
  {
    word: 'a "connection" listener',
    against: ACCEPT,
    text: 'a "connection" listener of the HTTP server, or another one in the place of Node\'s',
    holds: (_engine, server) =>
      soleListener(server, "connection") !== (nativeTls.has(server) ? NODES_TLS : NODES),
  },
  {
    word: "a socket that was shown",
    against: DROP_SOCKET,
    text: "a program has, or has had, a way to get at the socket",
    holds: (_engine, server, socket) => shown.has(socket) || shown.has(server),
  },
  {
    word: "maxConnections",
    against: ACCEPT,
    text: "`maxConnections` of the HTTP server",
    holds: (_engine, server) => server.maxConnections !== undefined,
  },
  {
    word: "blockList",
    against: ACCEPT,
    text: "`blockList` of the HTTP server",
    holds: (_engine, server) => hasSetting(server, "blockList"),
  },
  {
    word: "pauseOnConnect",
    against: ACCEPT,
    text: "`pauseOnConnect` of the HTTP server",
    holds: (_engine, server) => hasSetting(server, "pauseOnConnect"),
  },
  {
    word: "keepAlive",
    against: ACCEPT,
    text: "`keepAlive` of the HTTP server",
    holds: (_engine, server) => hasSetting(server, "keepAlive"),
  },
  {
    word: "maxHeadersCount",
    against: ACCEPT,
    text: "`maxHeadersCount` of the HTTP server",
    holds: (_engine, server) => !!server.maxHeadersCount,
  },
  {
    word: "a class of requests",
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: "a class of requests (`IncomingMessage`) of the program's own",
    holds: (_engine, server) => server !== undefined && !hasOwnRequests(server),
  },
  {
    word: "a class of responses",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "a class of responses (`ServerResponse`) of the program's own",
    holds: (_engine, server) => !hasOwnResponses(server),
  },
  {
    word: "methods of responses",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "`end`, `setHeader`, `write` or `writeHead` of `http.ServerResponse.prototype` is replaced",
    holds: () => !areNodesResponses(),
  },
  {
    word: "methods of sockets",
    against: ACCEPT | MOVE_POLLING | TAKE_OVER,
    text: "`write` of `net.Socket.prototype` is replaced",
    holds: () => !areNodesSockets(),
  },
  {
    word: 'a "request" listener',
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    text: 'a "request" listener that was added after the engine (those before are called by it), or put in its place',
    holds: (_engine, server) => server !== undefined && hasOthers(server, "request"),
  },
  {
    word: 'no "request" listener',
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: 'the engine\'s own "request" listener has been taken away',
    holds: (_engine, server) => soleListener(server, "request") === 0,
  },
  {
    word: 'an "upgrade" listener',
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: 'an "upgrade" listener of the HTTP server, beside the engine\'s own or in its place',
    holds: (_engine, server) => server !== undefined && hasOthers(server, "upgrade"),
  },
  {
    word: 'no "upgrade" listener',
    against: ACCEPT_WEBSOCKET,
    text: 'the engine\'s own "upgrade" listener has been taken away',
    holds: (_engine, server) => soleListener(server, "upgrade") === 0,
  },
  {
    word: "shouldUpgradeCallback",
    against: ACCEPT_WEBSOCKET,
    text: "`shouldUpgradeCallback` of the HTTP server (Node.js 22 on)",
    holds: (_engine, server) => !upgradesByDefault(server),
  },
  {
    word: "timeout",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "`timeout` of the HTTP server",
    holds: (_engine, server) => server.timeout !== 0,
  },
  {
    word: "keepAliveTimeout",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "a `keepAliveTimeout` of the HTTP server that is no time",
    holds: (_engine, server) => !isTimeout(server.keepAliveTimeout),
  },
  {
    word: "httpAllowHalfOpen",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "`httpAllowHalfOpen` of the HTTP server",
    holds: (_engine, server) => answersHalfOpen(server),
  },
  {
    word: "maxRequestsPerSocket",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "`maxRequestsPerSocket` of the HTTP server",
    holds: (_engine, server) => !!server.maxRequestsPerSocket,
  },
  {
    word: "emit of the server",
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET,
    text: "`emit` of the HTTP server is replaced (instrumentations)",
    holds: (_engine, server) => server.emit !== emit,
  },
  {
    word: "net.server.socket",
    against: ACCEPT | DROP_SOCKET,
    text: "a subscriber of Node's diagnostics channel `net.server.socket`",
    holds: () => channels.newSocket.hasSubscribers,
  },
  {
    word: "http.server channels",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "a subscriber of `http.server.request.start`, `http.server.response.created` or `http.server.response.finish`",
    holds: () =>
      channels.requestStart.hasSubscribers ||
      channels.responseCreated.hasSubscribers ||
      channels.responseFinish.hasSubscribers,
  },

  // what the engine has been told
  {
    word: "a middleware",
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    relayed: true,
    text: "a middleware of the engine (`io.engine.use()`)",
    holds: ({ middlewares, ownMiddlewares }) => middlewares.length > ownMiddlewares,
  },
  {
    word: "the entry for 2.x",
    against: ACCEPT | MOVE_POLLING,
    relayed: true,
    text: "the entry for Socket.IO 2.x; `cors` that was given or taken away later",
    holds: ({ middlewares, opts }) => middlewares.length !== (opts.cors ? 1 : 0),
  },
  {
    word: 'a "headers" listener',
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    text: 'a "headers" listener of the engine',
    holds: (engine) => engine.listenerCount("headers") > 0,
  },
  {
    word: 'an "initial_headers" listener',
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: 'an "initial_headers" listener of the engine',
    holds: (engine) => engine.listenerCount("initial_headers") > 0,
  },
  {
    word: 'a "connection" listener of the engine',
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: 'a "connection" listener of the engine',
    holds: (engine) => engine.listenerCount("connection") > 1, // that of the Socket.IO server, or of a program without one
  },
  {
    word: "allowRequest",
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: "`allowRequest`",
    holds: ({ opts }) => opts.allowRequest !== undefined,
  },
  {
    word: "generateId",
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: "`generateId()` of the engine is replaced",
    holds: ({ generateId, original }) => generateId !== original.generateId,
  },
  {
    word: "prepare",
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    text: "`prepare()` of the engine is replaced",
    holds: ({ prepare, original }) => prepare !== original.prepare,
  },
  {
    word: "verify",
    against: ACCEPT | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    text: "`verify()` of the engine is replaced",
    holds: ({ verify, original }) => verify !== original.verify,
  },
  {
    word: "handleUpgrade",
    against: ACCEPT | DROP_SOCKET | DROP_REQUEST,
    text: "`handleUpgrade()` of the engine is replaced",
    holds: ({ handleUpgrade, original }) => handleUpgrade !== original.handleUpgrade,
  },
  {
    word: "handleRequest",
    against: ACCEPT_POLLING | MOVE_POLLING | DROP_SOCKET | DROP_REQUEST,
    text: "`handleRequest()` of the engine is replaced",
    holds: ({ handleRequest, original }) => handleRequest !== original.handleRequest,
  },
  {
    word: "cors with a function",
    against: ACCEPT | MOVE_POLLING,
    text: "`cors` with a function",
    holds: ({ opts }) => !!opts.cors && !isConstant(opts.cors),
  },
  {
    word: "a closed engine",
    against: ACCEPT_WEBSOCKET,
    text: "`io.engine.close()`, until the HTTP server listens again (Node.js refuses the request)",
    holds: (engine) => engine.refusesWebSockets,
  },
  {
    word: "transports without websocket",
    against: ACCEPT_WEBSOCKET,
    text: '`transports` without "websocket" (Node.js refuses the request)',
    holds: ({ opts }) => !opts.transports.includes("websocket"),
  },
  {
    word: "transports without polling",
    against: ACCEPT_POLLING,
    text: '`transports` without "polling" (Node.js refuses the request)',
    holds: ({ opts }) => !opts.transports.includes("polling"),
  },
  {
    word: "cookie",
    against: OPEN_POLLING,
    text: "`cookie`: the request that opens a session",
    holds: ({ opts }) => !!opts.cookie,
  },
  {
    word: "httpCompression",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "`httpCompression` with other options than `threshold`",
    holds: ({ opts }) => !onlyThreshold(opts.httpCompression),
  },
  {
    word: "debug scope engine",
    against: ACCEPT | MOVE_POLLING,
    text: "the debug scope `engine`",
    holds: () => debugEngine.enabled,
  },
  {
    word: "debug scope engine:ws",
    against: ACCEPT,
    text: "the debug scope `engine:ws`",
    holds: () => debugWebSocket.enabled,
  },
  {
    word: "debug scope engine:polling",
    against: ACCEPT_POLLING | MOVE_POLLING,
    text: "the debug scope `engine:polling`",
    holds: () => debugPolling.enabled,
  },

  // the answer behind which a polling connection would be moved
  {
    word: "a response of another class",
    against: MOVE_BEHIND,
    text: "a program has given the response another prototype",
    holds: (_engine, _server, socket) =>
      Object.getPrototypeOf(responseOn(socket)) !== http.ServerResponse.prototype,
  },
  {
    word: "a connection that ends",
    against: MOVE_BEHIND,
    text: "the connection is not kept alive, or is one of HTTP/1.0",
    holds: (_engine, _server, socket) => {
      const res = responseOn(socket);
      return !res || !keepsConnection(res) || res.req?.httpVersionMinor !== 1;
    },
  },
  {
    word: "sendDate",
    against: MOVE_BEHIND,
    text: "`sendDate` of the response is false",
    holds: (_engine, _server, socket) => !responseOn(socket)?.sendDate,
  },
];
Object.freeze(ROWS);

/**
 * Says whether a connection may go past Node.js, which it may where nobody can see a difference.
 *
 * @param {Engine} engine
 * @param {HttpServer | undefined} server the one that it has come to, if there is one
 * @param {number} ways what is meant to be done with it: LISTEN, ACCEPT and so on
 * @param {Stream} [socket] that of the connection, once there is one
 * @returns {string | undefined} what stands against it; undefined: nothing
 */
function reasonAgainst(engine, server, ways, socket) {
  const rows = rowsAgainst[ways] ?? selectRows(ways);
  for (let at = 0; at < rows.length; at++)
    if (rows[at].holds(engine, /** @type {HttpServer} */ (server), /** @type {Stream} */ (socket)))
      return rows[at].word;
  return undefined;
}

/** @type {Row[][]} those that are asked for by a set of ways, once that has been asked for */
const rowsAgainst = [];

/** @param {number} ways @returns {Row[]} */
function selectRows(ways) {
  const forRelay = ways & RELAY ? LISTEN | LEND | ACCEPT | ACCEPT_POLLING : 0;
  return (rowsAgainst[ways] = ROWS.filter(
    ({ against, relayed }) => (against & ways) !== 0 || (!relayed && (against & forRelay) !== 0),
  ));
}

/**
 * @param {Engine} engine
 * @param {HttpServer} server
 * @returns {boolean} whether a worker is to accept its polling connections and to relay them
 */
function mayRelay(engine, server) {
  const hasMiddleware = engine.middlewares.length > engine.ownMiddlewares;
  return hasMiddleware && MUTES_RESPONSES && reasonAgainst(engine, server, RELAY) === undefined;
}

/**
 * Says why a connection came no faster way whose request Node.js has read; the reason is logged and counted.
 *
 * @param {Engine} engine
 * @param {string} what the transport
 * @param {HttpServer | undefined} server
 * @param {number} ways those that were closed to it
 * @param {Stream} [socket] undefined: it is not asked for
 * @returns {string}
 */
function reasonOf(engine, what, server, ways, socket) {
  const reason = reasonAgainst(engine, server, ways, socket) ?? NOT_PLAIN;
  engine.border().countReason(reason);
  debug("%s came by way of Node.js: %s", what, reason);
  return reason;
}

/** @returns {boolean} whether nobody has replaced a method by which all responses are written */
function areNodesResponses() {
  const { prototype } = http.ServerResponse;
  return (
    prototype.writeHead === writeHead &&
    prototype.end === end &&
    prototype.setHeader === setHeader &&
    prototype.write === write
  );
}

/** @returns {boolean} whether nobody has replaced the method by which all sockets are written */
function areNodesSockets() {
  return net.Socket.prototype.write === writeToSocket;
}

/** @param {HttpServer} server @returns {{ engines: number }} how many engines are attached to it, now and later */
function attachmentOf(server) {
  let attachment = attached.get(server);
  if (attachment === undefined) attached.set(server, (attachment = { engines: 0 }));
  return attachment;
}

/** @param {HttpServer} server @param {string} event @returns {boolean} whether it has others than one of ours */
function hasOthers(server, event) {
  const listener = soleListener(server, event);
  return listener !== 0 && !isOurs(Object(listener));
}

/** @param {unknown} option `httpCompression` @returns {boolean} whether it has no other parts than `threshold` */
function onlyThreshold(option) {
  if (typeof option !== "object") return true;
  for (const key in option) if (key !== "threshold") return false;
  return true;
}

/** @param {unknown} value @returns {boolean} whether it is a time, or says that there is none: what to make of others is up to Node.js */
function isTimeout(value) {
  return !value || (typeof value === "number" && value > 0 && value < Infinity);
}

/**
 * An engine is attached to an HTTP server: begins to note whether a program is shown the sockets of that. A listener that is removed again may have seen some.
 *
 * @param {HttpServer} server
 */
function trackConnectionListeners(server) {
  attachmentOf(server).engines++;
  if (server.listenerCount("connection") > 1) shown.add(server);
  onNewListener(server, (name) => {
    if (name === "connection") shown.add(server);
  });
}

/**
 * Notes that a program is given a socket.
 *
 * @param {Stream | null | undefined} socket
 */
function noteShown(socket) {
  if (socket) shown.add(socket);
}

module.exports = {
  ACCEPT,
  ACCEPT_POLLING,
  ACCEPT_WEBSOCKET,
  areNodesResponses,
  areNodesSockets,
  attachmentOf,
  channels,
  DROP_REQUEST,
  DROP_SOCKET,
  INTRODUCE,
  LEND,
  LISTEN,
  mayRelay,
  MOVE_BEHIND,
  MOVE_POLLING,
  NOT_PLAIN,
  noteShown,
  onlyThreshold,
  OPEN_POLLING,
  reasonAgainst,
  reasonOf,
  ROWS,
  TAKE_OVER,
  TAKES_POLLING,
  TAKES_WEBSOCKET,
  trackConnectionListeners,
};
