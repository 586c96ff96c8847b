"use strict";

const LONGEST_TIMER = 2 ** 31 - 1; // ms, of Node's timers

/**
 * @param {any} option `httpRequestBodyTimeout`
 * @returns {number} ms that the body of a request may take, as `setTimeout()` reads them
 */
function bodyTimeout(option) {
  const milliseconds = Number(option);
  return milliseconds >= 1 && milliseconds <= LONGEST_TIMER ? milliseconds : 1;
}

/**
 * @param {any} option `maxBufferedChunks`
 * @returns {number} chunks that a body, or a frame of a WebSocket, may come in; what is no number from 1 on is no limit
 */
function maxChunks(option) {
  const count = Number(option);
  return count >= 1 ? count : Infinity;
}

module.exports = { bodyTimeout, maxChunks };
