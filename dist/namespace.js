"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { Namespace, RESERVED_EVENTS } = require("../lib/api/namespace");

module.exports = { Namespace, RESERVED_EVENTS };
