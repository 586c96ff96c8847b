"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { Socket } = fallback("socket") ?? require("../lib/api/socket");

module.exports = { Socket };
