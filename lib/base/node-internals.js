"use strict";

// The parts of Node.js that we use although it does not document them. No other file names one; a test sees to that.
//
// Each part is declared below with what it is and what happens without it. It is tried out once, when this file is loaded, or,
// where that takes a listening server or a connection, on each of these. If a part is missing or behaves differently, the
// functions here say so, and connections take a slower way that does not need it. Nothing here may throw for that reason.
//
// A new part needs: a call of `declare()`, a function with a plain name, and its rows in __test__/node-internals.test.js and
// __test__/support/missing-parts.js.

const { bare } = require("./bare");
const { EventEmitter } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const https = require("node:https");
const { constants } = require("node:os");
const stream = require("node:stream");
const tls = require("node:tls");
const debug = require("debug")("engine:door");
const { decryptedDetails } = require("./decrypted-socket");
const { nextTick, setImmediate } = require("./loop");

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} uses what it is in Node.js
 * @property {string} otherwise what happens without it
 * @property {boolean | undefined} works whether this Node.js has it; undefined: each object is looked at when it is used
 */

/** @type {Part[]} */
const PARTS = [];

/**
 * @param {string} name
 * @param {string} uses
 * @param {string} otherwise
 * @param {() => boolean} [tryOut] none: each object is looked at when it is used
 * @returns {boolean} whether it works
 */
function declare(name, uses, otherwise, tryOut) {
  const works = tryOut === undefined ? undefined : passes(tryOut);
  PARTS.push({ name, uses, otherwise, works });
  if (works === false) debug("this Node.js lacks %s (%s): %s", uses, name, otherwise);
  return works === true;
}

/** @param {() => boolean} tryOut @returns {boolean} */
function passes(tryOut) {
  try {
    return tryOut();
  } catch {
    return false;
  }
}

/** @param {number} major @param {number} minor @returns {boolean} whether this is that version of Node.js, or newer */
function isAtLeast(major, minor) {
  const [a, b] = process.versions.node.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

function noop() {}

// What others see of Node's objects is what Node.js documents. What is used here besides:

/** @typedef {import("node:http").Server & { keepAliveTimeoutBuffer?: number }} HttpServer Node.js 24 on has the latter */
/** @typedef {import("node:https").Server} TlsServer */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/** @typedef {import("node:net").Socket} Socket */
/** @typedef {import("node:stream").Duplex} Duplex */

/**
 * What requests come by: a socket of Node.js, or another stream that a program has put into an HTTP server, which may lack
 * what only sockets have.
 *
 * @typedef {Duplex & { encrypted?: boolean } & Partial<Pick<Socket, "timeout" | "setTimeout" | "setNoDelay" | "bytesRead" |
 *   "remoteAddress" | "remotePort" | "localAddress" | "localPort">>} Stream
 */

/**
 * What libuv has of a socket, or of a server.
 *
 * @typedef {object} Handle
 * @property {number} fd
 * @property {number} writeQueueSize bytes
 * @property {Accept} [onconnection] a server's only
 * @property {(done?: () => void) => void} close
 */

/** @typedef {(this: Handle, status: number, handle: Handle | undefined) => void} Accept */

/**
 * @typedef {object} ServerParts
 * @property {number} _connections
 * @property {() => void} _emitCloseIfDrained
 * @property {Handle | null} _handle null: it does not listen
 * @property {boolean} allowHalfOpen
 * @property {boolean} keepAlive
 * @property {number} keepAliveInitialDelay
 * @property {boolean} pauseOnConnect
 * @property {unknown} blockList
 * @property {unknown} [httpAllowHalfOpen]
 * @property {number} [maxHeaderSize]
 * @property {unknown} shouldUpgradeCallback
 *
 * @typedef {HttpServer & ServerParts & Record<symbol, unknown>} ServerInside
 */

/**
 * @typedef {object} SocketParts
 * @property {Handle | null} _handle
 * @property {unknown} _peername
 * @property {unknown} _sockname
 * @property {ServerInside} [_server] the one that counts it
 * @property {HttpServer} [server] the one that reads its requests
 * @property {Response | null} [_httpMessage]
 * @property {Parser | null} [parser]
 *
 * @typedef {Socket & SocketParts} SocketInside
 */

/**
 * @typedef {object} RequestParts
 * @property {(lines: string[], length: number) => void} _addHeaderLines
 * @property {Socket} client the older name of `socket`
 * @property {boolean} upgrade
 *
 * @typedef {Request & RequestParts} RequestInside
 */

/**
 * @typedef {Record<number, (() => void) | null> & ParserParts} Parser what reads the requests of a connection
 *
 * @typedef {object} ParserParts
 * @property {Request | null} incoming
 * @property {ParserClass} constructor
 * @property {() => void} [unconsume]
 * @property {() => void} [remove]
 * @property {(kind: number, owner: object) => void} initialize
 * @property {(bytes: Buffer) => unknown} execute
 * @property {() => void} close
 *
 * @typedef {{ new (): Parser, kOnMessageBegin: number, REQUEST: number }} ParserClass
 */

/** @param {object} server @returns {ServerInside} the same */
function inside(server) {
  return /** @type {ServerInside} */ (server);
}

/** @param {Stream} socket @returns {SocketInside} the same */
function insideOf(socket) {
  return /** @type {SocketInside} */ (socket);
}

/** Whether sockets have descriptors that can be duplicated. */
const HAS_DESCRIPTORS = process.platform !== "win32" && process.versions.bun === undefined;

const blank = inside(http.createServer());

// --- the connections that a server counts ---

const COUNTS_CONNECTIONS = declare(
  "count of connections",
  "`_connections`, `_emitCloseIfDrained()` of a server",
  "Node.js keeps a socket for each connection, so workers get only WebSockets that it has accepted",
  () => blank._connections === 0 && typeof blank._emitCloseIfDrained === "function",
);

/**
 * Counts a connection that is no longer Node's as one of its server's, so that `close(callback)` waits for it.
 *
 * @param {HttpServer} server
 */
function countConnection(server) {
  inside(server)._connections++;
}

/**
 * Undoes that: the connection has ended, or a socket counts for it now. When none is left, a closed server emits "close".
 *
 * @param {HttpServer} server
 */
function uncountConnection(server) {
  const counting = inside(server);
  counting._connections--;
  counting._emitCloseIfDrained();
}

/** @param {HttpServer} server @returns {boolean} whether it does not listen, and has no connections any more */
function isOver(server) {
  return !server.listening && inside(server)._connections === 0;
}

/**
 * @param {Stream} socket
 * @returns {HttpServer | undefined} the server that counts it; undefined: none does, or it could not go on counting without the socket
 */
function countingServer(socket) {
  const server = insideOf(socket)._server;
  return COUNTS_CONNECTIONS && typeof server?._connections === "number" ? server : undefined;
}

/** Names and values that Node.js keeps of a request, unless its server says otherwise (`maxHeadersCount`). */
const MAX_HEADER_PAIRS = 2000;

/**
 * @param {any} request
 * @returns {boolean} whether it may have had more headers than Node.js has kept
 */
function lacksHeaders(request) {
  const count = httpServerOf(request.socket)?.maxHeadersCount;
  const longest = typeof count === "number" ? count << 1 : MAX_HEADER_PAIRS;
  return longest > 0 && request.rawHeaders.length >= longest;
}

/** @param {Stream | null | undefined} socket @returns {HttpServer | undefined} the HTTP server that reads its requests, if there is one */
function httpServerOf(socket) {
  return /** @type {SocketInside | null | undefined} */ (socket)?.server ?? undefined;
}

// --- the settings of a server ---

const SHOWS_SETTINGS = declare(
  "settings of a server",
  "`allowHalfOpen`, `blockList`, `keepAlive`, `keepAliveInitialDelay`, `maxHeaderSize`, `pauseOnConnect` of a server",
  "Node.js reads the first request of each connection, and polling connections stay with it",
  () => {
    const { maxHeaderSize } = inside(http.createServer({ maxHeaderSize: 12345 }));
    const blockList = new net.BlockList();
    const options = { keepAlive: true, keepAliveInitialDelay: 5000, pauseOnConnect: true };
    const server = inside(net.createServer(Object.assign(options, { blockList })));
    return (
      blank.allowHalfOpen === true &&
      maxHeaderSize === 12345 &&
      server.allowHalfOpen === false &&
      server.keepAlive === true &&
      server.keepAliveInitialDelay === 5 && // seconds
      server.pauseOnConnect === true &&
      (server.blockList === blockList || !isAtLeast(24, 0)) // older ones have no such option
    );
  },
);

/**
 * @param {HttpServer} server
 * @param {"blockList" | "keepAlive" | "pauseOnConnect"} name of a setting for the connections that it accepts
 * @returns {boolean} whether it is on
 */
function hasSetting(server, name) {
  // each by its name: this is asked for each connection
  const settings = inside(server);
  if (name === "blockList") return !!settings.blockList;
  return name === "keepAlive" ? !!settings.keepAlive : !!settings.pauseOnConnect;
}

/** @param {HttpServer} server @returns {number} bytes that the head of a request may have */
function longestHead(server) {
  return inside(server).maxHeaderSize || http.maxHeaderSize;
}

// --- TLS ---

/**
 * @typedef {object} TlsParts
 * @property {unknown} _sharedCreds
 * @property {unknown[]} _contexts
 */

/** @typedef {TlsServer & TlsParts & Record<string | symbol, unknown>} TlsInside */

/**
 * What an HTTPS server has been told of TLS; more than has a type here.
 *
 * @typedef {import("node:tls").SecureContextOptions & { ALPNProtocols?: Buffer, handshakeTimeout: number }} TlsTold
 */

/** @param {HttpServer | TlsServer} server @returns {TlsInside} */
function tlsInside(server) {
  return /** @type {TlsInside} */ (/** @type {unknown} */ (server));
}

/** The symbols by which an HTTPS server has what it has been told once. */
const TLS_SYMBOLS = new Map(
  Object.getOwnPropertySymbols(https.createServer()).map((symbol) => [symbol.description, symbol]),
);

/** What an HTTPS server has been told of TLS, as far as it is a property by its own name. */
const TLS_NAMES = [
  "ALPNCallback",
  "ALPNProtocols",
  "ca",
  "cert",
  "ciphers",
  "clientCertEngine",
  "crl",
  "dhparam",
  "ecdhCurve",
  "honorCipherOrder",
  "key",
  "maxVersion",
  "minVersion",
  "passphrase",
  "pfx",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "requestCert",
  "secureOptions",
  "secureProtocol",
  "sessionTimeout",
  "sigalgs",
  "ticketKeys",
];

const SHOWS_TLS = declare(
  "TLS of a server",
  "`_sharedCreds`, `_contexts`, the options of TLS and three symbols of an HTTPS server",
  'Node.js speaks TLS, although `tls: "native"` is given',
  () => {
    const options = { SNICallback: noop, handshakeTimeout: 12345, requestCert: true };
    const server = tlsInside(https.createServer(options));
    const before = server._sharedCreds;
    server.addContext("a", {});
    server.setSecureContext({ minVersion: "TLSv1.3" });
    /** @type {Record<string, unknown>} */
    const told = { ...tlsOptions(server) };
    return (
      typeof before === "object" &&
      before !== server._sharedCreds &&
      server._contexts.length === 1 &&
      told.handshakeTimeout === 12345 &&
      told.minVersion === "TLSv1.3" &&
      told.requestCert === true &&
      told.SNICallback === noop &&
      TLS_SYMBOLS.has("pskcallback")
    );
  },
);

/**
 * @param {TlsServer} server
 * @returns {TlsTold} what it has been told of TLS, by the names of its options
 */
function tlsOptions(server) {
  const inner = tlsInside(server);
  /** @type {Record<string, unknown>} */
  const told = {};
  for (const name of TLS_NAMES) told[name] = inner[name];
  for (const [name, description] of [
    ["handshakeTimeout", "handshake-timeout"],
    ["pskCallback", "pskcallback"],
    ["SNICallback", "snicallback"],
  ])
    told[name] = inner[/** @type {symbol} */ (TLS_SYMBOLS.get(description))];
  return /** @type {TlsTold} */ (/** @type {unknown} */ (told));
}

/** @param {HttpServer} server @returns {boolean} whether it is an HTTPS server */
function speaksTls(server) {
  return server instanceof tls.Server;
}

/** @param {HttpServer | TlsServer} server @returns {unknown} another object each time that `setSecureContext()` has been called */
function secureContextOf(server) {
  return tlsInside(server)._sharedCreds;
}

/**
 * @param {HttpServer | TlsServer} server
 * @param {"ALPNCallback" | "ALPNProtocols" | "requestCert"} name of what Node.js looks at for each connection
 * @returns {unknown}
 */
function tlsSetting(server, name) {
  const inner = tlsInside(server);
  // each by its name: this is asked in each turn of the event loop
  if (name === "requestCert") return inner.requestCert;
  return name === "ALPNProtocols" ? inner.ALPNProtocols : inner.ALPNCallback;
}

/** @param {HttpServer | TlsServer} server @returns {number} how often `addContext()` has been called */
function countContexts(server) {
  return tlsInside(server)._contexts.length;
}

/**
 * Makes a socket from a descriptor, as a server does for a connection that it accepts. The connection must be counted already.
 *
 * @param {HttpServer} server
 * @param {number} descriptor
 * @returns {Socket}
 * @throws {Error} when nothing can be read from it
 */
function socketOf(server, descriptor) {
  const accepting = inside(server);
  const { allowHalfOpen } = accepting;
  const socket = insideOf(
    new net.Socket({ fd: descriptor, allowHalfOpen, readable: true, writable: true }),
  );
  socket.server = server;
  socket._server = accepting; // uncounts the connection when the socket is closed
  if (accepting.keepAlive) socket.setKeepAlive(true, accepting.keepAliveInitialDelay * 1000); // from seconds
  socket.setNoDelay(true);
  return socket;
}

// --- requests, their classes, and upgrades ---

const REBUILDS_REQUESTS = declare(
  "headers of a request",
  "`_addHeaderLines()` of a request",
  "Node.js reads the first request of each connection, and requests that open a session are kept",
  () => {
    const parts = { method: "GET", url: "/", httpVersion: "1.1", upgrade: true };
    const req = buildRequest({ ...parts, rawHeaders: ["A", "1", "b", "2", "a", "3"] });
    return req.headers.a === "1, 3" && req.headers.b === "2" && req.rawHeaders.length === 6;
  },
);

/**
 * Makes a request as Node's parser does: `headers` is made at the first look.
 *
 * @param {{ method: string, url: string, httpVersion: string, rawHeaders: string[], upgrade: boolean }} parts
 * @returns {Request} one that has been read to its end; it has no socket
 */
function buildRequest({ method, url, httpVersion, rawHeaders, upgrade }) {
  const none = /** @type {Socket} */ (/** @type {unknown} */ (undefined));
  const req = /** @type {RequestInside} */ (new http.IncomingMessage(none));
  const [major, minor] = httpVersion.split(".");
  req.httpVersionMajor = Number(major);
  req.httpVersionMinor = Number(minor);
  req.httpVersion = httpVersion;
  req.method = method;
  req.url = url;
  req._addHeaderLines(rawHeaders, rawHeaders.length);
  req.complete = true;
  req.upgrade = upgrade;
  if (upgrade) return req;
  // it has been answered and is over
  req.destroy();
  req.aborted = false;
  return req;
}

/**
 * @param {Request} req
 * @param {Socket} socket the one that it has come by
 */
function setSocket(req, socket) {
  req.socket = socket;
  /** @type {RequestInside} */ (req).client = socket;
}

/**
 * Gives a request a socket that is made at the first look: most programs only look at headers.
 *
 * @param {Request} req
 * @param {() => Stream} find makes it; called once
 */
function lendSocket(req, find) {
  /** @type {Stream | undefined} */
  let socket;
  const property = bare({
    get: () => (socket ??= find()),
    set: (/** @type {Stream} */ other) => {
      socket = other;
    },
    enumerable: true,
    configurable: true,
  });
  Object.defineProperties(req, bare({ socket: property, client: property }));
}

/** The symbols by which a server has the classes of its requests and responses. */
const [REQUEST, RESPONSE] = ["IncomingMessage", "ServerResponse"].map((name) =>
  Object.getOwnPropertySymbols(blank).find(({ description }) => description === name),
);

declare(
  "classes of requests and responses",
  "the symbols by which a server has them",
  "they pass for classes of the program's own: Node.js reads all requests, and requests and sockets are kept",
  () => hasOwnRequests(blank) && hasOwnResponses(blank),
);

/** @param {HttpServer} server @returns {boolean} whether its requests are of Node's own class */
function hasOwnRequests(server) {
  return REQUEST !== undefined && inside(server)[REQUEST] === http.IncomingMessage;
}

/** @param {HttpServer} server @returns {boolean} whether its responses are of Node's own class */
function hasOwnResponses(server) {
  return RESPONSE !== undefined && inside(server)[RESPONSE] === http.ServerResponse;
}

/** Whether a server can be told which upgrade requests to accept. */
const HAS_UPGRADE_RULE = isAtLeast(24, 9) || (isAtLeast(22, 21) && !isAtLeast(23, 0));
/** The rule that it has when it is not told. */
const UPGRADES_BY_DEFAULT = String(blank.shouldUpgradeCallback);

const SHOWS_UPGRADE_RULE = declare(
  "rule for upgrades",
  "`shouldUpgradeCallback` of a server",
  "Node.js reads upgrade requests",
  () => {
    const options = /** @type {import("node:http").ServerOptions} */ ({
      shouldUpgradeCallback: noop,
    });
    return inside(http.createServer(options)).shouldUpgradeCallback === noop || !HAS_UPGRADE_RULE;
  },
);

/** @param {HttpServer} server @returns {boolean} whether it accepts upgrade requests as soon as somebody listens for them */
function upgradesByDefault(server) {
  const rule = inside(server).shouldUpgradeCallback;
  if (rule !== lastRule) {
    lastRule = rule;
    lastIsDefault = String(rule) === UPGRADES_BY_DEFAULT; // each server has its own
  }
  return SHOWS_UPGRADE_RULE && lastIsDefault;
}

/** @type {unknown} the rule that was looked at last, as the same is mostly asked again */
let lastRule = blank.shouldUpgradeCallback;
let lastIsDefault = true;

/**
 * What a server has been told that Node.js does not document, to see whether it is told something else.
 *
 * @param {HttpServer} server
 */
function settingsOf(server) {
  const settings = inside(server);
  return {
    blockList: settings.blockList,
    halfOpen: settings.httpAllowHalfOpen,
    keepAlive: settings.keepAlive,
    longestHead: settings.maxHeaderSize,
    pauses: settings.pauseOnConnect,
    requests: settings[/** @type {symbol} */ (REQUEST)],
    responses: settings[/** @type {symbol} */ (RESPONSE)],
    upgradeRule: settings.shouldUpgradeCallback,
  };
}

/**
 * @param {HttpServer} server
 * @param {ReturnType<settingsOf>} known
 * @returns {boolean} whether it is what `settingsOf()` gives: this is asked in each turn
 */
function isSetAs(server, known) {
  const settings = inside(server);
  return (
    known.blockList === settings.blockList &&
    known.halfOpen === settings.httpAllowHalfOpen &&
    known.keepAlive === settings.keepAlive &&
    known.longestHead === settings.maxHeaderSize &&
    known.pauses === settings.pauseOnConnect &&
    known.requests === settings[/** @type {symbol} */ (REQUEST)] &&
    known.responses === settings[/** @type {symbol} */ (RESPONSE)] &&
    known.upgradeRule === settings.shouldUpgradeCallback
  );
}

// --- sockets whose connection somebody else has ---

const EPIPE = -constants.errno.EPIPE;

/** Takes the place of a socket's handle when somebody else has the connection; it has what Node's sockets use of one. */
class StandIn {
  /**
   * @param {() => void} onend called when the socket is ended or destroyed
   * @param {number} bytesRead
   * @param {number} bytesWritten
   */
  constructor(onend, bytesRead, bytesWritten) {
    /** @type {(() => void) | undefined} nothing once the connection has ended, or has been asked to */
    this.onend = onend;
    this.fd = -1;
    this.reading = false;
    this.bytesRead = bytesRead;
    this.bytesWritten = bytesWritten;
    this.writeQueueSize = 0;
  }

  end() {
    const { onend } = this;
    this.onend = undefined;
    if (onend !== undefined) onend();
  }

  /** @param {() => void} [done] makes the socket emit "close"; its "error" must come first */
  close(done) {
    this.end();
    if (done) setImmediate(done);
  }

  /** @returns {number} 1: done at once, no callback follows */
  shutdown() {
    this.end();
    return 1;
  }

  // the socket knows its addresses: see replaceHandle() and standInSocket()
  getpeername() {
    return 0;
  }

  getsockname() {
    return 0;
  }

  readStart() {
    return 0;
  }

  readStop() {
    return 0;
  }

  setNoDelay() {
    return 0;
  }

  setKeepAlive() {
    return 0;
  }

  ref() {}

  unref() {}

  hasRef() {
    return false;
  }
}

for (const kind of ["v", "Buffer", "Utf8String", "AsciiString", "Latin1String", "Ucs2String"])
  Object.assign(StandIn.prototype, { [`write${kind}`]: () => EPIPE });

const SWAPS_HANDLES = declare(
  "handle of a socket",
  "`_handle`, `_peername`, `_sockname`, `_server` of a socket; `fd`, `close()`, class name of its handle",
  "no worker takes a connection over: WebSockets are pumped through this thread, and Node.js reads all requests",
  () => {
    let closed = 0;
    const onend = () => {
      closed++;
    };
    const server = inside({ _connections: 3, _emitCloseIfDrained: noop });
    const addresses = { address: "1.2.3.4", port: 1, localAddress: "::1", localPort: 2 };
    const make = () => standInSocket(addresses, server, 100, onend);
    const [kept, silent, ended] = [make(), make(), make()];
    replaceHandle(kept, onend, 200); // closes the first
    const isRight =
      kept.remoteAddress === addresses.address &&
      kept.remoteFamily === "IPv4" &&
      kept.localPort === addresses.localPort &&
      kept.bytesWritten === 100 &&
      closed === 1;
    kept.destroy();
    closeSilently(silent);
    endStandIn(ended);
    return isRight && closed === 3 && server._connections === 1 && !silent.destroyed;
  },
);

/**
 * Closes the handle of a socket and nothing else: no event is emitted, and the connection stays counted. Only for a socket
 * that no program has.
 *
 * @param {Stream} socket one for which `descriptorOf()` has found a descriptor
 */
function closeSilently(socket) {
  const holder = insideOf(socket);
  const handle = holder._handle;
  holder._handle = null;
  holder._server = undefined; // whatever destroys it later, the connection is not uncounted for it
  handle?.close();
}

/**
 * @param {Stream} socket
 * @returns {number} the descriptor of a plain TCP connection that can be handed to somebody else, or -1
 */
function descriptorOf(socket) {
  const handle = insideOf(socket)._handle;
  const isPlain = decryptedDetails(socket) || (isTcp(handle) && !socket.encrypted);
  if (!SWAPS_HANDLES || !HAS_DESCRIPTORS || handle === null || !isPlain) return -1;
  if (socket.writableLength > 0) return -1; // what Node.js still has to write would be lost
  return typeof handle.fd === "number" ? handle.fd : -1;
}

/** @param {Handle | null | undefined} handle @returns {handle is Handle} whether it belongs to a TCP socket or server */
function isTcp(handle) {
  return handle?.constructor?.name === "TCP" && typeof handle.close === "function";
}

/**
 * Keeps a socket open whose connection somebody else has now: its own handle is closed, another takes its place.
 *
 * @param {Stream} socket
 * @param {() => void} onend called when the socket is ended or destroyed
 * @param {number} leastWritten bytes that it shall have written, if it has written none itself
 */
function replaceHandle(socket, onend, leastWritten) {
  const holder = insideOf(socket);
  const handle = holder._handle;
  // Node.js remembers them once they have been asked for
  void holder.remoteAddress;
  void holder.localAddress;
  leaveParser(holder.parser);
  holder._handle = new StandIn(onend, holder.bytesRead, holder.bytesWritten || leastWritten);
  handle?.close();
}

/**
 * Makes a socket for a connection that somebody else has, or has had. The server counts the connection; when the socket is
 * closed, it no longer does.
 *
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses either may be empty
 * @param {HttpServer | undefined} server the HTTP server that it came to
 * @param {number} [bytesWritten]
 * @param {() => void} [onend] called when the socket is ended or destroyed; none: the connection has ended already
 * @returns {Socket}
 */
function standInSocket({ address, port, localAddress, localPort }, server, bytesWritten, onend) {
  const handle = onend && new StandIn(onend, 0, bytesWritten ?? 0);
  const options = { handle, allowHalfOpen: true }; // `handle` is no option that is documented
  const socket = insideOf(new net.Socket(options));
  if (address !== "") socket._peername = addressOf(address, port);
  socket.server = server;
  if (handle === undefined) return socket.destroy();
  if (localAddress !== "") socket._sockname = addressOf(localAddress, localPort);
  socket._server = /** @type {ServerInside | undefined} */ (server); // uncounts the connection when the socket is closed
  return socket;
}

/**
 * Ends such a socket, because its connection has ended.
 *
 * @param {Stream} socket
 */
function endStandIn(socket) {
  const handle = insideOf(socket)._handle;
  if (handle instanceof StandIn) handle.onend = undefined;
  socket.destroy();
}

/**
 * @param {string} address
 * @param {number} port
 * @returns {{ address: string, family: string, port: number }} as Node.js stores it
 */
function addressOf(address, port) {
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port };
}

/**
 * Detaches the parser of a connection's requests, or Node.js would go on waiting for the next request and close the connection.
 *
 * @param {Parser | null | undefined} parser
 */
function leaveParser(parser) {
  if (!parser) return;
  parser.unconsume?.();
  parser.remove?.();
}

/** Whether all is there that a connection needs to go from Node.js to a worker and back. */
const MOVES_CONNECTIONS = COUNTS_CONNECTIONS && SHOWS_SETTINGS && SWAPS_HANDLES;

// --- connections as they are accepted ---

declare(
  "accepting",
  "`_handle` of a server, its `onconnection`, `fd` and `close()`, and those of a connection's handle",
  "Node.js reads the first request of each connection",
);

/** @type {WeakMap<object, WeakSet<Function>>} by the handle of a server, those to whom it shows what it accepts */
const showing = new WeakMap();

/** @type {WeakMap<Handle, Accept>} by the handle of a server, what Node.js does with a connection */
const originals = new WeakMap();

/**
 * Shows the connections that a server accepts before Node.js makes sockets of them. To be called each time the server begins to
 * listen. Several may look at them: the last first.
 *
 * A caller that takes connections must first look at HAS_DESCRIPTORS, MOVES_CONNECTIONS and REBUILDS_REQUESTS.
 *
 * @param {HttpServer} server one of class http.Server itself
 * @param {(descriptor: number) => boolean} take returns whether somebody has a duplicate: then Node.js never hears of it
 * @returns {boolean} whether connections are shown to it from now on; false if they already were
 */
function showAccepted(server, take) {
  const listener = listeningHandle(server);
  if (!isTcp(listener)) return false;
  const takers = showing.get(listener) ?? new WeakSet();
  if (takers.has(take)) return false;
  const next = listener.onconnection;
  if (typeof next !== "function" || !(listener.fd >= 0)) return false;
  const first = (/** @type {number} */ status, /** @type {Handle | undefined} */ handle) => {
    if (status === 0 && handle && handle.fd >= 0 && take(handle.fd)) handle.close();
    else next.call(listener, status, handle);
  };
  if (!Reflect.set(listener, "onconnection", first)) return false;
  if (!originals.has(listener)) originals.set(listener, next);
  showing.set(listener, takers.add(take));
  return true;
}

/** @param {HttpServer} server @returns {Handle | null} what it listens with; nothing when it does not listen */
function listeningHandle(server) {
  return inside(server)._handle;
}

/** @type {WeakMap<object, () => void>} by the handle of a server, what is called before it is closed */
const closing = new WeakMap();

/**
 * Has a function called right before a server stops to listen.
 *
 * @param {Handle} handle what it listens with
 * @param {() => void} done the last one that is given counts
 * @returns {boolean} whether it is
 */
function beforeClose(handle, done) {
  const isKnown = closing.has(handle);
  closing.set(handle, done);
  if (isKnown) return true;
  const { close } = handle;
  return Reflect.set(handle, "close", function (/** @type {[]} */ ...args) {
    closing.get(handle)?.();
    return Reflect.apply(close, handle, args);
  });
}

/**
 * Has a server accept a connection that somebody else has accepted for it, as if it had done so itself.
 *
 * @param {Handle} listener what the server listens with, or did when the connection came; it was given to `showAccepted()`
 * @param {number} descriptor of the connection; it is the server's now
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} [addresses] what its socket is to show, in place
 *   of its own
 * @throws {Error} when nothing can be read from it
 */
function acceptDescriptor(listener, descriptor, addresses) {
  // this makes a handle of the descriptor, and reads nothing
  const maker = insideOf(new net.Socket({ fd: descriptor, readable: false, writable: false }));
  const handle = maker._handle ?? undefined;
  maker._handle = null;
  if (handle !== undefined && addresses !== undefined) showAddresses(handle, addresses);
  const accept = /** @type {Accept} */ (originals.get(listener));
  accept.call(listener, 0, handle);
}

/**
 * Has the sockets of a handle, TLS sockets too, show other addresses than those of the handle.
 *
 * @param {Handle} handle
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses
 */
function showAddresses(handle, { address, port, localAddress, localPort }) {
  Object.assign(handle, {
    getpeername(/** @type {object} */ out) {
      Object.assign(out, addressOf(address, port));
      return 0;
    },
    getsockname(/** @type {object} */ out) {
      Object.assign(out, addressOf(localAddress, localPort));
      return 0;
    },
  });
}

/** @param {HttpServer} server @returns {boolean} whether it listens on a TCP port */
function listensOnTcp(server) {
  return isTcp(listeningHandle(server));
}

/** @param {HttpServer} server @returns {number} the descriptor that it listens on, if it shows what it accepts; else -1 */
function listeningDescriptor(server) {
  const listener = listeningHandle(server);
  return listener !== null && showing.has(listener) && listener.fd >= 0 ? listener.fd : -1;
}

/** @param {HttpServer} server @returns {number} the descriptor that it listens on; -1: there is none */
function anyListeningDescriptor(server) {
  return listeningHandle(server)?.fd ?? -1;
}

// --- connections that are relayed to this thread ---

const ECONNRESET = -constants.errno.ECONNRESET;

/**
 * Makes a socket for a connection that somebody else has, and whose bytes come by a pair of sockets. It shows the addresses of
 * the connection. The connection must be counted already.
 *
 * @param {HttpServer} server the one that it came to
 * @param {number} descriptor our end of the pair
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses
 * @param {() => void} reset has the peer see a reset when the socket is closed
 * @returns {Socket}
 * @throws {Error} when nothing can be read from it
 */
function relayedSocket(server, descriptor, addresses, reset) {
  const { address, port, localAddress, localPort } = addresses;
  const socket = insideOf(socketOf(server, descriptor));
  // Node.js does not ask a handle when it knows already, but takes one that can't be asked for one that has no address
  Object.assign(/** @type {Handle} */ (socket._handle), { getsockname: noop });
  socket._peername = addressOf(address, port);
  socket._sockname = addressOf(localAddress, localPort);
  socket.resetAndDestroy = () => {
    reset();
    return socket.destroy();
  };
  return socket;
}

/**
 * Destroys such a socket as Node.js does when a connection is reset.
 *
 * @param {Socket} socket
 */
function breakSocket(socket) {
  const error = new Error("read ECONNRESET");
  socket.destroy(Object.assign(error, { errno: ECONNRESET, code: "ECONNRESET", syscall: "read" }));
}

/**
 * @callback WriteOut
 * @param {unknown} data
 * @param {unknown} encoding it may be left out
 * @param {unknown} callback
 * @returns {boolean}
 */

/** @typedef {{ _send: WriteOut, _writeRaw: WriteOut, _headerSent: boolean }} ResponseParts */

const MUTES_RESPONSES = declare(
  "bytes of a response",
  "`_send()`, `_writeRaw()`, `_headerSent` of a response",
  "no worker answers heartbeats in place of this thread when it is blocked",
  () => {
    const res = new http.ServerResponse(new http.IncomingMessage(new net.Socket()));
    let bytes = 0;
    let writes = 0;
    const write = (
      /** @type {Buffer} */ chunk,
      /** @type {string} */ _encoding,
      /** @type {() => void} */ done,
    ) => {
      bytes += chunk.length;
      writes++;
      done();
    };
    res.assignSocket(/** @type {Socket} */ (new stream.Duplex({ write })));
    let asked = 0;
    beforeSending(res, () => ++asked > 0);
    res.writeHead(200, { a: "b" });
    res.write(Buffer.from("one"));
    res.end("two");
    return bytes === 0 && writes > 0 && asked === 1 && res.headersSent;
  },
);

/**
 * Has nothing of a response leave; to the program, all is as if it did.
 *
 * @param {Response} res
 */
function mute(res) {
  const inner = /** @type {Response & ResponseParts} */ (res);
  inner._writeRaw = writeNothing;
  inner._send = sendNothing;
}

/**
 * Asks before the first byte of a response leaves whether any may.
 *
 * @param {Response} res
 * @param {() => boolean} isMuted called once
 */
function beforeSending(res, isMuted) {
  const inner = /** @type {Response & ResponseParts} */ (res);
  const decide = () => {
    Reflect.deleteProperty(inner, "_writeRaw");
    Reflect.deleteProperty(inner, "_send");
    if (isMuted()) mute(res);
  };
  inner._writeRaw = (...args) => {
    decide();
    return inner._writeRaw(...args);
  };
  inner._send = (...args) => {
    decide();
    return inner._send(...args);
  };
}

/** @this {Response & ResponseParts} @type {WriteOut} */
function writeNothing(_data, encoding, callback) {
  const done = typeof encoding === "function" ? encoding : callback;
  const { _writeRaw } = /** @type {ResponseParts & Response} */ (http.ServerResponse.prototype);
  // an empty text, so that "finish" comes when it is the turn of this response, and not before
  return Reflect.apply(_writeRaw, this, ["", "latin1", done]);
}

/** @this {Response & ResponseParts} @type {WriteOut} */
function sendNothing(data, encoding, callback) {
  this._headerSent = true;
  return this._writeRaw(data, encoding, callback);
}

// --- what comes behind a request ---

declare(
  "parser",
  "`parser` of a socket, its `incoming`, and its call when a message begins (`kOnMessageBegin`)",
  "polling connections that Node.js reads stay with it",
);

declare(
  "answer of a connection",
  "`_httpMessage`, `_server` of a socket, `writeQueueSize` of its handle; `shouldKeepAlive` of a response",
  "polling connections that Node.js reads stay with it",
);

/**
 * The parser calls this when a message begins, and it takes itself off: while it is still in place, none has begun since
 * `expectNext()`. Node.js does not use the place itself, and clears it before the parser serves another connection.
 *
 * @this {Parser}
 */
function onMessageBegin() {
  this[this.constructor.kOnMessageBegin] = null;
}

/** @type {WeakMap<ParserClass, boolean>} by the class of a parser, whether it calls as we need it */
const tellers = new WeakMap();

/**
 * @param {ParserClass} Parser the class of a parser
 * @returns {boolean} whether it calls at the first byte of each message, and at no other
 */
function tellsOfBeginnings(Parser) {
  let tells = tellers.get(Parser);
  if (tells === undefined) {
    tells = tryParser(Parser);
    tellers.set(Parser, tells);
  }
  return tells;
}

/** @param {ParserClass} Parser @returns {boolean} */
function tryParser(Parser) {
  const { kOnMessageBegin, REQUEST } = Parser;
  if (!Number.isInteger(kOnMessageBegin)) return false;
  try {
    const parser = new Parser();
    parser.initialize(REQUEST, {});
    /** @param {string} text @returns {boolean} whether a message begins in it */
    const begins = (text) => {
      parser[kOnMessageBegin] = onMessageBegin;
      parser.execute(Buffer.from(text));
      return parser[kOnMessageBegin] !== onMessageBegin;
    };
    const first = begins("\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    const rest = begins("o") || begins("k") || begins("\r\n");
    const next = begins("G") && !begins("ET / HTTP/1.1\r\nHost: a\r\n\r\n") && begins("P");
    parser.close();
    return first && !rest && next;
  } catch {
    return false;
  }
}

/**
 * Has it noticed when the next request begins. To be called while Node.js hands out a request: the parser has not looked at any
 * byte of the next one then.
 *
 * @param {Stream | null | undefined} socket
 */
function expectNext(socket) {
  const parser = /** @type {SocketInside | null | undefined} */ (socket)?.parser;
  if (parser && tellsOfBeginnings(parser.constructor))
    parser[parser.constructor.kOnMessageBegin] = onMessageBegin;
}

/**
 * Says whether a connection is idle behind a request: the request has been read to its end, its answer is written, and nothing
 * of another one has come. Then the connection can be handed to somebody else.
 *
 * @param {Request} req one for which `expectNext()` was called
 * @returns {boolean}
 */
function isQuiet(req) {
  const socket = insideOf(req.socket);
  const { parser } = socket;
  return (
    req.complete &&
    !socket.destroyed &&
    socket.readable &&
    !socket.isPaused() &&
    socket._httpMessage === null && // no answer is under way or waits for its turn
    socket.readableLength === 0 &&
    socket._handle?.writeQueueSize === 0 &&
    !!parser &&
    (parser.incoming === req || parser.incoming === null) &&
    parser[parser.constructor.kOnMessageBegin] === onMessageBegin
  );
}

/**
 * Says whether a connection has brought requests to their end, has got their answers, and waits for the next one, as far as
 * Node.js has read.
 *
 * @param {Stream} socket
 * @returns {boolean}
 */
function isBetweenRequests(socket) {
  const { parser, _httpMessage: response } = insideOf(socket);
  if (!parser || response) return false;
  return !parser.incoming || parser.incoming.complete;
}

/** @param {Stream} socket @returns {Response | null | undefined} the one that is being written on the connection, if there is one */
function responseOn(socket) {
  return insideOf(socket)._httpMessage;
}

/** @param {Response} res @returns {boolean} whether its connection stays open after it */
function keepsConnection(res) {
  return !!res.shouldKeepAlive;
}

// --- connections whose peer has ended its half ---

const ASKS_HALF_OPEN = declare(
  "half-open connections",
  "`httpAllowHalfOpen` of a server, which is asked when the peer of a connection has ended its half",
  "who ends its half right behind a request that a worker answers gets no answer",
  () => Reflect.get(blank, "httpAllowHalfOpen") === false,
);

/** @param {HttpServer} server @returns {boolean} whether a peer that has ended its half of a connection still gets its answers */
function answersHalfOpen(server) {
  return !!inside(server).httpAllowHalfOpen;
}

/** @type {WeakMap<object, Set<Unanswered>>} by their sockets, the requests that wait for an answer */
const unanswered = new WeakMap();

/** @type {WeakSet<object>} the servers that allow it only now */
const allowing = new WeakSet();

/**
 * A request that waits for an answer.
 *
 * @typedef {object} Unanswered
 * @property {import("node:http").ServerResponse} res
 * @property {() => void} onhalfEnd called when the peer has ended its half of the connection
 */

/**
 * Has Node.js wait for the answer to a request that came by a connection of HTTP/1, even when its peer has ended its half: the
 * connection ends behind that answer, and those to other such requests right behind it. Without this, Node.js ends the connection,
 * as it does when the answer to a request of somebody else's is to come before.
 *
 * @param {Stream} socket
 * @param {Unanswered} request
 */
function awaitAnswer(socket, request) {
  if (!ASKS_HALF_OPEN || !insideOf(socket)?.server) return;
  let requests = unanswered.get(socket);
  if (requests === undefined) {
    requests = new Set();
    unanswered.set(socket, requests);
    socket.prependListener("end", allowHalfOpen); // before those of Node.js
    socket.on("end", disallowHalfOpen);
  }
  requests.add(request);
}

/**
 * @param {Stream} socket
 * @param {Unanswered} request one that is answered, or will never be
 */
function leaveUnanswered(socket, request) {
  unanswered.get(socket)?.delete(request);
}

/**
 * Leaves our half of a connection open when its peer ends the other one, as over TCP: over TLS, Node.js ends both.
 *
 * @param {Stream} socket
 */
function keepHalfOpen(socket) {
  socket.allowHalfOpen = true;
}

/** @this {Stream} */
function allowHalfOpen() {
  const requests = unanswered.get(this);
  const { server } = insideOf(this);
  if (!requests?.size || !server || Reflect.get(server, "httpAllowHalfOpen") !== false) return;
  const waiting = [...requests];
  const isOurs = () => waiting.some(({ res }) => res.socket === this); // whose answer is the next that leaves
  if (!isOurs()) return;
  // Node.js waits for the last answer, but somebody else's may never come.
  const look = () => {
    if (!isOurs()) Reflect.get(this, "destroySoon").call(this);
  };
  for (const { res } of waiting) res.once("finish", look);
  keepHalfOpen(this);
  Reflect.set(server, "httpAllowHalfOpen", true);
  allowing.add(server);
  // should a listener throw, that of ours is not called which undoes this
  nextTick(undoAllowing, server);
  for (const request of waiting) request.onhalfEnd();
}

/** @this {Stream} */
function disallowHalfOpen() {
  const { server } = insideOf(this);
  if (server) undoAllowing(server);
}

/** @param {HttpServer} server */
function undoAllowing(server) {
  if (allowing.delete(server)) Reflect.set(server, "httpAllowHalfOpen", false);
}

// --- texts in a buffer ---

/**
 * @typedef {Buffer & Record<"utf8Write" | "latin1Write" | "ucs2Write", (text: string, at: number) => number>} TextBuffer
 */

const WRITES_TEXT = declare(
  "writing of texts",
  "`utf8Write()`, `latin1Write()`, `ucs2Write()` of a Buffer",
  "texts are written by `write()`, which looks at its arguments first",
  () => {
    const buffer = /** @type {TextBuffer} */ (Buffer.alloc(16));
    return (
      buffer.utf8Write("é€", 1) === 5 &&
      buffer.latin1Write("é", 7) === 1 &&
      buffer.ucs2Write("€a", 9) === 4 &&
      buffer.toString("hex") === "00c3a9e282ac00e900ac206100000000"
    );
  },
);

/**
 * Writes a text, for which there must be room, and returns how many bytes it has.
 *
 * @typedef {(buffer: Buffer, text: string, at: number) => number} WriteText
 */

/** @type {WriteText} */
const writeUtf8 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).utf8Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "utf8");

/** @type {WriteText} */
const writeLatin1 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).latin1Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "latin1");

/** @type {WriteText} */
const writeUtf16 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).ucs2Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "utf16le");

// --- listeners ---

const STARTS_WITHOUT_LISTENERS = declare(
  "emitter without listeners",
  "methods of an EventEmitter whose constructor was not called",
  "each connection has a table of listeners from the beginning",
  () => {
    const emitter = Object.create(EventEmitter.prototype);
    let calls = 0;
    const listener = () => {
      calls++;
    };
    emitter.removeListener("a", listener).removeAllListeners("a");
    const isEmpty = !emitter.emit("a") && emitter.listenerCount("a") === 0;
    const names = emitter.eventNames().length + emitter.listeners("a").length;
    emitter.on("a", listener).once("a", listener).emit("a");
    return isEmpty && names === 0 && calls === 2 && emitter.listenerCount("a") === 1;
  },
);

/**
 * An EventEmitter that allocates nothing until the first listener comes.
 *
 * Node's constructor makes the table of listeners at once, but the methods cope without one, and most connections have no
 * listeners.
 *
 * @type {typeof EventEmitter}
 */
const LazyEmitter = STARTS_WITHOUT_LISTENERS
  ? /** @type {typeof EventEmitter} */ (/** @type {unknown} */ (function LazyEmitter() {}))
  : EventEmitter;
if (STARTS_WITHOUT_LISTENERS)
  LazyEmitter.prototype = Object.create(EventEmitter.prototype, {
    constructor: bare({ value: LazyEmitter, writable: true, configurable: true }),
  });

/**
 * What Node.js keeps the listeners of an emitter in, by the event. Its own is made without a prototype, which to V8 is a hash
 * table: a large one for some listeners, and one for each emitter. Those made here share their shape, as objects of a class do.
 */
function ListenerTable() {}
ListenerTable.prototype = Object.create(null); // so that no event has a listener from the beginning

/** @typedef {{ _events: Record<string, unknown>, _eventsCount: number }} Listened what Node.js keeps with an emitter */

const SHARES_SHAPES = declare(
  "table of listeners",
  "`_events` and `_eventsCount` of an EventEmitter",
  "each socket has a larger table of listeners, and in each turn `rawListeners()` is asked",
  () => {
    const emitter = new EventEmitter();
    let calls = 0;
    const first = () => {
      calls++;
    };
    const second = () => {
      calls += 10;
    };
    emitter.on("a", first);
    const { _events: table, _eventsCount: count } = /** @type {Listened} */ (
      /** @type {unknown} */ (emitter)
    );
    if (table.a !== first || count !== 1 || Reflect.ownKeys(table).length !== 1) return false;
    startListening(emitter, "a", first);
    emitter.on("a", second).once("toString", second).on("__proto__", first).emit("a");
    emitter.emit("toString");
    emitter.emit("__proto__");
    const names = emitter.eventNames().join();
    emitter.removeListener("a", first).removeAllListeners("__proto__").emit("a");
    const left = emitter.eventNames().join();
    const isEmpty = emitter.removeAllListeners().eventNames().length === 0;
    return calls === 32 && names === "a,__proto__" && left === "a" && isEmpty && !emitter.emit("a");
  },
);

/**
 * Gives a new emitter, which has no listeners yet, its first one.
 *
 * @param {EventEmitter} emitter
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 */
function listenFirst(emitter, name, listener) {
  if (SHARES_SHAPES) startListening(emitter, name, listener);
  else emitter.on(name, listener);
}

/**
 * @param {EventEmitter} emitter
 * @param {string} name
 * @param {(...args: any[]) => void} listener
 */
function startListening(emitter, name, listener) {
  const listened = /** @type {Listened} */ (/** @type {unknown} */ (emitter));
  /** @type {Record<string, unknown>} */
  const table = new /** @type {any} */ (ListenerTable)();
  table[name] = listener;
  listened._events = table;
  listened._eventsCount = 1;
}

/**
 * Gives a new emitter, which has no listeners yet, a table in which V8 finds those of an event at once.
 *
 * @param {EventEmitter} emitter
 */
function useTable(emitter) {
  if (!SHARES_SHAPES) return;
  const listened = /** @type {Listened} */ (/** @type {unknown} */ (emitter));
  listened._events = new /** @type {any} */ (ListenerTable)();
  listened._eventsCount = 0;
}

/**
 * @param {object} listened an emitter
 * @returns {Record<string, unknown>} its listeners, as they are now, by the names of their events: see `soleOf()`
 */
function listenersOf(listened) {
  if (SHARES_SHAPES) return /** @type {Listened} */ (listened)._events;
  const emitter = /** @type {EventEmitter} */ (listened);
  const names = /** @type {string[]} */ (emitter.eventNames());
  return Object.fromEntries(names.map((name) => [name, emitter.rawListeners(name)]));
}

/**
 * @param {unknown} listeners of one event, out of `listenersOf()`
 * @returns {Function | number} the listener, if it is exactly one; else how many there are
 */
function soleOf(listeners) {
  if (typeof listeners === "function") return listeners;
  if (listeners === undefined) return 0;
  const { length, 0: first } = /** @type {Function[]} */ (listeners);
  return length === 1 ? first : length;
}

// --- what depends on the version ---

/**
 * Whether a write fails that is under way when its connection breaks. In older versions it counts as done, so an Engine.IO
 * server there says that the packets have left, and that the transport has closed.
 */
const FAILS_BROKEN_WRITES = isAtLeast(22, 9);

module.exports = {
  answersHalfOpen,
  acceptDescriptor,
  anyListeningDescriptor,
  awaitAnswer,
  beforeClose,
  beforeSending,
  breakSocket,
  buildRequest,
  closeSilently,
  countConnection,
  countContexts,
  countingServer,
  descriptorOf,
  endStandIn,
  FAILS_BROKEN_WRITES,
  HAS_DESCRIPTORS,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  httpServerOf,
  lacksHeaders,
  isBetweenRequests,
  isOver,
  isQuiet,
  isSetAs,
  keepHalfOpen,
  keepsConnection,
  LazyEmitter,
  leaveUnanswered,
  lendSocket,
  listenersOf,
  listenFirst,
  listeningDescriptor,
  listeningHandle,
  listensOnTcp,
  longestHead,
  MOVES_CONNECTIONS,
  mute,
  MUTES_RESPONSES,
  PARTS,
  REBUILDS_REQUESTS,
  relayedSocket,
  replaceHandle,
  responseOn,
  secureContextOf,
  setSocket,
  settingsOf,
  showAccepted,
  SHOWS_TLS,
  socketOf,
  soleOf,
  speaksTls,
  standInSocket,
  SWAPS_HANDLES,
  tlsOptions,
  tlsSetting,
  uncountConnection,
  upgradesByDefault,
  useTable,
  expectNext,
  writeLatin1,
  writeUtf16,
  writeUtf8,
};
