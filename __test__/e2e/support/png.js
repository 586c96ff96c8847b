"use strict";

// A valid PNG of noise: it does not compress, so its size is known well enough.

const { createHash } = require("node:crypto");
const { crc32, deflateSync } = require("node:zlib");

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/**
 * Makes the image; the same every time.
 * @param {number} side pixels, of three bytes each
 * @returns {Buffer}
 */
function noisePng(side) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2], 8); // 8 bits per channel, RGB
  const rows = Array.from({ length: side }, (_, row) => {
    const noise = [];
    for (let i = 0; i * 64 < side * 3; i++) {
      noise.push(createHash("sha512").update(`${row} ${i}`).digest());
    }
    return Buffer.concat([Buffer.of(0), Buffer.concat(noise).subarray(0, side * 3)]);
  });
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

module.exports = { noisePng };
