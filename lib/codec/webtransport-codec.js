"use strict";

// A packet of the WebTransport transport:
//
//     ┌─binary─┬─length─┬─ 126: 16 bits, 127: 64 bits of length ─┬─ the packet, as in a WebSocket message ─┐
//
// A WebSocket frame (RFC 6455 §5.2) has the length in the same form in its second byte.
const BINARY = 0x80;
const SHORT = 126;
const LONG = 127;
const MASKED = 0x80;
const FINAL = 0x80;
const TEXT_FRAME = 1;
const BINARY_FRAME = 2;
const CLOSE_FRAME = 8;

/**
 * @param {number} length
 * @param {number} before bytes to leave free in front
 * @param {number} flag set in the byte of the length
 * @param {number} behind bytes to leave free behind
 * @returns {Buffer}
 */
function header(length, before, flag, behind) {
  const extra = length < SHORT ? 0 : length < 65536 ? 2 : 8;
  const bytes = Buffer.alloc(before + 1 + extra + behind);
  bytes[before] = flag | (extra === 0 ? length : extra === 2 ? SHORT : LONG);
  if (extra === 2) bytes.writeUInt16BE(length, before + 1);
  if (extra === 8) bytes.writeUIntBE(length, before + 3, 6);
  return bytes;
}

/**
 * Reads a length.
 *
 * @param {Buffer} bytes
 * @param {number} at where it begins
 * @returns {{ length: number, end: number } | undefined} `end`: the position after it; nothing when it is not complete
 */
function readLength(bytes, at) {
  if (at >= bytes.length) return undefined;
  const short = bytes[at] & 0x7f;
  if (short < SHORT) return { length: short, end: at + 1 };
  if (short === SHORT) {
    return at + 3 > bytes.length ? undefined : { length: bytes.readUInt16BE(at + 1), end: at + 3 };
  }
  return at + 9 > bytes.length
    ? undefined
    : { length: Number(bytes.readBigUInt64BE(at + 1)), end: at + 9 };
}

/**
 * Makes the frame in which a WebSocket client would send a packet: masked, with a mask that changes nothing.
 *
 * @param {string | Buffer} packet
 * @returns {Buffer}
 */
function webSocketFrame(packet) {
  const payload = typeof packet === "string" ? Buffer.from(packet) : packet;
  const head = header(payload.length, 1, MASKED, 4);
  head[0] = FINAL | (typeof packet === "string" ? TEXT_FRAME : BINARY_FRAME);
  return Buffer.concat([head, payload]);
}

/**
 * Reads a frame of a WebSocket server, unmasked, unfragmented and complete.
 *
 * @param {Buffer} frame
 * @returns {{ isText: boolean, payload: Buffer }}
 */
function readWebSocketFrame(frame) {
  const size = readLength(frame, 1);
  return { isText: (frame[0] & 0x0f) === TEXT_FRAME, payload: frame.subarray(size?.end) };
}

/**
 * Turns the frames of a WebSocket server, unmasked and unfragmented, into packets.
 *
 * @param {Buffer} bytes
 * @returns {{ packets: Buffer, rest: Buffer, closed: boolean }} `rest`: the beginning of a frame that is not complete;
 *   `closed`: whether a close frame was there
 */
function encodePackets(bytes) {
  const parts = [];
  let at = 0;
  let closed = false;
  for (;;) {
    const size = readLength(bytes, at + 1);
    if (size === undefined || size.end + size.length > bytes.length) break;
    const opcode = bytes[at] & 0x0f;
    const payload = bytes.subarray(size.end, size.end + size.length);
    at = size.end + size.length;
    if (opcode === CLOSE_FRAME) closed = true;
    if (opcode !== TEXT_FRAME && opcode !== BINARY_FRAME) continue;
    parts.push(header(payload.length, 0, opcode === BINARY_FRAME ? BINARY : 0, 0), payload);
  }
  return { packets: Buffer.concat(parts), rest: bytes.subarray(at), closed };
}

/** Cuts a byte stream into packets, however it is split. */
class PacketReader {
  /** @param {number} maxPayload bytes of one packet */
  constructor(maxPayload) {
    this.maxPayload = maxPayload;
    /** @type {Uint8Array[]} */
    this.chunks = [];
    this.length = 0;
    /** bytes that must be there before it is worth looking again */
    this.wanted = 1;
  }

  /** @param {Uint8Array} chunk */
  add(chunk) {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  /**
   * @returns {string | Buffer | null | undefined} the next packet, text or binary; undefined: it is not complete; null: it is
   *   empty or too long, and no packet can follow
   */
  next() {
    if (this.length < this.wanted) return undefined;
    const bytes = this.join();
    const size = readLength(bytes, 0);
    if (size === undefined) {
      this.wanted = bytes.length + 1;
      return undefined;
    }
    if (size.length === 0 || size.length > this.maxPayload) return null;
    const end = size.end + size.length;
    if (end > bytes.length) {
      this.wanted = end;
      return undefined;
    }
    this.wanted = 1;
    this.chunks = [bytes.subarray(end)];
    this.length = bytes.length - end;
    const payload = bytes.subarray(size.end, end);
    return bytes[0] & BINARY ? payload : payload.toString();
  }

  /**
   * @returns {Buffer}
   * @private
   */
  join() {
    const first = this.chunks[0];
    const bytes =
      this.chunks.length === 1
        ? Buffer.from(first.buffer, first.byteOffset, first.length)
        : Buffer.concat(this.chunks, this.length);
    this.chunks = [bytes];
    return bytes;
  }
}

module.exports = { PacketReader, encodePackets, readWebSocketFrame, webSocketFrame };
