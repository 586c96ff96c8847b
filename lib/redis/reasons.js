"use strict";

const { trace } = require("../base/trace");

/**
 * What is against it that the broadcasts of other servers go to clients without JavaScript. While one of these holds, each of
 * them comes up, and is sent as one of this server's own.
 *
 * @type {readonly { reason: string, holds: (adapter: Shown) => boolean }[]}
 */
const REASONS = [
  {
    reason:
      'a socket listens to what goes out (`onAnyOutgoing()`), or a connection to "packetCreate"',
    holds: (adapter) => adapter.isShown,
  },
  {
    reason: "the server has a `parser` of the program's own",
    holds: (adapter) => adapter.nsp.server._foreignParser,
  },
  {
    reason:
      "not all clients are the workers': some have connections of a foreign engine, or were there before the adapter",
    holds: (adapter) => adapter.oneByOne,
  },
  {
    reason: "`DEBUG` shows packets (`socket.io-parser`)",
    holds: () => trace.parser,
  },
];

/**
 * What is asked of an adapter.
 *
 * @typedef {object} Shown
 * @property {boolean} isShown
 * @property {boolean} oneByOne
 * @property {{ server: { _foreignParser: boolean } }} nsp
 */

/**
 * @param {Shown} adapter
 * @returns {string | undefined} why its clients can't have broadcasts of other servers without JavaScript
 */
function reasonAgainst(adapter) {
  return REASONS.find(({ holds }) => holds(adapter))?.reason;
}

module.exports = { REASONS, reasonAgainst };
