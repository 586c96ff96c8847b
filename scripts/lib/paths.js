"use strict";

// Where things are, relative to this file, so that every script works from any directory.

const path = require("node:path");

/** The root of the package. */
const ROOT = path.resolve(__dirname, "../..");

/**
 * Joins path parts onto the root.
 * @param {...string} parts
 * @returns {string}
 */
const fromRoot = (...parts) => path.join(ROOT, ...parts);

module.exports = { ROOT, fromRoot };
