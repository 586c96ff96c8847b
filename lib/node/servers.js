"use strict";

// The connections that a server counts, and what it has been told.

const http = require("node:http");
const net = require("node:net");
const { blank, inside, insideOf, noop } = require("./inside");
const { declare, isAtLeast } = require("./parts");

/** @typedef {import("./inside").HttpServer} HttpServer */
/** @typedef {import("./inside").SocketInside} SocketInside */
/** @typedef {import("./inside").Stream} Stream */

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
 * @param {{ socket: object, rawHeaders?: string[] }} request that Node.js has read
 * @returns {boolean} whether it may have had more headers than Node.js has kept
 */
function lacksHeaders({ socket, rawHeaders = [] }) {
  const count = httpServerOf(/** @type {Stream} */ (socket))?.maxHeadersCount;
  const longest = typeof count === "number" ? count << 1 : MAX_HEADER_PAIRS;
  return longest > 0 && rawHeaders.length >= longest;
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

module.exports = {
  countConnection,
  countingServer,
  COUNTS_CONNECTIONS,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  httpServerOf,
  isOver,
  isSetAs,
  lacksHeaders,
  longestHead,
  settingsOf,
  SHOWS_SETTINGS,
  uncountConnection,
  upgradesByDefault,
};
