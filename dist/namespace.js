"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { Namespace } = require("../lib/namespace");
const { NAMESPACE_RESERVED_EVENTS } = require("../lib/packet");

module.exports = { Namespace, RESERVED_EVENTS: NAMESPACE_RESERVED_EVENTS };
