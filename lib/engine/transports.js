"use strict";

const { UPGRADES } = require("./options");
const { Transport } = require("./transport");

/**
 * Stands for the transports of one name, which the workers make: `conn.transport instanceof transports.websocket`.
 *
 * @param {string} name
 * @param {string[]} upgradesTo
 */
function kind(name, upgradesTo) {
  return class {
    /** The transports that a session may go on with. */
    static upgradesTo = upgradesTo;

    static {
      Object.defineProperty(this, "name", { value: name });
    }

    constructor() {
      throw new TypeError(
        'A transport can\'t be made: the workers make them. Listen to "connection" of the server, and look at `transport` there',
      );
    }

    /** @param {any} value */
    static [Symbol.hasInstance](value) {
      return value instanceof Transport && value.name === name;
    }
  };
}

/** The transports by name. */
const transports = {
  polling: kind("polling", UPGRADES),
  websocket: kind("websocket", []),
  webtransport: kind("webtransport", []),
};

module.exports = { transports };
