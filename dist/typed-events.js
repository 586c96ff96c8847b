"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { EventEmitter } = require("node:events");

module.exports = { StrictEventEmitter: EventEmitter };
