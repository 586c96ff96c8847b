"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { RESERVED_EVENTS } = fallback("socket-types") ?? require("../lib/codec/packet");

module.exports = { RESERVED_EVENTS };
