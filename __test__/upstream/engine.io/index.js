"use strict";

// What the tests in test/ find as `require("..")`.

module.exports = require(process.env.ENGINE_IO === "npm" ? "engine.io" : "../../../engine.io.js");
