"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { Namespace, RESERVED_EVENTS } = fallback("namespace") ?? require("../lib/api/namespace");

module.exports = { Namespace, RESERVED_EVENTS };
