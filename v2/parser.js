"use strict";

const { Decoder, PacketType, PROTOCOL } = require("../lib/codec");
const { Encoder } = require("./encoder");

const PARSER = Object.freeze({ Decoder, Encoder, PacketType, protocol: PROTOCOL });

/**
 * Adapts a parser of the program to the floors below: one that was written for 2.x passes what it has encoded to a
 * callback, and does not return it.
 *
 * @param {any} [given]
 * @returns {any}
 */
function parserFor(given) {
  if (!given) return PARSER;
  return { ...given, Encoder: encoderFor(given.Encoder) };
}

/**
 * @param {new () => any} Given
 * @returns {new () => any} one whose encode() both returns the result and calls back
 */
function encoderFor(Given) {
  return class extends Given {
    /**
     * @param {any} packet
     * @param {(encoded: any[]) => void} [callback]
     * @returns {any[]}
     */
    encode(packet, callback) {
      /** @type {any} */
      let encoded;
      const returned = super.encode(packet, (/** @type {any[]} */ result) => (encoded = result));
      encoded ??= returned;
      if (callback) callback(encoded);
      return encoded;
    }
  };
}

module.exports = { parserFor };
