"use strict";

const debug = require("debug")("engine:webtransport");
const { Dialect } = require("../border");
const { ByteBridge, CLOSE_TIMEOUT } = require("./bridge");
const loop = require("../base/loop");
const { LONGEST_MESSAGE } = require("../base/options");
const { encodePackets, PacketReader, webSocketFrame } = require("../codec");

/** @typedef {import("./door").Host} Host */

/**
 * A WebTransport session, as far as it is used: the W3C's interface.
 *
 * @typedef {object} TransportSession
 * @property {ReadableStream<Duplex>} incomingBidirectionalStreams
 * @property {Promise<unknown>} closed
 * @property {() => void} close
 */

/** @typedef {{ readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array> }} Duplex */

/** What goes to the worker in place of a packet that can't be read: no packet is empty, so the session ends. */
const INVALID = webSocketFrame("");

/**
 * The one bidirectional stream of a WebTransport session.
 *
 * @typedef {object} Stream
 * @property {ReadableStreamDefaultReader<Uint8Array>} reader
 * @property {WritableStreamDefaultWriter<Uint8Array>} writer
 * @property {PacketReader} packets what has been read but not used is in there
 */

/**
 * Waits for the stream of a new session and for its first packet, which says what it is for.
 *
 * @param {TransportSession} session
 * @param {{ upgradeTimeout: number, maxHttpBufferSize: number }} opts options of the engine: ms, bytes
 * @returns {Promise<{ sid: string | undefined, stream: Stream } | undefined>} `sid` of the session to upgrade; nothing
 *   when the session has ended or has been refused
 */
async function receiveSession(session, opts) {
  const timeout = setTimeout(() => {
    debug("the client failed to establish a bidirectional stream in the given period");
    session.close();
  }, opts.upgradeTimeout);
  try {
    const streams = session.incomingBidirectionalStreams.getReader();
    const { value, done } = await streams.read().finally(() => streams.releaseLock());
    if (done) {
      debug("session is closed");
      return undefined;
    }
    return await receiveFirst(session, value, opts.maxHttpBufferSize);
  } catch (error) {
    debug("session is closed: %s", error);
    return undefined;
  } finally {
    clearTimeout(timeout);
  }
}

/**
 * @param {TransportSession} session
 * @param {Duplex} duplex
 * @param {number} maxPayload bytes
 * @returns {Promise<{ sid: string | undefined, stream: Stream } | undefined>}
 */
async function receiveFirst(session, duplex, maxPayload) {
  const reader = duplex.readable.getReader();
  const packets = new PacketReader(maxPayload < LONGEST_MESSAGE ? maxPayload : LONGEST_MESSAGE);
  let first = packets.next();
  while (first === undefined) {
    const { value, done } = await reader.read();
    if (done) {
      debug("stream is closed");
      reader.releaseLock();
      return undefined;
    }
    packets.add(value);
    first = packets.next();
  }
  const sid = sessionToOpen(first);
  if (sid !== null) {
    return { sid, stream: { reader, writer: duplex.writable.getWriter(), packets } };
  }
  debug("invalid WebTransport handshake");
  await reader.cancel().catch(noop);
  reader.releaseLock();
  session.close();
  return undefined;
}

/**
 * @param {string | Buffer | null} packet the first of a session; null: it can't be read
 * @returns {string | undefined | null} the id of a session to upgrade, undefined for a new one, null for nonsense
 */
function sessionToOpen(packet) {
  if (typeof packet !== "string" || packet[0] !== "0") return null;
  if (packet.length === 1) return undefined;
  try {
    const { sid } = JSON.parse(packet.slice(1));
    return typeof sid === "string" && sid !== "" ? sid : null;
  } catch {
    return null;
  }
}

/**
 * A WebTransport session, pumped to a worker. Each packet of WebTransport holds what one WebSocket message holds, in another
 * frame. The frames are changed here, so to the worker this is the byte bridge of a WebSocket.
 *
 *     session ──packets──► pump() ──frames──► worker
 *        ▲                                      │
 *        └──packets── write() ◄──────frames─────┘
 */
class WebTransportBridge extends ByteBridge {
  /**
   * @param {Host} engine
   * @param {TransportSession} session
   * @param {Stream} stream
   */
  constructor(engine, session, stream) {
    super(engine, "webtransport", undefined, "WebTransport");
    this.session = session;
    this.stream = stream;
    /** bytes of a frame of the worker that is not complete */
    this.rest = Buffer.alloc(0);
    /** whether the worker wants to hear nothing */
    this.stalled = false;
    /** whether there is no room here for more of a packet */
    this.full = false;
    /** @type {(() => void) | undefined} set while nothing is read */
    this.unpause = undefined;
    /** @type {Promise<void> | undefined} */
    this.paused = undefined;
    /** bytes of a packet that is not complete */
    this.gathered = 0;
  }

  /**
   * @param {string} sid
   * @param {boolean} isNew a new session, or an upgrade of an existing one
   */
  open(sid, isNew) {
    if (!this.openBridge({ sid, isNew, dialect: Dialect.PLAIN, answer: undefined })) {
      debug("upgrade attempt for unknown session");
      return;
    }
    const onend = () => this.end();
    Promise.resolve(this.session.closed).then(onend, onend);
    this.pump().then(noop, (error) => {
      debug("error while reading: %s", error);
    });
  }

  /**
   * Takes packets to the worker. That the stream ends says nothing: the session does.
   *
   * @private
   */
  async pump() {
    const { reader, packets } = this.stream;
    for (;;) {
      const packet = packets.next();
      if (packet !== undefined) {
        this.give(packet === null ? INVALID : webSocketFrame(packet));
        if (packet === null) return;
        continue;
      }
      this.count(packets.length);
      await this.paused;
      const { value, done } = await reader.read();
      if (done || this.ended) return;
      packets.add(value);
    }
  }

  /**
   * Counts what is kept of a packet until the rest of it is there.
   *
   * @param {number} length
   * @private
   */
  count(length) {
    const more = length - this.gathered;
    this.gathered = length;
    if (more !== 0 && !this.border.bodies.gather(this, more) && more > 0) {
      this.full = true;
      this.settle();
    }
  }

  /** There is room again for what is gathered here. */
  readOn() {
    this.full = false;
    this.settle();
  }

  /** @override @protected */
  pause() {
    this.stalled = true;
    this.settle();
  }

  /** @override @protected */
  resume() {
    this.stalled = false;
    this.settle();
  }

  /**
   * Stops reading while there is a reason to, and goes on when there is none.
   *
   * @private
   */
  settle() {
    if (this.full || this.stalled) {
      this.paused ??= new Promise((resolve) => {
        this.unpause = resolve;
      });
    } else {
      this.unpause?.();
      this.unpause = undefined;
      this.paused = undefined;
    }
  }

  /**
   * @param {Buffer} buffer frames, of which the first and the last may be parts
   * @override
   * @protected
   */
  write(buffer) {
    const { packets, rest, closed } = encodePackets(Buffer.concat([this.rest, buffer]));
    this.rest = Buffer.from(rest);
    const written = () => this.written(buffer.length);
    if (packets.length === 0) {
      written();
    } else {
      this.stream.writer.write(packets).then(written, (error) => {
        debug("error while writing: %s", error);
      });
    }
    // a WebSocket's peer would answer the close frame; here closing is one-sided
    if (closed) this.end();
  }

  /** @override @protected */
  shut() {
    this.count(0);
    this.full = false;
    this.resume();
    const { session, stream } = this;
    stream.reader.cancel().catch(noop);
    // what is written must leave first
    const close = () => session.close();
    const timeout = loop.setTimeout(close, CLOSE_TIMEOUT).unref();
    stream.writer
      .close()
      .catch(noop)
      .then(close)
      .catch(noop)
      .finally(() => loop.clearTimeout(timeout));
  }
}

function noop() {}

module.exports = { receiveSession, WebTransportBridge };
