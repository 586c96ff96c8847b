"use strict";

const { numberOf } = require("./options");

/**
 * @param {any} option `maxBufferedChunks`
 * @returns {number} chunks that a body, or a frame of a WebSocket, may come in; what is no number from 1 on is no limit
 */
function maxChunks(option) {
  const count = numberOf(option);
  return count >= 1 ? count : Infinity;
}

module.exports = { maxChunks };
