"use strict";

const { Layout, OperationKind } = require("../../native/border");
const { lengthOf, toBytes } = require("../base/bytes");
const { LongText } = require("../codec");
const { ATTACH_FROM, Batch, HEAD, NAMED, WORD } = require("./batch");
const { bytesRoom, longTextRoom, messagesOf, messagesRoom, textRoom } = require("./messages");
const { stringsRoom, writeStrings } = require("./short-strings");

const { BINARY, CONNECTION, HANDLE, LENGTH, ROOM_LOW_BITS } = Layout;

const ROOM_LOW = 2 ** ROOM_LOW_BITS; // what the first word of a room counts up to
const FLAGS = 1; // bytes

/** @typedef {import("../../native/border").AnyOperationKind} AnyOperationKind */

/**
 * A connection as operations name it. Where one is asked for that has gone, nothing happens.
 *
 * @typedef {object} Named
 * @property {number} _handle
 * @property {number} _generation
 */

/**
 * How a packet is kept for those who come back.
 *
 * @typedef {object} Kept
 * @property {number} log
 * @property {number} time ms
 * @property {readonly number[]} rooms that it is for, by the numbers that the log knows; none: for everybody
 * @property {readonly number[]} except rooms that are left out
 */

/**
 * A MULTICAST that has been written, and may get more targets.
 *
 * @typedef {object} Multicast
 * @property {any[]} parts the array that it was made of
 * @property {any[]} messages what was in it
 * @property {number[]} places where each of them is
 * @property {number} flags
 * @property {number} start
 * @property {number} countAt where the number of its targets is
 * @property {number} count
 * @property {number} handle the target that was added last
 * @property {number} end
 */

/**
 * What this thread tells the workers: operations are appended in order, and leave together once per tick.
 *
 * Each method first reads all that it was given, because that may run code of the program (a `toString()`, a getter), which may
 * call a method here; then it writes (see Batch).
 */
class Operations extends Batch {
  /**
   * @param {(operations: Buffer, length: number) => void} deliver takes the bytes; they are reused when it returns
   * @param {(bytes: Uint8Array) => number} attach copies bytes for the next batch, and gives the number by which that names
   *   them; none of the program's code runs
   */
  constructor(deliver, attach) {
    super(deliver, attach);
    /** @private @type {Multicast | null} the one that was written last, while it may get more targets */
    this.last = null;
  }

  flush() {
    this.last = null;
    super.flush();
  }

  // --- to one client ---

  /**
   * @param {Named} conn
   * @param {number} flags
   * @param {string} text a Socket.IO packet
   */
  send(conn, flags, text) {
    this.writeText(OperationKind.SEND, conn, flags, text);
  }

  /**
   * @param {Named} conn
   * @param {number} flags
   * @param {string} header of a Socket.IO packet
   * @param {string} first of its data, an array of one or two short strings
   * @param {string | undefined} second
   * @returns {boolean} false: they are not written as they are, so nothing is sent
   */
  sendStrings({ _handle, _generation }, flags, header, first, second) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const start = this.reserve(NAMED + FLAGS + WORD + stringsRoom(header, first, second));
    const at = this.named(start, OperationKind.SEND, handle, generation) + FLAGS;
    const end = writeStrings(this.buffer, at + WORD, header, first, second);
    if (end < 0) return false;
    this.buffer[at - FLAGS] = bits;
    this.u32(at, end - at - WORD);
    this.finish(start, end);
    return true;
  }

  /**
   * @param {Named} conn
   * @param {number} flags
   * @param {LongText} text a Socket.IO packet
   */
  sendLong({ _handle, _generation }, flags, text) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const start = this.reserve(NAMED + FLAGS + longTextRoom(text));
    const at = this.named(start, OperationKind.SEND, handle, generation);
    this.buffer[at] = bits;
    this.finish(start, this.longText(at + 1, text));
  }

  /**
   * @param {Named} conn
   * @param {number} flags
   * @param {any[]} parts the messages of a packet, texts and anything binary
   */
  sendBinary({ _handle, _generation }, flags, parts) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const messages = messagesOf(parts);
    if (messages.length === 0) return; // what a parser makes nothing of is not sent
    const start = this.reserve(NAMED + FLAGS + messagesRoom(messages, ATTACH_FROM));
    const at = this.named(start, OperationKind.SEND_MESSAGES, handle, generation);
    this.buffer[at] = bits;
    this.finish(start, this.messages(at + 1, messages));
  }

  /**
   * @param {Named} conn
   * @param {number} flags
   * @param {any} data one Engine.IO message, a text or bytes
   */
  sendRaw({ _handle, _generation }, flags, data) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const bytes = typeof data === "string" ? null : toBytes(data);
    const room = bytes === null ? textRoom(data) : bytesRoom(bytes);
    const start = this.reserve(NAMED + FLAGS + 1 + WORD + room);
    const at = this.named(start, OperationKind.SEND_RAW, handle, generation);
    this.buffer[at] = bits;
    this.buffer[at + 1] = bytes === null ? 0 : 1;
    this.finish(start, bytes === null ? this.text(at + 2, data) : this.bytes(at + 2, bytes, 0));
  }

  /**
   * @param {Named} conn
   * @param {number} flags NO_COMPRESS
   * @param {string} text an Engine.IO packet that is not a message: its digit and its data
   */
  sendPacket(conn, flags, text) {
    this.writeText(OperationKind.SEND_PACKET, conn, flags, text);
  }

  /**
   * Sends a client what it has missed.
   *
   * @param {Named} conn
   * @param {number} log
   * @param {number} session
   * @param {number} last the number of the packet that it has got last
   */
  replay({ _handle, _generation }, log, session, last) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const number = log >>> 0;
    const key = wholeNumber(session);
    const from = wholeNumber(last);
    const start = this.reserve(NAMED + 5 * WORD);
    const at = this.u32(this.named(start, OperationKind.REPLAY, handle, generation), number);
    this.finish(start, this.u64(this.u64(at, key), from));
  }

  /** @param {Named} conn a client that has joined its first namespace */
  joined(conn) {
    this.writeNamed(OperationKind.JOINED, conn);
  }

  /** @param {Named} conn a client of which we want to hear when all that was sent to it has left */
  fence(conn) {
    this.writeNamed(OperationKind.FENCE, conn);
  }

  /**
   * @param {Named} conn
   * @param {number} mask bits of Observed
   */
  observe(conn, mask) {
    this.writeByte(OperationKind.OBSERVE, conn, mask);
  }

  /**
   * @param {Named} conn
   * @param {boolean} discard whether to drop what waits to be written
   */
  close(conn, discard) {
    this.writeByte(OperationKind.CLOSE, conn, discard ? 1 : 0);
  }

  /** @param {Named} conn a closed session, of which all is done */
  release(conn) {
    this.writeNamed(OperationKind.RELEASE, conn);
  }

  /**
   * Has another process go on with a client.
   *
   * @param {Named} conn
   * @param {number} handover the number of the hand-over
   * @param {Uint8Array} bytes what that process is told of it
   */
  handOver({ _handle, _generation }, handover, bytes) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const number = handover >>> 0;
    const start = this.reserve(NAMED + WORD + bytesRoom(bytes));
    const at = this.u32(this.named(start, OperationKind.HAND_OVER, handle, generation), number);
    this.finish(start, this.bytes(at, bytes, 0));
  }

  /** @param {Named} conn a client that another process has handed over: what it sends is to come now */
  readOn(conn) {
    this.writeNamed(OperationKind.READ_ON, conn);
  }

  // --- rooms ---

  /**
   * @param {Named} conn
   * @param {number} room
   */
  join(conn, room) {
    this.writeRoom(OperationKind.JOIN, conn, room);
  }

  /**
   * @param {Named} conn
   * @param {number} room
   */
  leave(conn, room) {
    this.writeRoom(OperationKind.LEAVE, conn, room);
  }

  // --- to many clients ---

  /**
   * @param {number} flags
   * @param {readonly number[]} to targets, see pushRoom() and pushConnection()
   * @param {readonly number[]} except targets
   * @param {string | LongText | any[]} encoded a text, or the messages of a packet
   */
  broadcast(flags, to, except, encoded) {
    const bits = flags | 0;
    const messages = Array.isArray(encoded) ? messagesOf(encoded) : [encoded];
    if (messages.length === 0) return;
    const words = 2 + to.length + except.length;
    const start = this.reserve(HEAD + FLAGS + WORD * words + messagesRoom(messages, ATTACH_FROM));
    this.buffer[start + LENGTH] = OperationKind.BROADCAST;
    this.buffer[start + HEAD] = bits;
    const at = this.targets(this.targets(start + HEAD + FLAGS, to), except);
    this.finish(start, this.messages(at, messages));
  }

  /**
   * Sends a packet to whom it is for now, and keeps it for those who come back.
   *
   * @param {Kept} kept
   * @param {number} flags
   * @param {readonly number[]} to targets; none: it is sent in another way
   * @param {readonly number[]} except targets
   * @param {string | LongText | any[]} encoded a text, or the messages of a packet: with nothing of the program in them
   */
  keep(kept, flags, to, except, encoded) {
    const bits = flags | 0;
    const { log, rooms, except: exceptRooms } = kept;
    const time = wholeNumber(kept.time);
    const messages = Array.isArray(encoded) ? messagesOf(encoded) : [encoded];
    const words = 7 + rooms.length + exceptRooms.length + to.length + except.length;
    const start = this.reserve(HEAD + FLAGS + WORD * words + messagesRoom(messages, ATTACH_FROM));
    this.buffer[start + LENGTH] = OperationKind.KEEP;
    let at = this.u64(this.u32(start + HEAD, log), time);
    at = this.words(this.u32(at, rooms.length), rooms);
    at = this.words(this.u32(at, exceptRooms.length), exceptRooms);
    this.buffer[at] = bits;
    at = this.targets(this.targets(at + FLAGS, to), except);
    this.finish(start, this.messages(at, messages));
  }

  /**
   * Sends a packet that is being sent to many, one call for each: as long as nothing else is written between two
   * calls, the second only adds its target to the operation of the first, and the worker encodes the packet once.
   *
   * @param {Named} conn
   * @param {number} flags
   * @param {any[]} parts the messages of a packet: the very same array for all its targets
   * @param {boolean} [isOurs] whether nobody else has that array, so that what is in it stays the same
   */
  multicast({ _handle, _generation }, flags, parts, isOurs = false) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const { last } = this;
    if (
      last !== null &&
      last.parts === parts &&
      (isOurs || this.isUnchanged(last)) &&
      last.flags === bits &&
      last.handle !== handle && // the same client again: it may be meant to get two copies
      last.end === this.length &&
      this.length + HANDLE <= this.buffer.length
    ) {
      const at = this.u32(this.u32(this.length, handle), generation);
      this.u32(last.countAt, ++last.count);
      last.handle = handle;
      last.end = at;
      this.finish(last.start, at);
      return;
    }
    const messages = messagesOf(parts);
    if (messages.length === 0) return;
    const start = this.reserve(HEAD + FLAGS + WORD + HANDLE + messagesRoom(messages));
    this.buffer[start + LENGTH] = OperationKind.MULTICAST;
    this.buffer[start + HEAD] = bits;
    const first = start + HEAD + FLAGS;
    const places = [first];
    let at = this.u32(this.message(first, messages[0]), messages.length - 1);
    for (let i = 1; i < messages.length; i++) {
      places.push(at);
      at = this.message(at, messages[i]);
    }
    const countAt = at;
    const end = this.u32(this.u32(this.u32(at, 1), handle), generation);
    this.last = { parts, messages, places, flags: bits, start, countAt, count: 1, handle, end };
    this.finish(start, end);
  }

  /**
   * A program may use one array again and again, and what it has put there now is for another client.
   *
   * @param {Multicast} multicast
   * @returns {boolean} whether there is still in its array what has been written
   * @private
   */
  isUnchanged(multicast) {
    const { messages, parts } = multicast;
    if (parts.length !== messages.length) return false;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i];
      if (parts[i] !== message) return false;
      if (typeof message === "string" || message instanceof LongText) continue;
      const at = multicast.places[i]; // it has been written, unless the batch has left: then there is no last one
      const length = lengthOf(message);
      if (this.view.getUint32(at, true) !== (length | BINARY) >>> 0) return false;
      if (this.buffer.compare(message, 0, length, at + WORD, at + WORD + length) !== 0)
        return false;
    }
    return this.last === multicast; // the array may be a proxy, and run anything
  }

  // --- to other nodes ---

  /**
   * Other nodes call a room so.
   *
   * @param {number} cluster
   * @param {string | number} name
   * @param {number} room
   */
  nameRoom(cluster, name, room) {
    const number = wholeNumber(room);
    const text = String(name);
    const start = this.reserve(HEAD + 4 * WORD + 1 + textRoom(text));
    const at = this.name(start, OperationKind.NAME_ROOM, cluster, name, text);
    this.finish(start, this.u32(this.u32(at, number % ROOM_LOW), number / ROOM_LOW));
  }

  /**
   * They call so the room that one connection alone is in.
   *
   * @param {number} cluster
   * @param {string | number} name
   * @param {Named} conn
   */
  nameSocket(cluster, name, { _handle, _generation }) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const text = String(name);
    const start = this.reserve(HEAD + 4 * WORD + 1 + textRoom(text));
    const at = this.name(start, OperationKind.NAME_SOCKET, cluster, name, text);
    this.finish(start, this.u32(this.u32(at, handle), generation));
  }

  /**
   * No room is called so any more.
   *
   * @param {number} cluster
   * @param {string | number} name
   */
  unname(cluster, name) {
    const text = String(name);
    const start = this.reserve(HEAD + 2 * WORD + 1 + textRoom(text));
    this.finish(start, this.name(start, OperationKind.UNNAME, cluster, name, text));
  }

  /**
   * All connections of a namespace are in this room.
   *
   * @param {number} cluster
   * @param {number} room
   */
  nameEveryone(cluster, room) {
    const number = wholeNumber(room);
    const start = this.reserve(HEAD + 3 * WORD);
    const at = this.ofCluster(start, OperationKind.NAME_EVERYONE, cluster);
    this.finish(start, this.u32(this.u32(at, number % ROOM_LOW), number / ROOM_LOW));
  }

  /**
   * Has what other nodes broadcast handed to the workers, past this thread; if this has handled all that it was given and that
   * counts. Else nothing happens, and it is to be said again.
   *
   * @param {number} cluster
   * @param {number} handled
   */
  direct(cluster, handled) {
    const start = this.reserve(HEAD + 2 * WORD);
    this.finish(start, this.u32(this.ofCluster(start, OperationKind.DIRECT, cluster), handled));
  }

  /**
   * Has it given to this thread.
   *
   * @param {number} cluster
   */
  indirect(cluster) {
    const start = this.reserve(HEAD + WORD);
    this.finish(start, this.ofCluster(start, OperationKind.INDIRECT, cluster));
  }

  /**
   * @param {number} cluster
   * @param {string} channel
   */
  subscribe(cluster, channel) {
    this.writeChannel(OperationKind.SUBSCRIBE, cluster, channel);
  }

  /**
   * @param {number} cluster
   * @param {string} channel
   */
  unsubscribe(cluster, channel) {
    this.writeChannel(OperationKind.UNSUBSCRIBE, cluster, channel);
  }

  /**
   * @param {number} cluster
   * @param {string} channel
   * @param {string | Uint8Array} message as it is sent
   */
  publish(cluster, channel, message) {
    const messages = typeof message === "string" ? [message] : messagesOf([message]);
    const room = textRoom(channel) + messagesRoom(messages, ATTACH_FROM);
    const start = this.reserve(HEAD + 3 * WORD + room);
    const at = this.text(this.ofCluster(start, OperationKind.PUBLISH, cluster), channel);
    this.finish(start, this.attachOrWrite(at, messages[0]));
  }

  /**
   * Sends a packet to whom it is for here, and tells the other nodes.
   *
   * @param {number} cluster
   * @param {string} channel
   * @param {string} options for whom it is, as JSON
   * @param {number} flags
   * @param {readonly number[]} to targets
   * @param {readonly number[]} except targets
   * @param {string | LongText | any[]} encoded a text, or the messages of a packet
   */
  broadcastCluster(cluster, channel, options, flags, to, except, encoded) {
    const bits = flags | 0;
    const messages = Array.isArray(encoded) ? messagesOf(encoded) : [encoded];
    if (messages.length === 0) return;
    const texts = textRoom(channel) + textRoom(options);
    const words = 5 + to.length + except.length;
    const start = this.reserve(
      HEAD + FLAGS + WORD * words + texts + messagesRoom(messages, ATTACH_FROM),
    );
    let at = this.ofCluster(start, OperationKind.BROADCAST_CLUSTER, cluster);
    at = this.text(this.text(at, channel), options);
    this.buffer[at] = bits;
    at = this.targets(this.targets(at + FLAGS, to), except);
    this.finish(start, this.messages(at, messages));
  }

  // --- by a stream ---

  /**
   * Writes an entry to the stream of a cluster; the cluster is told when it comes back.
   *
   * @param {number} cluster
   * @param {number} token by which it is known then, not 0
   * @param {number} type
   * @param {string} data
   */
  addEntry(cluster, token, type, data) {
    const number = token >>> 0;
    const kind = type | 0;
    const start = this.reserve(HEAD + 1 + 3 * WORD + messagesRoom([data], ATTACH_FROM));
    const at = this.u32(this.ofCluster(start, OperationKind.ADD_ENTRY, cluster), number);
    this.buffer[at] = kind;
    this.finish(start, this.attachOrWrite(at + 1, data));
  }

  /**
   * Keeps a session in Redis.
   *
   * @param {number} cluster
   * @param {string} key
   * @param {number} time ms
   * @param {string} value
   */
  keepSession(cluster, key, time, value) {
    const left = wholeNumber(time);
    const room = textRoom(key) + messagesRoom([value], ATTACH_FROM);
    const start = this.reserve(HEAD + 5 * WORD + room);
    const at = this.text(this.ofCluster(start, OperationKind.KEEP_SESSION, cluster), key);
    this.finish(start, this.attachOrWrite(this.u64(at, left), value));
  }

  /**
   * Sends a client that comes back what it has missed. The rooms that it joins by the same batch are those that bring it all
   * that follows.
   *
   * @param {Named} conn
   * @param {number} cluster
   * @param {number} number by which it is known there
   * @param {number} handled as of `direct()`
   */
  letIn({ _handle, _generation }, cluster, number, handled) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const start = this.reserve(NAMED + 3 * WORD);
    const at = this.u32(this.named(start, OperationKind.LET_IN, handle, generation), cluster);
    this.finish(start, this.u32(this.u32(at, number), handled));
  }

  /**
   * Sees to it that what is appended next stands in one batch.
   *
   * @param {number} size its bytes, at most
   */
  beginTogether(size) {
    this.flush();
    this.reserve(size);
  }

  // --- operations of a client ---

  /**
   * @param {AnyOperationKind} kind
   * @param {Named} conn
   * @private
   */
  writeNamed(kind, { _handle, _generation }) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const start = this.reserve(NAMED);
    this.finish(start, this.named(start, kind, handle, generation));
  }

  /**
   * @param {AnyOperationKind} kind
   * @param {Named} conn
   * @param {number} value
   * @private
   */
  writeByte(kind, { _handle, _generation }, value) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = value | 0;
    const start = this.reserve(NAMED + 1);
    const at = this.named(start, kind, handle, generation);
    this.buffer[at] = bits;
    this.finish(start, at + 1);
  }

  /**
   * @param {AnyOperationKind} kind
   * @param {Named} conn
   * @param {number} room
   * @private
   */
  writeRoom(kind, { _handle, _generation }, room) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const number = wholeNumber(room);
    const start = this.reserve(NAMED + 2 * WORD);
    const at = this.u32(this.named(start, kind, handle, generation), number % ROOM_LOW);
    this.finish(start, this.u32(at, number / ROOM_LOW));
  }

  /**
   * @param {AnyOperationKind} kind
   * @param {Named} conn
   * @param {number} flags
   * @param {string} text
   * @private
   */
  writeText(kind, { _handle, _generation }, flags, text) {
    const handle = _handle >>> 0;
    const generation = _generation >>> 0;
    const bits = flags | 0;
    const start = this.reserve(NAMED + FLAGS + WORD + textRoom(text));
    const at = this.named(start, kind, handle, generation);
    this.buffer[at] = bits;
    this.finish(start, this.text(at + 1, text));
  }

  /**
   * @param {AnyOperationKind} kind
   * @param {number} cluster
   * @param {string} channel
   * @private
   */
  writeChannel(kind, cluster, channel) {
    const start = this.reserve(HEAD + 2 * WORD + textRoom(channel));
    this.finish(start, this.text(this.ofCluster(start, kind, cluster), channel));
  }
}

/**
 * @param {any} value
 * @returns {number} the whole number next below it, from 0 to 2^53 − 1; 0 for what is no number
 */
function wholeNumber(value) {
  const number = +value;
  if (number >>> 0 === number) return number;
  return number > 0 ? Math.min(Math.floor(number), Number.MAX_SAFE_INTEGER) : 0;
}

/**
 * Adds a room to a list of targets.
 *
 * @param {number[]} targets
 * @param {number} room
 */
function pushRoom(targets, room) {
  targets.push(room % ROOM_LOW, Math.floor(room / ROOM_LOW));
}

/**
 * Adds a connection to a list of targets.
 *
 * @param {number[]} targets
 * @param {Named} conn
 */
function pushConnection(targets, { _handle, _generation }) {
  targets.push((CONNECTION | _handle) >>> 0, _generation >>> 0);
}

module.exports = { Operations, pushConnection, pushRoom };
