"use strict";

const { Engine } = require("../engine");

/**
 * Whether a server is to be sent clients.
 *
 * @typedef {object} Health
 * @property {boolean} ready
 * @property {"ready" | "overloaded" | "draining" | "closed"} status
 * @property {string[]} reasons why it is not ready
 */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {unknown} engine
 * @property {unknown} [_drain] what is under way while it is drained
 * @property {{ listening?: boolean }} [httpServer]
 */

/** ms for which a delay counts: who asks every few seconds hears of it, and it does not swing. */
const LASTING = 10_000;

/**
 * @param {Server} server
 * @returns {Health}
 */
function getHealth(server) {
  const { engine, httpServer } = server;
  if (server._drain !== undefined) return not("draining", ["io.drain() was called"]);
  if (engine instanceof Engine && engine.isClosed() && engine.clientsCount === 0)
    return not("closed", ["io.close() or io.engine.close() was called"]);
  if (httpServer !== undefined && httpServer.listening === false)
    return not("closed", ["the HTTP server does not listen"]);
  const reasons = engine instanceof Engine ? overloadOf(engine) : [];
  return reasons.length > 0
    ? not("overloaded", reasons)
    : { ready: true, status: "ready", reasons };
}

/**
 * @param {Health["status"]} status
 * @param {string[]} reasons
 * @returns {Health}
 */
function not(status, reasons) {
  return { ready: false, status, reasons };
}

/**
 * @param {Engine} engine
 * @returns {string[]} what is too much for its thread, or was a moment ago
 */
function overloadOf(engine) {
  const reasons = [];
  const { addon, lastDelay } = engine.measure();
  if (!addon.thread.hasRoom) {
    const bytes = addon.thread.queuedBytes + addon.thread.heldBytes;
    reasons.push(`${bytes} bytes of what clients have sent wait for the event loop`);
  }
  const measure = engine.gate?.overloadedBy();
  if (measure)
    reasons.push(
      `nobody is let in: ${measure} is past what the option admission allows, or was a moment ago`,
    );
  if (lastDelay === undefined) return reasons;
  const ago = performance.now() - lastDelay.at;
  if (ago > LASTING) return reasons;
  const seconds = `${Math.round(ago / 1000)} s ago`;
  reasons.push(`the event loop was blocked for ${lastDelay.milliseconds} ms, ${seconds}`);
  return reasons;
}

module.exports = { getHealth, LASTING };
