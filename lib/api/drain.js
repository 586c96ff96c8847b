"use strict";

// `io.drain()`: the clients are let go one by one, and come back to another server. In the end, the server is closed.
//
//     ready ──drain()──► draining: nobody is let in, clients go spread over a time ──the last has gone──► io.close()
//                            └──the signal: those that are left go at once──────────────────▲
//
// What a client is let go with: what was emitted to it before leaves first, over polling with the poll that waits or the next one.
// A client that owes answers to events has some time for them. The reason is that of `io.close()`, from which clients come
// back by themselves, and which recovery takes for a lost connection.

const debug = require("debug")("socket.io:server");
const { invalidOption, rejectUnhandled } = require("../base/errors");
const { clearTimeout, setTimeout } = require("../base/loop");
const { UpgradeResponse } = require("../http");

/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("node:http").ServerResponse} ServerResponse */

/**
 * What is asked of a client.
 *
 * @typedef {object} Client
 * @property {{ readyState: string, close(): unknown, once(event: "close", listener: () => void): unknown }} conn
 * @property {() => Socket[]} _connected
 */

/** @typedef {import("../engine/engine").Engine} Engine */
/** @typedef {{ client: unknown, _acks?: Map<number, Function>, _onclose(reason: string): void }} Socket */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {unknown} engine
 * @property {Engine[]} _engines
 * @property {Map<string, { sockets: Map<string, unknown> }>} _nsps
 * @property {() => Promise<void>} close
 */

/**
 * How it is done.
 *
 * @typedef {object} DrainOptions
 * @property {number} [over] ms over which the clients are let go
 * @property {number} [acks] ms that a client has, when its turn has come, for answers that it owes
 * @property {AbortSignal} [signal] those that are left go at once
 * @property {(progress: Progress) => void} [progress] called when some have been let go
 */

/** Ends of pauses, before their time. @typedef {Set<() => void>} Pauses */
/** @typedef {{ clients: number, left: number }} Progress clients: those that there were */

const OVER = 30_000;
const ACKS = 5000;
/** ms between two looks at whose turn it is: so many go together, at most. */
const STEP = 50;
/** ms that the last ones have to be gone, over polling by their next poll. */
const LAST = 5000;

const REASON = "server shutting down";
/** Seconds after which a newcomer may come back here; it had better go elsewhere. */
const RETRY_AFTER = 1;
const REFUSAL = `HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: ${RETRY_AFTER}\r\nContent-Length: 0\r\n\r\n`;

/**
 * Lets all clients go, then closes the server.
 *
 * @param {Server} server
 * @param {DrainOptions} options
 * @returns {Promise<Progress>} how many there were, and how many had to be cut off at the end
 */
async function drain(server, options) {
  const { over, acks, signal, progress } = checked(options);
  refuseNewcomers(server._engines);
  const clients = clientsOf(server);
  shuffle(clients);
  debug("draining %d clients over %d ms", clients.length, over);
  /** @type {Set<Client>} */
  const leaving = new Set();
  /** @type {Pauses} */
  const pauses = new Set();
  const hurry = () => pauses.forEach((end) => end());
  signal?.addEventListener("abort", hurry); // one for all: an AbortSignal warns of more than ten
  const began = performance.now();
  let next = 0;
  while (
    next < clients.length &&
    clients.some((client, at) => at >= next && client.conn.readyState === "open")
  ) {
    const hurries = signal?.aborted === true;
    const share = over === 0 || hurries ? 1 : Math.min(1, (performance.now() - began) / over);
    const due = Math.ceil(share * clients.length);
    const before = next;
    for (; next < due; next++) void leave(clients[next], acks, leaving, signal, pauses);
    if (next > before) tell(progress, { clients: clients.length, left: clients.length - next });
    if (next < clients.length) await pause(STEP, pauses);
  }
  const last = performance.now() + acks + LAST;
  while (leaving.size > 0 && performance.now() < last && signal?.aborted !== true)
    await pause(STEP, pauses);
  signal?.removeEventListener("abort", hurry);
  const cut = leaving.size;
  try {
    await server.close();
  } catch (error) {
    if (server.engine !== undefined) throw error; // else there was nothing to close
  } finally {
    admitNewcomers(server._engines);
  }
  return { clients: clients.length, left: cut };
}

/**
 * @param {DrainOptions} options
 * @returns {Required<Pick<DrainOptions, "over" | "acks">> & DrainOptions}
 */
function checked(options) {
  const { over = OVER, acks = ACKS, signal, progress } = options;
  for (const [name, value] of [
    ["over", over],
    ["acks", acks],
  ])
    if (typeof value !== "number" || !(value >= 0))
      throw invalidOption(`option ${name}`, value, "give a number of milliseconds from 0 on");
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidOption("option signal", signal, "give the signal of an AbortController");
  if (progress !== undefined && typeof progress !== "function")
    throw invalidOption("option progress", progress, "give a function");
  return { over, acks, signal, progress };
}

/**
 * From now on nobody opens a session. A middleware stands against all fast ways, so that each request comes here.
 *
 * @param {Engine[]} engines
 */
function refuseNewcomers(engines) {
  for (const engine of engines) engine.use(refuseNewcomer);
}

/**
 * Newcomers are let in again, should the HTTP server listen again.
 *
 * @param {Engine[]} engines
 */
function admitNewcomers(engines) {
  for (const { middlewares } of engines) {
    const at = middlewares.indexOf(refuseNewcomer);
    if (at !== -1) middlewares.splice(at, 1);
  }
}

/**
 * @param {IncomingMessage} req
 * @param {ServerResponse | InstanceType<typeof UpgradeResponse>} res
 * @param {() => void} next
 */
function refuseNewcomer(req, res, next) {
  const { _query: query } = /** @type {{ _query?: { sid?: unknown } }} */ (
    /** @type {unknown} */ (req)
  );
  if (query?.sid)
    next(); // an empty one opens a session
  else if (res instanceof UpgradeResponse) res.socket.end(REFUSAL);
  else {
    if (req.httpVersionMajor === 1) res.setHeader("Connection", "close");
    res.setHeader("Retry-After", RETRY_AFTER);
    res.writeHead(503);
    res.end();
  }
}

/**
 * @param {Server} server
 * @returns {Client[]} all that are in a namespace; who is in none yet goes when the server is closed
 */
function clientsOf(server) {
  const clients = new Set();
  for (const nsp of server._nsps.values())
    for (const socket of nsp.sockets.values()) clients.add(/** @type {Socket} */ (socket).client);
  return /** @type {Client[]} */ ([...clients]);
}

/**
 * @param {DrainOptions["progress"]} progress
 * @param {Progress} so
 */
function tell(progress, so) {
  try {
    progress?.(so);
  } catch (error) {
    rejectUnhandled(error); // the clients go on leaving
  }
}

/**
 * Lets a client go as soon as it owes nothing.
 *
 * @param {Client} client
 * @param {number} acks ms that it has for that
 * @param {Set<Client>} leaving those that have not gone yet
 * @param {AbortSignal | undefined} signal
 * @param {Pauses} pauses
 */
async function leave(client, acks, leaving, signal, pauses) {
  const { conn } = client;
  if (conn.readyState !== "open") return;
  leaving.add(client);
  conn.once("close", () => leaving.delete(client));
  const deadline = performance.now() + acks;
  while (owes(client) && performance.now() < deadline && signal?.aborted !== true)
    await pause(STEP, pauses);
  try {
    for (const socket of client._connected()) socket._onclose(REASON);
  } finally {
    conn.close(); // whatever a handler throws
  }
}

/** @param {Client} client @returns {boolean} whether it has not answered an event yet, and is still there */
function owes(client) {
  const isOpen = client.conn.readyState === "open";
  return isOpen && client._connected().some((socket) => (socket._acks?.size ?? 0) > 0);
}

/**
 * @param {number} milliseconds
 * @param {Pauses} pauses
 * @returns {Promise<void>}
 */
function pause(milliseconds, pauses) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      pauses.delete(end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    pauses.add(end);
  });
}

/** @param {unknown[]} all so that neighbours, who came together, do not go together */
function shuffle(all) {
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
}

module.exports = { drain };
