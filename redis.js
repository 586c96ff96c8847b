"use strict";

// Servers that are one by Redis: an adapter in Rust, which speaks the protocol of @socket.io/redis-adapter.

const { createAdapter, RedisAdapter } = require("./lib/redis");

module.exports = { createAdapter, RedisAdapter };
