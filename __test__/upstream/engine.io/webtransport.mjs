// WebTransport over streams in memory, as far as test/webtransport.mjs uses it: its server, its client, and its certificate.

import { once } from "node:events";
import { createServer } from "node:net";
import { ReadableStream, TransformStream } from "node:stream/web";

/** Bytes of a datagram, which is what the tests read at once. */
const DATAGRAM = 1228;

/** Servers by port. */
const servers = new Map();

export async function generateWebTransportCertificate() {
  return { cert: "", private: "", hash: new Uint8Array() };
}

export class Http3Server {
  constructor() {
    this.sessions = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
      },
    });
    this.ready = this.findPort();
  }

  /** A port that is free over TCP: tests have an HTTP server listen there. */
  async findPort() {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    this.port = probe.address().port;
    probe.close();
    await once(probe, "close");
    servers.set(String(this.port), this);
  }

  startServer() {}

  stopServer() {
    servers.delete(String(this.port));
    this.controller.close();
  }

  async sessionStream() {
    return this.sessions;
  }
}

export class WebTransport {
  constructor(url) {
    let end;
    this.closed = new Promise((resolve) => {
      end = resolve;
    });
    this.close = () => end();
    const session = { closed: this.closed, close: this.close };
    session.incomingBidirectionalStreams = new ReadableStream({
      start: (controller) => {
        this.streams = controller;
      },
    });
    this.ready = Promise.resolve();
    servers.get(new URL(url).port).controller.enqueue(session);
  }

  async createBidirectionalStream() {
    const up = new TransformStream();
    // what the system would buffer
    const down = new TransformStream(new Framing(), undefined, { highWaterMark: 64 });
    this.streams.enqueue({ readable: up.readable, writable: down.writable });
    return { readable: down.readable, writable: up.writable };
  }
}

/**
 * A stream has no boundaries, but the tests read a header, then what it announces, a datagram at a time: so the bytes are cut
 * there, however they were written.
 */
class Framing {
  constructor() {
    this.bytes = Buffer.alloc(0);
    /** bytes of the payload that are to come */
    this.left = 0;
  }

  transform(chunk, controller) {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    for (let size = this.next(); size <= this.bytes.length; size = this.next()) {
      const part = this.bytes.subarray(0, size);
      this.bytes = this.bytes.subarray(size);
      this.left = this.left > 0 ? this.left - size : lengthOf(part);
      controller.enqueue(Uint8Array.from(part));
    }
  }

  /** Bytes of the next part; infinite while that is not known. */
  next() {
    if (this.left > 0) return Math.min(this.left, DATAGRAM);
    return this.bytes.length === 0 ? Infinity : [1, 3, 9][headerKind(this.bytes)];
  }
}

/** 0: the length is in the first byte; 1: in two that follow; 2: in eight. */
function headerKind(bytes) {
  return Math.max((bytes[0] & 0x7f) - 125, 0);
}

function lengthOf(header) {
  const kind = headerKind(header);
  if (kind === 0) return header[0] & 0x7f;
  return kind === 1 ? header.readUInt16BE(1) : Number(header.readBigUInt64BE(1));
}
