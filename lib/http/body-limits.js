"use strict";

const { constants } = require("node:buffer");
const { numberOf } = require("../base/options");

/** Bytes that a message may have, whatever `maxHttpBufferSize` says: no string is longer. See src/net/record.rs. */
const LONGEST_MESSAGE = constants.MAX_STRING_LENGTH - 1024;

/**
 * @param {any} option `maxBufferedChunks`
 * @returns {number} chunks that a body, or a frame of a WebSocket, may come in; what is no number from 1 on is no limit
 */
function maxChunks(option) {
  const count = numberOf(option);
  return count >= 1 ? count : Infinity;
}

module.exports = { LONGEST_MESSAGE, maxChunks };
