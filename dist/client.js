"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { Client } = fallback("client") ?? require("../lib/api/client");

module.exports = { Client };
