"use strict";

const { invalidOption } = require("../base/errors");

const POLICIES = ["disconnect", "dropVolatile"];

/**
 * Reads how much may wait for a client that does not read.
 *
 * @param {{ maxBufferedBytes?: any, bufferPolicy?: any }} opts
 * @returns {{ maxBufferedBytes: number | undefined, dropVolatile: boolean }} as the workers need it
 * @throws {TypeError} when an option can't have its value
 */
function bufferLimits({ maxBufferedBytes, bufferPolicy = POLICIES[0] }) {
  if (!POLICIES.includes(bufferPolicy))
    throw invalidOption("option bufferPolicy", bufferPolicy, `give one of ${POLICIES.join(", ")}`);
  const dropVolatile = bufferPolicy === "dropVolatile";
  if (maxBufferedBytes == null || maxBufferedBytes === Infinity)
    return { maxBufferedBytes: undefined, dropVolatile };
  if (typeof maxBufferedBytes !== "number" || !(maxBufferedBytes >= 1)) {
    const fix = "give a number of bytes from 1 on, or leave it out for no limit";
    throw invalidOption("option maxBufferedBytes", maxBufferedBytes, fix);
  }
  return { maxBufferedBytes, dropVolatile };
}

module.exports = { bufferLimits };
