"use strict";

const { randomFillSync } = require("node:crypto");

const ID_BYTES = 15; // 20 characters of base64url, no padding
const POOL_IDS = 128; // one call of the OS generator per that many ids

const pool = Buffer.allocUnsafeSlow(ID_BYTES * POOL_IDS);
let used = pool.length;

/**
 * Makes an unguessable id: 20 characters of `[A-Za-z0-9_-]` from the random generator of the OS.
 *
 * @returns {string}
 */
function generateId() {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += ID_BYTES;
  return pool.toString("base64url", start, used);
}

module.exports = { generateId };
