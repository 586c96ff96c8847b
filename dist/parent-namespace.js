"use strict";

// The path under which upstream keeps this: programs and instrumentations ask for it by name.
const { fallback } = require("../lib/base/fallback");
const { ParentNamespace } = fallback("parent-namespace") ?? require("../lib/api/parent-namespace");

module.exports = { ParentNamespace };
