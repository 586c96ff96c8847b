"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { BroadcastOperator, RemoteSocket } = require("../lib/api/operator");

module.exports = { BroadcastOperator, RemoteSocket };
