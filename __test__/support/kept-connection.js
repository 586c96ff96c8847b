"use strict";

/** One TCP connection that HTTP requests are written to by hand, as bytes, one answer after the other. */

const net = require("node:net");
const zlib = require("node:zlib");
const { until, within } = require("./waiting");

class KeptConnection {
  static async open(port) {
    const socket = net.connect(port, "127.0.0.1");
    await until(socket, "connect");
    return new KeptConnection(socket);
  }

  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.ended = false;
    const changed = () => this.onChange?.();
    socket.on("data", (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      changed();
    });
    const end = () => {
      this.ended = true;
      changed();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  /** Writes a request; without a body it is a GET. */
  send(path, { method, headers = {}, body, version = "1.1" } = {}) {
    method ??= body === undefined ? "GET" : "POST";
    let head = `${method} ${path} HTTP/${version}\r\nHost: localhost\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (body !== undefined) head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    this.write(`${head}\r\n${body ?? ""}`);
  }

  /** Writes a request and waits for its answer. */
  ask(path, options) {
    this.send(path, options);
    return this.answer();
  }

  /** The next answer: its head as it came, and its body, decoded. `{ head: "" }` when the connection ends instead. */
  answer() {
    const read = new Promise((resolve) => {
      const look = () => {
        const answer = this.take() ?? (this.ended ? { head: "", body: "" } : undefined);
        if (answer === undefined) return;
        this.onChange = undefined;
        resolve(answer);
      };
      this.onChange = look;
      look();
    });
    return within(read, "an answer");
  }

  take() {
    const end = this.bytes.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const head = this.bytes.toString("latin1", 0, end);
    const rest = this.bytes.subarray(end + 4);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    const isLast = /^connection: close$/im.test(head);
    let found;
    if (/^transfer-encoding: chunked$/im.test(head)) found = readChunks(rest);
    else if (length === undefined && isLast) found = this.ended && readPlain(rest, rest.length);
    else found = readPlain(rest, Number(length ?? 0));
    if (!found) return undefined;
    this.bytes = rest.subarray(found.length);
    const encoding = /^content-encoding: (\w+)$/im.exec(head)?.[1];
    const unzip = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync }[encoding];
    return { head, body: (unzip ? unzip(found.body) : found.body).toString() };
  }

  destroy() {
    this.socket.destroy();
  }
}

function readPlain(bytes, length) {
  return bytes.length < length ? undefined : { length, body: bytes.subarray(0, length) };
}

function readChunks(bytes) {
  const parts = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line === -1) return undefined;
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    at = line + 2 + size + 2;
    if (at > bytes.length) return undefined;
    if (size === 0) return { length: at, body: Buffer.concat(parts) };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
  }
}

module.exports = { KeptConnection };
