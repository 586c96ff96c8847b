"use strict";

// What test/webtransport.mjs imports.

exports.Server = require("..").Server;
