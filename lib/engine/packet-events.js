"use strict";

// The Engine.IO packets of a connection as programs see them: what comes in, by "packet", "data" and "message"; what leaves, by
// "packetCreate", "flush", "drain" and `writeBuffer`. It costs something only while somebody looks: see Conn#observe().

const debug = require("debug")("engine:socket");
const { NO_COMPRESS, VOLATILE } = require("../border");
const { PACKET_TYPES, writeText } = require("../codec");
const trace = require("./conn-trace");
const { nextTick } = require("../base/loop");
const { isWorthIt } = require("../http");

/** @typedef {import("node:events").EventEmitter} EventEmitter */

/**
 * What is asked of a connection here.
 *
 * @typedef {object} Parts
 * @property {string} id
 * @property {string} readyState
 * @property {number} protocol
 * @property {string} transportName
 * @property {number} bufferedAmount
 * @property {{ writable: boolean }} transport
 * @property {WriteBuffer | undefined} _writeBuffer
 * @property {import("../border/border").Border} _border
 * @property {EventEmitter & { opts: any, isPlain: boolean, isPolled(sid: string): boolean }} server
 *
 * @typedef {EventEmitter & trace.Traced & import("../border/operations").Named & Parts} Shown
 */

const PONG = String(PACKET_TYPES.indexOf("pong"));

/** From the type of a packet to that of one with attachments. */
const BINARY = 3;

// --- in: each packet in a tick of its own, as all that comes up, so in order with an upgrade of the transport, with the handlers
// of events before it, and with the end ---

/**
 * Shows a Socket.IO packet, in the form in which it came.
 *
 * @param {Shown} conn
 * @param {number} type
 * @param {string} nsp
 * @param {number | undefined} id
 * @param {any} data read now: who gets the packet puts the attachments into it
 * @param {Buffer[] | null} [attachments]
 */
function showPacketIn(conn, type, nsp, id, data, attachments) {
  const wireType = attachments ? type + BINARY : type;
  const text = writeText(wireType, nsp, id, data, attachments?.length);
  trace.traceDecoded(text, wireType, attachments?.length, nsp, id, data);
  showMessageIn(conn, text);
  for (const attachment of attachments ?? []) showMessageIn(conn, attachment);
}

/**
 * Shows a message to the listeners of "packet", "data" and "message".
 *
 * @param {Shown} conn
 * @param {any} data
 */
function showMessageIn(conn, data) {
  nextTick(emitMessage, conn, data);
}

/**
 * @param {Shown} conn
 * @param {any} data
 */
function emitMessage(conn, data) {
  if (!isHeard(conn)) return;
  trace.traceMessage(conn, data);
  if (data === "") data = undefined; // a packet of nothing but its type
  conn.emit("packet", data === undefined ? { type: "message" } : { type: "message", data });
  conn.emit("data", data);
  conn.emit("message", data);
}

/**
 * @param {Shown} conn
 * @returns {boolean} whether what has come is shown, in its tick. A Socket.IO server has handled it before, and may have closed the
 *   session for it
 */
function isHeard({ readyState, server }) {
  return readyState === "open" || (readyState === "closing" && !server.isPlain);
}

/**
 * Shows a packet of the protocol itself.
 *
 * @param {Shown} conn
 * @param {string} text
 */
function showControlIn(conn, text) {
  nextTick(emitControl, conn, text);
}

/**
 * @param {Shown} conn
 * @param {string} text
 */
function emitControl(conn, text) {
  if (!isHeard(conn)) return;
  const type = PACKET_TYPES[Number(text[0])];
  // to upstream, that one is a matter of the transport
  if (type === "close" && conn.transportName === "polling") return;
  trace.traceControl(conn, type, text);
  conn.emit("packet", text.length > 1 ? { type, data: text.slice(1) } : { type });
  if (conn.readyState !== "open" || type !== beatOf(conn)) return;
  if (type === "ping") showControlOut(conn, PONG); // the worker has answered
  conn.emit("heartbeat");
}

/**
 * @param {{ protocol: number }} conn
 * @returns {"ping" | "pong"} what its client sends for a heartbeat: in protocol 3 it is the client that pings
 */
function beatOf({ protocol }) {
  return protocol === 3 ? "ping" : "pong";
}

/**
 * Shows that what has come is no packet.
 *
 * @param {Shown} conn
 */
function showInvalidIn(conn) {
  if (conn.readyState !== "open") return;
  trace.traceInvalid();
  conn.emit("packet", { type: "error", data: "parser error" });
}

// --- out: a packet is written after "packetCreate" and before "flush" and "drain", as upstream does it: what listeners of
// those send comes after it, and what they throw does not keep it back. So here are generators, which stop where the packet
// has to be written ---

/**
 * Shows the messages that a Socket.IO packet is made of. Stops when they have to be written, all at once.
 *
 * @param {Shown} conn
 * @param {any} encoded a text, or the messages
 * @param {number} flags VOLATILE, NO_COMPRESS
 * @param {any} [options] those of the packets; made from the flags when left out
 * @returns {Generator<void, void>}
 */
function* showMessagesOut(conn, encoded, flags, options) {
  if (flags & VOLATILE && !takesVolatile(conn)) return;
  options ??= flags & VOLATILE ? { volatile: true } : {};
  options.compress = (flags & NO_COMPRESS) === 0;
  const list = Array.isArray(encoded) ? encoded : [encoded];
  let written = false;
  for (const message of list) {
    const packet = create(conn, "message", message, options);
    if (!written) yield;
    written = true;
    conn._writeBuffer?.add(packet);
  }
}

/**
 * @param {Shown} conn
 * @returns {boolean} whether its worker will send a volatile packet, as far as this thread knows
 */
function takesVolatile(conn) {
  const { bufferPolicy, maxBufferedBytes } = conn.server.opts;
  if (bufferPolicy === "dropVolatile" && maxBufferedBytes)
    return conn.bufferedAmount <= maxBufferedBytes;
  if (conn.transportName === "polling") return conn.server.isPolled(conn.id);
  return conn.bufferedAmount === 0;
}

/**
 * Shows an Engine.IO packet. Stops when it has to be written.
 *
 * @param {Shown} conn
 * @param {string} type
 * @param {any} data
 * @param {any} options
 * @param {Function} [callback] to be called when the packet has left
 * @returns {Generator<void, void>}
 */
function* showPacketOut(conn, type, data, options, callback) {
  const packet = create(conn, type, data, options);
  yield;
  conn._writeBuffer?.add(packet, callback);
}

/**
 * Shows a packet of the protocol itself, which the worker has sent.
 *
 * @param {Shown} conn
 * @param {string} text
 */
function showControlOut(conn, text) {
  if (conn.readyState === "closed") return;
  const type = PACKET_TYPES[Number(text[0])];
  if (type === "ping") trace.tracePing(conn);
  const data = text.length > 1 ? text.slice(1) : undefined;
  conn._writeBuffer?.add(create(conn, type, data, { compress: true }));
}

/**
 * @param {Shown} conn
 * @param {string} type
 * @param {any} data
 * @param {any} options
 * @returns {any} the packet as listeners see it
 */
function create(conn, type, data, options) {
  if (debug.enabled) debug('sending packet "%s" (%s)', type, data);
  /** @type {any} */
  const packet = { type, options };
  if (data) packet.data = data;
  conn.emit("packetCreate", packet);
  return packet;
}

/**
 * @param {any[]} packets
 * @param {any} opts those of the engine
 * @returns {boolean} whether an answer with them is large enough to be compressed: then it takes some time to leave
 */
function mayBeCompressed(packets, { httpCompression }) {
  if (!httpCompression || !packets.some(({ options }) => options?.compress)) return false;
  let length = packets.length * 2 - 1; // the types, and what stands between them
  for (const { data } of packets)
    length += typeof data === "string" ? Buffer.byteLength(data) : base64Length(data);
  return isWorthIt(httpCompression, length);
}

/**
 * @param {any} data bytes, or nothing
 * @returns {number} characters of them as base64
 */
function base64Length(data) {
  return Math.ceil((data?.byteLength ?? 0) / 3) * 4;
}

/**
 * Which packets of a connection have left, as far as this thread knows. It is kept only for connections of which
 * somebody wants to know; the packets themselves go to the worker at once in any case.
 *
 *     add() ──► packets ──flush()──► unfenced ──next tick──► fenced ──the worker says so──► callbacks
 *
 * A fence is an operation behind the packets of a tick: the worker tells when all before it has left. Over polling, callbacks do not
 * wait for that: to upstream, a packet has left when it has been given to a response that waits.
 */
class WriteBuffer {
  /** @param {Shown} conn */
  constructor(conn) {
    this.conn = conn;
    /** @type {any[]} packets that the transport could not take yet (`conn.writeBuffer`) */
    this.packets = [];
    /** @type {Function[]} callbacks of the packets above */
    this.callbacks = [];
    /** @type {Function[]} callbacks of packets that have no fence behind them yet */
    this.unfenced = [];
    /** @type {Function[][]} by fence, oldest first */
    this.fenced = [];
    this.busy = false;
    this.scheduled = false;
    this.fence = this.fence.bind(this);
  }

  /**
   * @param {any} packet
   * @param {Function} [callback]
   */
  add(packet, callback) {
    this.packets.push(packet);
    if (typeof callback === "function") this.callbacks.push(callback);
    this.flush();
  }

  /** Shows to the listeners of "flush" and "drain" what the transport can take now. */
  flush() {
    const { conn, packets } = this;
    if (packets.length === 0 || conn.readyState === "closed" || !conn.transport.writable) return;
    debug("flushing buffer to transport");
    conn.emit("flush", packets);
    conn.server.emit("flush", conn, packets);
    const { callbacks } = this;
    this.packets = [];
    this.callbacks = [];
    this.busy = true;
    if (!this.scheduled) {
      this.scheduled = true;
      nextTick(this.fence); // the packets are written to the batch after this call
    }
    if (conn.transportName === "polling" && !mayBeCompressed(packets, conn.server.opts))
      this.call(callbacks);
    else this.unfenced.push(...callbacks);
    conn.emit("drain");
    conn.server.emit("drain", conn);
  }

  /** @private */
  fence() {
    this.scheduled = false;
    if (this.conn.readyState === "closed") return;
    this.fenced.push(this.unfenced);
    this.unfenced = [];
    this.conn._border.operations.fence(this.conn);
  }

  /**
   * What was sent before the oldest fences has left.
   *
   * @param {number} fences how many of them
   */
  ondrain(fences) {
    const lists = this.fenced.splice(0, fences);
    this.busy = this.fenced.length > 0 || this.scheduled;
    try {
      if (lists.length > 0) debug("executing batch send callback");
      for (const callbacks of lists) this.call(callbacks);
    } finally {
      this.flush();
    }
  }

  /**
   * @param {Function[]} callbacks
   * @private
   */
  call(callbacks) {
    if (callbacks.length === 0) return;
    const { transport } = this.conn;
    for (const callback of callbacks) callback(transport);
  }

  /** All that has been handed to the worker counts as sent. */
  ondrainAll() {
    this.ondrain(this.fenced.length);
  }

  /** The connection is closed: what has not left is dropped, but "close" listeners can still look at it. */
  clear() {
    this.callbacks = [];
    this.unfenced = [];
    this.fenced = [];
    nextTick(() => {
      this.packets = [];
    });
  }
}

module.exports = {
  showControlIn,
  showControlOut,
  showInvalidIn,
  showMessageIn,
  showMessagesOut,
  showPacketIn,
  showPacketOut,
  WriteBuffer,
};
