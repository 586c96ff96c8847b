"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
module.exports = { RESERVED_EVENTS: require("../lib/codec/packet").RESERVED_EVENTS };
