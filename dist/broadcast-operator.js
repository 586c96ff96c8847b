"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { BroadcastOperator, RemoteSocket } =
  fallback("broadcast-operator") ?? require("../lib/api/operator");

module.exports = { BroadcastOperator, RemoteSocket };
