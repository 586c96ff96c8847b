"use strict";

const debug = require("debug")("socket.io:border");
const { invalidOption } = require("../base/errors");
const { Operations } = require("./operations");
const { trace } = require("../base/trace");
const { clearInterval, nextTick, setImmediate, setInterval } = require("../base/loop");

const TABLES = 16; // a handle is a slot of a worker: the low bits name the worker
const MAX_WORKERS = TABLES;
const MOST_UNTOLD = 32; // connections that a worker may be given before it is woken
const LONGEST_TIMER = 2 ** 30; // ms
const SPACE = 32; // the last character of a batch that is not all

/**
 * @typedef {object} Native the class of the addon, see native/index.d.ts
 * @property {number} workers
 * @property {(wake: () => void) => void} rouse
 * @property {() => void} rest
 * @property {(config: object) => number} openServer
 * @property {(server: number, config: object) => void} configureServer
 * @property {(server: number) => void} closeServer
 * @property {() => string} take
 * @property {() => Buffer[]} takeBuffers
 * @property {() => string[]} takeStrings
 * @property {(operations: Buffer, length: number) => void} flush
 * @property {(server: number, sid: string) => number} lookup
 * @property {(handle: number, generation: number) => number} buffered
 * @property {(server: number, token: number, sid: string, dialect: number, jsonp?: string) => void} openPolling
 * @property {(server: number, token: number, sid: string) => boolean} pollGet
 * @property {(server: number, token: number, sid: string) => boolean} pollPost
 * @property {(server: number, token: number, sid: string, body: Buffer, binary: boolean) => boolean} pollBody
 * @property {(server: number, token: number, sid: string, fault: number) => boolean} pollFault
 * @property {(server: number, token: number, sid: string) => boolean} requestClosed
 * @property {(server: number, token: number, sid: string, fd: number, listener: number, profile: object) => boolean} adoptPolling
 * @property {(token: number) => number} takeDescriptor
 * @property {(server: number) => void} recallPolling
 * @property {(listener: number, busy: boolean, later: boolean) => void} closePolling
 * @property {(server: number, sid: string, shown: boolean) => void} showRequests
 * @property {(server: number, sid: string) => boolean} isPolled
 * @property {(...args: any[]) => string} checkUpgrade
 * @property {(server: number, offers: string) => { agreement: number, value: string } | null} negotiateDeflate
 * @property {(server: number, token: number, sid: string, kind: number, fd: number, answer: string, head?: Buffer) => boolean} adopt
 * @property {(server: number, token: number, sid: string, kind: number, answer: string, head?: Buffer) => boolean} bridgeOpen
 * @property {(fd: number, seconds: number) => boolean} deferAccept
 * @property {(fd: number, path: string, maxHead: number, compression: boolean) => string} peekRequest
 * @property {(server: number, token: number, sid: string, kind: number, fd: number, answer: string) => boolean} adoptPeeked
 * @property {(server: number, token: number, sid: string, fd: number, listener: number, profile: object) => boolean} openPeeked
 * @property {() => void} wake
 * @property {(bytes: number) => boolean} hold
 * @property {(token: number, chunk: Buffer) => boolean} bridgeData
 * @property {(token: number, bytes: number) => void} bridgeWritten
 * @property {(token: number, broken: boolean) => void} bridgeEnd
 * @property {(tokens: number[]) => void} endWires
 * @property {(maxBytes: number, first: number) => number} openRecovery
 * @property {(log: number) => void} closeRecovery
 * @property {(log: number, pid: string, sid: string, rooms: readonly number[], size: number, now: number) => { key: number, forgotten: number[] } | null} persistSession
 * @property {(log: number, pid: string, last: number, oldest: number) => { key: number, sid: string, rooms: number[] } | null} restoreSession
 * @property {(log: number, session: number, last: number) => any[][] | null} missedPackets
 * @property {(log: number, lost: number, sent: number) => { forgotten: number[], empty: boolean } | null} expireRecovery
 * @property {(log: number, pid: string) => number | null} findSession
 * @property {(log: number, pid: string) => number | null} forgetSession
 * @property {(log: number, time: number) => number} lastPacketBefore
 * @property {(log: number) => number[]} unusedRecoveryRooms
 * @property {() => string} stats
 */

/**
 * What the border asks of a session. Events of one session are called in the order of the wire.
 *
 * @typedef {object} Session
 * @property {(auth: any, nsp: string) => void} onconnect
 * @property {(type: number, nsp: string, id: number, data: any, attachments: Buffer[] | null) => void} onpacket
 * @property {(data: string | Buffer) => void} onmessage what came, when the server has a parser of its own
 * @property {(kind: number, argument: any, more: any) => void} onrecord called in a tick of its own
 */

/**
 * Where a connection comes from and where it has come to, as a worker has read it.
 *
 * @typedef {{ address: string, port: number, localAddress: string, localPort: number }} Peer
 */

/**
 * What the border asks of an engine.
 *
 * @typedef {object} SessionOwner
 * @property {(name: import("./operations").Named, sid: string, form: number, token: number, peer?: Peer) => Session | undefined} onopen
 */

/**
 * What the border asks of an HTTP request or of the wire of a WebSocket.
 *
 * @typedef {object} Door
 * @property {(kind: number, first: any, second: any, buffer: Buffer | undefined) => void} onrecord
 */

/**
 * Who gathers the body of a request.
 *
 * @typedef {object} Gatherer
 * @property {() => void} readOn there is room again
 */

/** Kinds of records, as the addon numbers them. */
const Record = Object.freeze({
  CONNECT: 0,
  DISCONNECT: 1,
  EVENT: 2,
  ACK: 3,
  CONNECT_ERROR: 4,
  OPEN: 10,
  CLOSED: 11,
  UPGRADED: 12,
  UPGRADING: 13,
  CONNECT_TIMEOUT: 14,
  INVALID_PACKET: 15,
  DRAIN: 16,
  CONTROL: 17,
  RAW: 19,
  HEARTBEAT: 18,
  ANSWER: 20,
  DROP: 21,
  REFUSED: 22,
  WRITE: 30,
  WIRE_CLOSED: 31,
  PAUSE: 32,
  RESUME: 33,
  GIVEN_BACK: 34,
});

/**
 * The border of this thread to the workers: records come up in batches, operations go down in batches.
 *
 *     asleep ──the first server is opened──► awake ──the last one is closed──► asleep
 *
 * While it is awake, the environment holds it: the workers call it, and a timer keeps the process. Asleep, it is held by
 * those alone that use it.
 */
class Border {
  /**
   * @param {new (workers: number) => Native} NativePlane
   * @param {number} [workers] threads, if this is the first border of the process; 0: the default number
   */
  constructor(NativePlane, workers = 0) {
    this.native = new NativePlane(workers);
    this.operations = new Operations((buffer, length) => this.native.flush(buffer, length));
    /** @type {(Session | undefined)[][]} by the low bits of the handle, then by the rest */
    this.tables = Array.from({ length: TABLES }, () => []);
    /** @type {Map<number, SessionOwner>} by server id */
    this.owners = new Map();
    /** @type {Map<number, Door>} */
    this.doors = new Map();
    this.lastToken = 0;
    this.lastRoom = -1;
    /** how many connections have "packetCreate" listeners: broadcasts must show them their packet */
    this.watchers = 0;
    /** sessions and wires: while there are any, the process stays */
    this.alive = 0;
    /** connections given to the workers, of which those have not been told */
    this.untold = 0;
    /** @type {number[]} connections that the workers are to end */
    this.ending = [];
    this.endWires = this.endWires.bind(this);
    this.wake = this.wake.bind(this);
    this.drain = this.drain.bind(this);
    /** bytes of the bodies of requests that are being gathered here */
    this.gathered = 0;
    /** @type {Map<string, number>} sessions and upgrades that came no faster way, by the reason */
    this.reasons = new Map();
    /** whether there is no room for more of them */
    this.full = false;
    /** @type {Set<Gatherer>} those that read no more, for want of room */
    this.heldBack = new Set();
    /** @type {NodeJS.Timeout | undefined} keeps the process; there is one while a server is open */
    this.timer = undefined;
  }

  /**
   * Opens a server.
   *
   * @param {SessionOwner} owner
   * @param {object} config
   * @returns {number} its number
   */
  openServer(owner, config) {
    if (this.owners.size === 0) this.rouse();
    try {
      const id = this.native.openServer(config);
      this.owners.set(id, owner);
      return id;
    } finally {
      if (this.owners.size === 0) this.rest();
    }
  }

  /**
   * Closes a server of which the workers have nothing any more; with the last one of the process, they end.
   *
   * @param {number} id
   */
  closeServer(id) {
    this.operations.flush();
    this.native.closeServer(id);
    this.owners.delete(id);
    if (this.owners.size === 0) this.rest();
  }

  /** @private */
  rouse() {
    this.native.rouse(this.drain);
    this.timer = setInterval(noop, LONGEST_TIMER);
    if (this.alive === 0) this.timer.unref();
  }

  /**
   * No server is open: nothing that Node.js or the addon holds must lead here, or whoever loads the package anew again and
   * again would keep each copy, and all that it can reach.
   *
   * @private
   */
  rest() {
    this.native.rest();
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** @param {string} reason why a session, or an upgrade, came no faster way */
  countReason(reason) {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  /** @returns {any} what the workers and this thread have, and have counted */
  stats() {
    return { ...JSON.parse(this.native.stats()), reasons: Object.fromEntries(this.reasons) };
  }

  /** Counts a session or a wire. */
  retain() {
    if (this.alive++ === 0) this.timer?.ref();
  }

  /** Uncounts it. */
  release() {
    if (--this.alive === 0) this.timer?.unref();
  }

  /**
   * Tells the workers of a new connection, with those that come in the same turn of the event loop: to wake a thread
   * costs more than all else that is done here for a connection.
   */
  wakeSoon() {
    if (++this.untold === 1) setImmediate(this.wake);
    else if (this.untold % MOST_UNTOLD === 0) this.native.wake();
  }

  /** @private */
  wake() {
    this.untold = 0;
    this.native.wake();
  }

  /**
   * Has a worker end a connection, as if its peer had; with those that are asked for in the same tick.
   *
   * @param {number} token
   */
  endWire(token) {
    if (this.ending.push(token) === 1) nextTick(this.endWires);
  }

  /** @private */
  endWires() {
    const tokens = this.ending;
    this.ending = [];
    this.operations.flush(); // what has been sent before leaves first
    this.native.endWires(tokens);
  }

  /**
   * @param {Door} door
   * @returns {number} the token by which the workers name it
   */
  addDoor(door) {
    do this.lastToken = (this.lastToken + 1) >>> 0;
    while (this.doors.has(this.lastToken));
    this.doors.set(this.lastToken, door);
    return this.lastToken;
  }

  /** @returns {number} the number of a new room; none is given out twice, so whoever names one late means no other */
  allocateRoom() {
    return ++this.lastRoom;
  }

  /**
   * @param {number} handle
   * @returns {Session | undefined}
   */
  session(handle) {
    return this.tables[handle & (TABLES - 1)][handle >>> 4];
  }

  /**
   * Ends the life of the handle of a closed session: it names nothing from now on. Once only: what comes later could mean
   * another one.
   *
   * @param {Session & import("./operations").Named} session
   */
  forget(session) {
    const handle = session._handle;
    const table = this.tables[handle & (TABLES - 1)];
    if (table[handle >>> 4] !== session) return;
    table[handle >>> 4] = undefined;
    this.operations.release(session);
    this.release();
  }

  /** @yields {Session} */
  *sessions() {
    for (const table of this.tables) {
      for (const session of table) if (session !== undefined) yield session;
    }
  }

  /**
   * Takes what the workers have for this thread, about a megabyte: the values of it live until all of them have been looked
   * at. Before it takes more, timers and whatever else waits have their turn.
   */
  drain() {
    const text = this.native.take();
    if (text === "") return;
    if (text.charCodeAt(text.length - 1) === SPACE) setImmediate(this.drain);
    if (this.full || this.heldBack.size > 0) this.readOn();
    trace.refresh();
    const buffers = new Buffers(this.native);
    for (const record of JSON.parse(text)) {
      try {
        this.dispatch(record, buffers);
      } catch (error) {
        // the rest of the batch belongs to others
        nextTick(rethrow, error);
      }
    }
  }

  /**
   * Counts what is gathered of a body, as part of what waits for this thread.
   *
   * @param {Gatherer} gatherer is told when there is room again, if there is none
   * @param {number} bytes so many more, or fewer
   * @returns {boolean} whether it may read on
   */
  gather(gatherer, bytes) {
    this.gathered += bytes;
    this.full = !this.native.hold(this.gathered);
    if (this.full && bytes > 0) this.heldBack.add(gatherer);
    else this.heldBack.delete(gatherer);
    return !this.full;
  }

  /**
   * Has those read on that had to stop, if there is room again. As long as there is none, some records wait: this is looked
   * at again when they are taken.
   *
   * @private
   */
  readOn() {
    this.full = !this.native.hold(this.gathered);
    if (this.full) return;
    for (const gatherer of this.heldBack) {
      this.heldBack.delete(gatherer);
      gatherer.readOn();
    }
  }

  /**
   * @param {any[]} record
   * @param {Buffers} buffers
   */
  dispatch(record, buffers) {
    const kind = record[0];
    switch (kind) {
      case Record.EVENT:
      case Record.ACK: {
        const attachments = record.length > 5 && record[5] > 0 ? buffers.next(record[5]) : null;
        // taken whoever wants them, too
        for (let i = 6; i < record.length; i++) record[3][record[i]] = buffers.text();
        const session = this.session(record[1]);
        if (session === undefined) return;
        session.onpacket(
          kind,
          record.length > 4 ? record[4] : "/",
          record[2],
          record[3],
          attachments,
        );
        return;
      }
      case Record.CONNECT:
        this.session(record[1])?.onconnect(record[3], record[2]);
        return;
      case Record.DISCONNECT:
      case Record.CONNECT_ERROR:
        this.session(record[1])?.onpacket(kind, record[2], -1, record[3], null);
        return;
      case Record.CONTROL:
        this.session(record[1])?.onrecord(kind, record[2], record[3]); // in order with the messages
        return;
      case Record.RAW: {
        let data = record.length > 2 ? record[2] : buffers.one();
        if (data === 0) data = buffers.text();
        this.session(record[1])?.onmessage(data);
        return;
      }
      case Record.OPEN:
        this.open(record);
        return;
      case Record.ANSWER: {
        // taken whoever wants it: the buffers after it belong to the records after this one
        const buffer = carriesBody(record) ? buffers.one() : undefined;
        this.doors.get(record[1])?.onrecord(kind, record[2], record[3], buffer);
        return;
      }
      case Record.WRITE:
      case Record.GIVEN_BACK: {
        const buffer = buffers.one();
        this.doors.get(record[1])?.onrecord(kind, undefined, undefined, buffer);
        return;
      }
      case Record.DROP:
      case Record.REFUSED:
      case Record.WIRE_CLOSED:
      case Record.PAUSE:
      case Record.RESUME:
        this.doors.get(record[1])?.onrecord(kind, record[2], record[3], undefined);
        return;
      default: {
        const session = this.session(record[1]);
        // after the events that came before it, which have ticks of their own
        if (session !== undefined) nextTick(deliver, session, kind, record[2], record[3]);
      }
    }
  }

  /** @param {any[]} record [kind, handle, server, sid, form, token, generation, address?, port?, localAddress?, localPort?] */
  open(record) {
    const handle = record[1];
    this.retain();
    const table = this.tables[handle & (TABLES - 1)];
    const slot = handle >>> 4;
    while (table.length <= slot) table.push(undefined); // keeps the array dense
    const generation = record[6];
    const peer =
      record.length > 7
        ? { address: record[7], port: record[8], localAddress: record[9], localPort: record[10] }
        : undefined;
    const owner = this.owners.get(record[2]);
    const name = { _handle: handle, _generation: generation };
    const session = owner?.onopen(name, record[3], record[4], record[5], peer);
    if (session === undefined) {
      debug("session %d has no owner any more", handle);
      table[slot] = new Orphan(this, name);
      this.operations.close(name, true);
    }
  }

  /**
   * @param {number} handle
   * @param {Session} session
   */
  adopt(handle, session) {
    this.tables[handle & (TABLES - 1)][handle >>> 4] = session;
  }
}

/** The buffers and long strings that the records of one batch refer to, fetched only when one does. */
class Buffers {
  /** @param {Native} native */
  constructor(native) {
    this.native = native;
    /** @type {Buffer[] | null} */
    this.list = null;
    this.at = 0;
    /** @type {string[] | null} */
    this.texts = null;
    this.textAt = 0;
  }

  /** @returns {string} */
  text() {
    this.texts ??= this.native.takeStrings();
    return this.texts[this.textAt++];
  }

  /** @returns {Buffer} */
  one() {
    this.list ??= this.native.takeBuffers();
    return this.list[this.at++];
  }

  /**
   * @param {number} count
   * @returns {Buffer[]}
   */
  next(count) {
    this.list ??= this.native.takeBuffers();
    this.at += count;
    return this.list.slice(this.at - count, this.at);
  }
}

function noop() {}

/** @param {any[]} record an ANSWER */
function carriesBody(record) {
  return record[3] !== 0 && record[3] !== 3;
}

/** @param {unknown} error */
function rethrow(error) {
  throw error;
}

/**
 * @param {Session} session
 * @param {number} kind
 * @param {any} argument
 * @param {any} more
 */
function deliver(session, kind, argument, more) {
  session.onrecord(kind, argument, more);
}

/** @type {Border | undefined} */
let border;

/** Stands for a session whose server has gone before it opened. */
class Orphan {
  /**
   * @param {Border} border
   * @param {import("./operations").Named} name
   */
  constructor(border, { _handle, _generation }) {
    this.border = border;
    this._handle = _handle;
    this._generation = _generation;
  }

  onconnect() {}

  onpacket() {}

  onmessage() {}

  /** @param {number} kind */
  onrecord(kind) {
    if (kind === Record.CLOSED) this.border.forget(this);
  }
}

/**
 * @param {unknown} [workers] the option of that name
 * @returns {Border} the border of this thread, made at the first call
 */
function getBorder(workers) {
  const count = workerCount(workers);
  border ??= new Border(/** @type {any} */ (loadAddon()).DataPlane, count);
  return border;
}

/**
 * Loads the addon: not with the package, so that requiring that starts nothing, and not for the first client, which could
 * not be told that there is none.
 *
 * @returns {any}
 * @throws {Error} when there is none for this platform
 */
function loadAddon() {
  return require("../../native");
}

/**
 * Reads how many worker threads are asked for.
 *
 * @param {unknown} option the option `workers`
 * @returns {number} 0 for the default number
 * @throws {TypeError} when it is not a number of threads
 */
function workerCount(option) {
  const { FERROSOCKET_WORKERS: variable } = process.env;
  if (option !== undefined) return checkWorkers("option workers", option);
  return variable ? checkWorkers("environment variable FERROSOCKET_WORKERS", variable) : 0;
}

/**
 * @param {string} what
 * @param {any} value
 * @returns {number}
 */
function checkWorkers(what, value) {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS) return count;
  throw invalidOption(what, value, `give a whole number from 1 to ${MAX_WORKERS}`);
}

module.exports = { Border, Record, getBorder, loadAddon, workerCount };
