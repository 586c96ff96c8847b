"use strict";

// Texts that are written into a buffer.

const { declare } = require("./parts");

/**
 * @typedef {Buffer & Record<"utf8Write" | "latin1Write" | "ucs2Write", (text: string, at: number) => number>} TextBuffer
 */

const WRITES_TEXT = declare(
  "writing of texts",
  "`utf8Write()`, `latin1Write()`, `ucs2Write()` of a Buffer",
  "texts are written by `write()`, which looks at its arguments first",
  () => {
    const buffer = /** @type {TextBuffer} */ (Buffer.alloc(16));
    return (
      buffer.utf8Write("é€", 1) === 5 &&
      buffer.latin1Write("é", 7) === 1 &&
      buffer.ucs2Write("€a", 9) === 4 &&
      buffer.toString("hex") === "00c3a9e282ac00e900ac206100000000"
    );
  },
);

/**
 * Writes a text, for which there must be room, and returns how many bytes it has.
 *
 * @typedef {(buffer: Buffer, text: string, at: number) => number} WriteText
 */

/** @type {WriteText} */
const writeUtf8 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).utf8Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "utf8");

/** @type {WriteText} */
const writeLatin1 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).latin1Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "latin1");

/** @type {WriteText} */
const writeUtf16 = WRITES_TEXT
  ? (buffer, text, at) => /** @type {TextBuffer} */ (buffer).ucs2Write(text, at)
  : (buffer, text, at) => buffer.write(text, at, "utf16le");

module.exports = { writeLatin1, writeUtf16, writeUtf8 };
