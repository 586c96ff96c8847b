"use strict";

// The bytes of binary values, as V8 knows them. A program can give such a value properties of its own (`length`, `byteLength`
// …), by mistake or to catch us: what they say is never believed, since more would be sent than is there, and that would
// be somebody else's. So the getters are those of the language, taken when this is loaded.

const {
  isAnyArrayBuffer,
  isDataView,
  isSharedArrayBuffer,
  isTypedArray,
  isUint8Array,
} = require("node:util/types");

/** @type {any} */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype);

/**
 * @param {any} fn
 * @returns {(self: any, ...args: any[]) => any} the function with its `this` as the first argument
 */
const uncurry = (fn) => Function.prototype.call.bind(fn);

/**
 * @param {object} of
 * @param {string} name
 */
const getter = (of, name) =>
  uncurry(/** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(of, name)).get);

/** @type {(bytes: Uint8Array) => number} */
const lengthOf = getter(typedArray, "byteLength");
const bufferOf = getter(typedArray, "buffer");
const sharedLengthOf = getter(SharedArrayBuffer.prototype, "byteLength");
const offsetOf = getter(typedArray, "byteOffset");
const viewLengthOf = getter(DataView.prototype, "byteLength");
const viewBufferOf = getter(DataView.prototype, "buffer");
const viewOffsetOf = getter(DataView.prototype, "byteOffset");

/** @type {(target: Uint8Array, bytes: Uint8Array, at: number) => void} copies as many as lengthOf() tells */
const copyInto = uncurry(typedArray.set);

/**
 * @param {Uint8Array} bytes
 * @returns {boolean} whether other threads can write to them
 */
const isShared = (bytes) => isSharedArrayBuffer(bufferOf(bytes));

/**
 * Shared memory may grow at any time, as another thread wants; the bytes that are given are as many as there were. A view that is
 * larger than its memory is now has none.
 *
 * @param {any} value
 * @returns {Uint8Array} the bytes that go on the wire; `lengthOf()` tells how many
 * @throws {TypeError} when its memory has been given away
 */
function toBytes(value) {
  if (isUint8Array(value) && lengthOf(value) > 0 && !isShared(value)) return value;
  if (isTypedArray(value))
    return new Uint8Array(bufferOf(value), offsetOf(value), lengthOf(/** @type {any} */ (value)));
  if (isDataView(value))
    return new Uint8Array(viewBufferOf(value), viewOffsetOf(value), viewLengthOf(value));
  if (isSharedArrayBuffer(value)) return new Uint8Array(value, 0, sharedLengthOf(value));
  if (isAnyArrayBuffer(value)) return new Uint8Array(value);
  return Buffer.from(String(value)); // a Blob: its bytes can't be read synchronously
}

/**
 * @param {any} value
 * @returns {Buffer} a copy of its bytes
 */
function copyOf(value) {
  const bytes = toBytes(value);
  const copy = Buffer.alloc(lengthOf(bytes));
  copyInto(copy, bytes, 0);
  return copy;
}

module.exports = { copyInto, copyOf, isShared, lengthOf, toBytes };
