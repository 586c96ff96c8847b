"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
module.exports = { Client: require("../lib/api/client").Client };
