"use strict";

/** WebSocket spoken by hand over TCP, so that a test can also say what no client library would. */

const { randomBytes } = require("node:crypto");
const net = require("node:net");
const { within } = require("./waiting");

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One client frame as bytes. `mask: false` leaves the payload bare, `length` lies about its size. */
function frame(
  opcode,
  payload = Buffer.alloc(0),
  { fin = true, rsv = 0, mask = true, length } = {},
) {
  const data = Buffer.from(payload);
  const announced = length ?? BigInt(data.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const maskBit = mask ? 0x80 : 0;
  let header;
  if (announced < 126n) {
    header = Buffer.from([first, maskBit | Number(announced)]);
  } else if (announced < 65536n) {
    header = Buffer.from([first, maskBit | 126, 0, 0]);
    header.writeUInt16BE(Number(announced), 2);
  } else {
    header = Buffer.from([first, maskBit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(announced, 2);
  }
  if (!mask) return Buffer.concat([header, data]);
  const key = randomBytes(4);
  for (let i = 0; i < data.length; i++) data[i] ^= key[i & 3];
  return Buffer.concat([header, key, data]);
}

class RawWebSocket {
  /**
   * Sends an upgrade request and waits for the answer, whatever it is.
   *
   * @returns {Promise<RawWebSocket>} with `status` and `headers` of the answer; `body` when it was refused
   */
  static async open(port, target, options = {}) {
    const socket = net.connect(port, "127.0.0.1");
    const raw = new RawWebSocket(socket, options);
    raw.request(target, options);
    await within(raw.answered, `the answer to the upgrade of ${target}`);
    return raw;
  }

  /** @param {import("node:stream").Duplex} socket the wire, not necessarily TCP */
  constructor(socket, { autoPong = true } = {}) {
    this.socket = socket;
    this.autoPong = autoPong;
    this.status = undefined;
    this.headers = {};
    this.body = "";
    this.frames = [];
    this.ended = false;
    this.waiters = [];
    this.pending = Buffer.alloc(0);
    this.room = Buffer.alloc(0);
    this.answered = new Promise((resolve) => {
      this.onAnswer = resolve;
    });
    socket.on("data", (chunk) => this.read(chunk));
    const end = () => {
      this.ended = true;
      this.onAnswer();
      this.wake();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
  }

  request(
    target,
    { method = "GET", headers = {}, key, version = "13", upgrade = "websocket" } = {},
  ) {
    const lines = [`${method} ${target} HTTP/1.1`, "Host: 127.0.0.1", "Connection: Upgrade"];
    if (upgrade !== null) lines.push(`Upgrade: ${upgrade}`);
    if (key !== null) lines.push(`Sec-WebSocket-Key: ${key ?? randomBytes(16).toString("base64")}`);
    if (version !== null) lines.push(`Sec-WebSocket-Version: ${version}`);
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  read(chunk) {
    this.append(chunk);
    if (this.status === undefined) this.readHead();
    if (this.status === 101) this.readFrames();
    else if (this.status !== undefined) {
      this.body += this.pending.toString();
      this.pending = Buffer.alloc(0);
    }
    this.wake();
  }

  /** Room is made by doubling: to copy all that waits for each chunk of a large frame takes seconds. */
  append(chunk) {
    const { pending, room } = this;
    const length = pending.length + chunk.length;
    let start = pending.buffer === room.buffer ? pending.byteOffset - room.byteOffset : room.length;
    if (start + length > room.length) {
      this.room = Buffer.alloc(length * 2);
      pending.copy(this.room);
      start = 0;
    }
    chunk.copy(this.room, start + pending.length);
    this.pending = this.room.subarray(start, start + length);
  }

  readHead() {
    const end = this.pending.indexOf("\r\n\r\n");
    if (end === -1) return;
    const [statusLine, ...lines] = this.pending.subarray(0, end).toString("latin1").split("\r\n");
    this.pending = this.pending.subarray(end + 4);
    for (const line of lines) {
      const colon = line.indexOf(":");
      this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    this.statusLine = statusLine;
    this.status = Number(statusLine.split(" ")[1]);
    this.onAnswer();
  }

  readFrames() {
    for (;;) {
      const { pending } = this;
      if (pending.length < 2) return;
      let at = 2;
      let length = pending[1] & 0x7f;
      if (length === 126) {
        if (pending.length < 4) return;
        length = pending.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (pending.length < 10) return;
        length = Number(pending.readBigUInt64BE(2));
        at = 10;
      }
      if (pending.length < at + length) return;
      const payload = pending.subarray(at, at + length);
      this.pending = pending.subarray(at + length);
      this.frames.push({
        fin: (pending[0] & 0x80) !== 0,
        rsv: (pending[0] >> 4) & 7,
        opcode: pending[0] & 0x0f,
        payload,
      });
    }
  }

  wake() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  async changed() {
    await new Promise((resolve) => this.waiters.push(resolve));
  }

  /** The next frame; `null` once the wire has ended. */
  nextFrame() {
    const next = async () => {
      while (this.frames.length === 0 && !this.ended) await this.changed();
      return this.frames.shift() ?? null;
    };
    return within(next(), "a WebSocket frame");
  }

  /**
   * The next Engine.IO packet: a text frame as a string, a binary one as a Buffer, a close frame as `{ close: code }`.
   * Heartbeats are answered and skipped unless `autoPong` is off.
   */
  async next() {
    for (;;) {
      const got = await this.nextFrame();
      if (got === null) return null;
      if (got.opcode === OPCODE.close) {
        return { close: got.payload.length >= 2 ? got.payload.readUInt16BE(0) : null };
      }
      if (got.opcode === OPCODE.binary) return got.payload;
      if (got.opcode !== OPCODE.text) return got;
      const text = got.payload.toString();
      if (text === "2" && this.autoPong) this.text("3");
      else return text;
    }
  }

  /** Everything until the wire ends, as `next` tells it. */
  async rest() {
    const all = [];
    for (;;) {
      const got = await this.next();
      if (got === null) return all;
      all.push(got);
      if (got.close !== undefined) this.socket.end();
    }
  }

  /** Joins a namespace and hands back the server's answer; a ping that comes before it is answered. */
  async join(packet = "40") {
    this.text(packet);
    for (;;) {
      const answer = await this.next();
      if (answer !== "2") return answer;
      this.text("3");
    }
  }

  text(string, options) {
    this.socket.write(frame(OPCODE.text, Buffer.from(string), options));
  }

  binary(data, options) {
    this.socket.write(frame(OPCODE.binary, data, options));
  }

  send(opcode, payload, options) {
    this.socket.write(frame(opcode, payload, options));
  }

  /** Waits until an answer other than 101 is complete, by its length or by the end of the connection. */
  refusal() {
    const complete = () =>
      this.ended ||
      this.body.length >= Number(this.headers["content-length"]) ||
      this.body.endsWith("0\r\n\r\n");
    const wait = async () => {
      while (!complete()) await this.changed();
    };
    return within(wait(), "the body of a refusal");
  }

  /** Waits until the other side has closed the TCP connection. */
  gone() {
    this.socket.resume();
    const end = async () => {
      while (!this.ended) await this.changed();
    };
    return within(end(), "the end of the connection");
  }

  destroy() {
    this.socket.destroy();
  }
}

module.exports = { OPCODE, RawWebSocket, frame };
