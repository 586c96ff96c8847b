"use strict";

/**
 * @param {Function} connect of a client that takes the WebSocket of the global object for that of a browser, which Node.js has from 22 on: that
 *   knows nothing of agents, and trusts no certificate of our tests
 * @returns {Function} one that takes its own
 */
const ofNode =
  (connect) =>
  (url, options = {}) =>
    connect(url, { forceNode: true, ...options });

/** Clients of each version that upstream has had, by the names that they have here: what connects. */
module.exports = {
  1: ofNode(require("socket.io-client-1")),
  2: ofNode(require("socket.io-client-2")),
  3: require("socket.io-client-3").io,
  "4.0": require("socket.io-client-4.0").io,
  4: require("socket.io-client").io,
};
