"use strict";

// What is told by channels of `node:diagnostics_channel`: rare moments, for who watches a server. docs/metrics.md has a table that
// `npm run api-table` makes of this one.

const { channel } = require("node:diagnostics_channel");

/**
 * @typedef {object} Row
 * @property {string} name of the channel
 * @property {string} when something is published
 * @property {string} message its parts
 */

/** @type {Readonly<Record<"stall" | "stopped" | "overflow" | "limited" | "refused", Row>>} */
const TABLE = Object.freeze({
  stall: {
    name: "ferrosocket:stall",
    when: "The event loop goes on after it was blocked for half a second or more while clients had sent something.",
    message: "`milliseconds` that what they sent has waited",
  },
  stopped: {
    name: "ferrosocket:stopped",
    when: "Connections are read again that were not, as too much waited for the event loop: of all, or of their client.",
    message: "`milliseconds`, as above; 0: it was not blocked",
  },
  overflow: {
    name: "ferrosocket:overflow",
    when: 'A client that does not read was disconnected ("buffer overflow").',
    message: "`conn`, its connection",
  },
  limited: {
    name: "ferrosocket:limited",
    when: "Workers have refused handshakes for `limits`. Told once a second at most, so a flood costs nothing.",
    message: "`engine`, `refused`: how many since the last time, by the limit",
  },
  refused: {
    name: "ferrosocket:refused",
    when: 'A request was refused, as by "connection_error" of `io.engine`. To listen turns nothing off.',
    message: "`req`, `code`, `message`, `context`",
  },
});

/** The channels by their names in the table. */
const channels = Object.freeze({
  stall: channel(TABLE.stall.name),
  stopped: channel(TABLE.stopped.name),
  overflow: channel(TABLE.overflow.name),
  limited: channel(TABLE.limited.name),
  refused: channel(TABLE.refused.name),
});

module.exports = { TABLE, channels };
