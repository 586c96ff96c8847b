"use strict";

const debug = require("debug")("socket.io-redis");
const parser = require("socket.io-parser");
const { decode, flagsOf, RestoredSession, supersede, takeReturning } = require("../api");
const { PacketType } = require("../codec");
const { RedisAdapter } = require("./adapter");
const { Malformed, object, plain, rooms: readRooms, text } = require("./messages");
const { MsgpackError, packPlain, unpack } = require("./msgpack");
const { reasonAgainst } = require("./reasons");

/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../api/recovery-adapter").Client} Client */
/** @typedef {import("../api/recovery-adapter").Member} Member */
/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("./adapter").Home} Home */
/** @typedef {import("./adapter").Settings} Settings */
/** @typedef {import("./link").Link} Link */
/** @typedef {import("./messages").Target} Target */
/** @typedef {import("./streams").Entry} Entry */
/** @typedef {import("./streams").Streams} Streams */

/** A session that is connected: its socket, and where the stream was when it began. @typedef {{ socket: Member, from: string | undefined }} Live */

/**
 * A client that comes back.
 *
 * @typedef {object} Returning
 * @property {RestoredSession} session
 * @property {Client | undefined} client
 * @property {Buffer} bytes its session, as it was kept
 * @property {string} after the last entry that it has got
 * @property {number} until when its session would have been kept, in ms
 * @property {() => void} forget it does not get what it has missed
 */

/**
 * A client of which Redis is being asked who it is.
 *
 * @typedef {object} Asked
 * @property {string | undefined} offset
 * @property {Promise<import("./link").Found | undefined>} found
 * @property {{ client: Client | undefined } | undefined} for the last one that has come with its secret
 */

/** What is done with something of this server when it comes by the stream. @typedef {(offset: string | undefined) => void} Come */

const TOKENS = 2 ** 32 - 1;
const LONGEST = 2 ** 48; // ms
const LONGEST_PID = 128; // characters: what is longer, no server has given out
/** Namespaces to which a client can come back at once: Redis is asked for each, and may be away. To more it comes anew. */
const MOST_ASKED = 100;
const NO_RECOVERY = { maxDisconnectionDuration: 0 };

/** What an operation takes at most that has a socket join a room, beside the name of that, in bytes. */
const JOIN_ROOM = 128;

/**
 * The adapters by which Redis is being asked who a client is, by client.
 *
 * @type {WeakMap<Client, Set<StreamsAdapter>>}
 */
const asking = new WeakMap();

/**
 * The adapter of servers that are one by streams of Redis. All that is broadcast passes the stream first, what this server
 * broadcasts, too: so it comes to the clients of all servers in one order, nothing is missed while the connection is lost, and a
 * client that comes back to any server gets what it has missed (`connectionStateRecovery`).
 *
 *     broadcast() ──► stream ──► Rust ──► workers                 as long as nothing stands against that (reasons.js)
 *                                  └────► JavaScript: onentry()   else
 *
 * What this server has written and Rust can't send by itself, it is told of by a token when it comes.
 */
class StreamsAdapter extends RedisAdapter {
  /**
   * @param {Home} nsp
   * @param {Border} border
   * @param {Link} link
   * @param {Streams} dialect
   * @param {Settings} settings
   */
  constructor(nsp, border, link, dialect, settings) {
    super(nsp, border, link, dialect, settings);
    /** @private */
    this._streams = dialect;
    /** @private @type {Map<number, Come>} by token */
    this._written = new Map();
    /** @private */
    this._lastToken = 0;
    /** @private @type {Map<string, Live>} by pid */
    this._live = new Map();
    /** @private @type {Map<string, Returning>} those that are coming back, by pid */
    this._returning = new Map();
    /** @private @type {Map<string, Asked>} those of whom it is not known yet whether they can, by pid */
    this._asked = new Map();
  }

  // --- what is broadcast ---

  /**
   * @param {Packet} packet
   * @param {Target} opts
   */
  broadcast(packet, opts) {
    if (this.isLocal(opts)) {
      super.broadcast(packet, opts);
    } else if (hasId(packet)) {
      // for one socket, which is here: others have no use for it, but it must not overtake what was sent before
      this.write(this._streams.mark(), () => this.oncome(packet, opts, undefined));
    } else if (!this.isPlain(packet, opts)) {
      const { type, data } = packet;
      const entry = this._streams.broadcastEntry({ type, data }, opts);
      this.write(entry, (offset) => this.oncome(packet, opts, offset));
    } else {
      const encoded = this.encode(packet);
      const options = JSON.stringify({ ...plain(opts), flags: opts.flags });
      const flags = flagsOf(opts.flags);
      const to = this.receivers(opts);
      const except = this.excepted(opts);
      const { operations } = /** @type {Border} */ (this._border);
      operations.broadcastCluster(this._cluster, "", options, flags, to, except, encoded);
    }
  }

  /**
   * @param {Target} opts
   * @returns {boolean} whether it is for this server alone
   * @private
   */
  isLocal({ flags }) {
    return flags?.local === true || this._closed;
  }

  /**
   * @param {Packet} packet
   * @param {Target} opts
   * @returns {boolean} whether Rust can send it when it comes
   * @private
   */
  isPlain(packet, { rooms, except }) {
    if (packet.type !== PacketType.EVENT || reasonAgainst(this) !== undefined) return false;
    for (const names of [rooms, except ?? []])
      for (const name of names) if (!isName(name)) return false;
    return true;
  }

  /**
   * @param {Entry} entry
   * @param {Come} come
   * @private
   */
  write({ type, data }, come) {
    const token = (this._lastToken = (this._lastToken % TOKENS) + 1);
    this._written.set(token, come);
    /** @type {Border} */ (this._border).operations.addEntry(this._cluster, token, type, data);
  }

  /**
   * @param {Packet} packet
   * @param {Target} opts
   * @param {string | undefined} offset
   * @private
   */
  oncome(packet, opts, offset) {
    this.mark(packet, opts, offset);
    this.handle({ kind: "broadcast", packet, target: opts });
  }

  /**
   * Puts its offset behind the arguments of an event that is kept for those who come back.
   *
   * @param {Packet} packet
   * @param {Target} opts
   * @param {string | undefined} offset
   * @private
   */
  mark(packet, { flags }, offset) {
    const isKept =
      this._streams.stream.kept !== undefined &&
      offset !== undefined &&
      packet.type === PacketType.EVENT &&
      !hasId(packet) &&
      !flags?.volatile;
    if (isKept) packet.data.push(offset);
  }

  /**
   * @param {Target} opts
   * @param {Room[]} rooms
   */
  addSockets(opts, rooms) {
    if (this.isLocal(opts)) super.addSockets({ ...opts, flags: { local: true } }, rooms);
    else
      this.write(this._streams.moveEntry("join", opts, rooms), () =>
        this.handle({ kind: "join", target: opts, rooms }),
      );
  }

  /**
   * @param {Target} opts
   * @param {Room[]} rooms
   */
  delSockets(opts, rooms) {
    if (this.isLocal(opts)) super.delSockets({ ...opts, flags: { local: true } }, rooms);
    else
      this.write(this._streams.moveEntry("leave", opts, rooms), () =>
        this.handle({ kind: "leave", target: opts, rooms }),
      );
  }

  /**
   * @param {Target} opts
   * @param {boolean} close
   */
  disconnectSockets(opts, close) {
    if (this.isLocal(opts)) super.disconnectSockets({ ...opts, flags: { local: true } }, close);
    else
      this.write(this._streams.disconnectEntry(opts, close), () =>
        this.handle({ kind: "disconnect", target: opts, close }),
      );
  }

  /**
   * An entry that Rust does not handle by itself.
   *
   * @param {import("./link").EntryRecord} entry
   * @param {Buffer} data
   */
  onentry({ id, type, uid, token, isOrdered }, data) {
    if (isOrdered) this.countHandled();
    if (this._closed) return;
    const offset = id === "" ? undefined : id;
    if (token !== 0) {
      const come = this._written.get(token);
      this._written.delete(token);
      come?.(offset);
      return;
    }
    const message = this.readOr(() => this._streams.readEntry(type, uid, data), "the stream");
    if (message === undefined) return;
    if (message.kind === "broadcast") this.mark(message.packet, message.target, offset);
    this.handle(message);
  }

  // --- who comes back ---

  /** Tells the namespace that a client can be recovered before it has got an event. */
  get recoversWithoutOffset() {
    return true;
  }

  /** @param {Member} socket */
  onconnected(socket) {
    const { pid } = socket;
    const returning = takeReturning(this._returning, socket);
    // what it joins and what it has missed are one batch
    if (returning !== undefined) this.operations.beginTogether(sizeOf(returning.session.rooms));
    super.onconnected(socket);
    if (pid === undefined || this._live.get(pid)?.socket === socket) return; // a middleware may answer twice
    if (returning !== undefined && socket.client.conn.readyState !== "open") returning.forget();
    const from = returning?.after ?? this._border?.native.streamPlace(this._cluster) ?? undefined;
    this._live.set(pid, { socket, from });
  }

  /** @param {Member} socket */
  ondisconnecting(socket) {
    const { id, pid } = socket;
    const owner = this.nsp.sockets.get(id) ?? this.nsp._preConnectSockets.get(id);
    // a middleware may answer so late that the client is back already, with this id
    if (owner === undefined || owner === socket) super.ondisconnecting(socket);
    if (pid !== undefined && this._live.get(pid)?.socket === socket) this._live.delete(pid);
    const returning = takeReturning(this._returning, socket);
    if (returning !== undefined) this.putBack(returning);
  }

  /**
   * A client that was to come back has not: it may try again.
   *
   * @param {Returning} returning
   * @private
   */
  putBack(returning) {
    returning.forget();
    const left = returning.until - Date.now();
    if (left > 0) this.keep(returning.session.pid, returning.bytes, left);
  }

  /** @param {import("../api/restored-session").State} session */
  persistSession({ sid, pid, rooms, data }) {
    const { maxDisconnectionDuration: time } =
      this.nsp.server.opts.connectionStateRecovery ?? NO_RECOVERY;
    const from = this._live.get(pid)?.from;
    try {
      this.keep(pid, packPlain({ sid, pid, nsp: this.nsp.name, rooms, data, from }), time);
    } catch (error) {
      if (!(error instanceof MsgpackError)) throw error;
      debug("the session %s can't be kept: %s", sid, error.message);
    }
  }

  /**
   * @param {string} pid
   * @param {Buffer} bytes
   * @param {number} time ms
   * @private
   */
  keep(pid, bytes, time) {
    if (this._closed || !(time >= 1)) return;
    const key = this._streams.stream.sessionPrefix + pid;
    const left = Math.min(Math.ceil(time), LONGEST);
    this.operations.keepSession(this._cluster, key, left, bytes.toString("base64"));
  }

  /**
   * @param {string} pid
   * @param {string} [offset] that of the last event that the client has got, if it has got one
   * @param {Client} [client] that comes back
   * @returns {Promise<any>} the session with what it has missed; null when it can't be recovered
   */
  async restoreSession(pid, offset, client) {
    if (this._closed || pid.length > LONGEST_PID) return null;
    this.sweep();
    const known = this._live.get(pid)?.socket ?? this._returning.get(pid)?.session.socket;
    const before = /** @type {Member | undefined} */ (known)?.client;
    if (before !== undefined && before !== client) supersede(before);
    if (this._live.has(pid) || this._returning.has(pid)) return null;
    const found = await this.seek(pid, offset, client);
    if (found === undefined) return null;
    const { number, left, after, bytes } = found;
    const forget = () => this.native.forgetReturning(this._cluster, number);
    const state = this.readOr(() => readSession(unpack(bytes), pid, this.nsp.name), "a session");
    // a socket with that id is connected: a second one would replace it
    if (state === undefined || this.nsp.sockets.has(state.sid) || this._closed) {
      forget();
      return null;
    }
    const session = new RestoredSession(state, this.missed(number), this.nsp.server._parser);
    const until = Date.now() + left;
    /** @type {Returning} */
    const returning = { session, client, bytes, after, until, forget };
    if (client !== undefined && client.conn.readyState !== "open") {
      this.putBack(returning);
      return null;
    }
    this._returning.set(pid, returning);
    return session;
  }

  /**
   * Asks Redis who it is that wants to come back. That takes a while when it is away, so what a client can have asked is bounded.
   *
   * @param {string} pid
   * @param {string | undefined} offset
   * @param {Client | undefined} client
   * @returns {Promise<import("./link").Found | undefined>}
   * @private
   */
  async seek(pid, offset, client) {
    /** @type {Set<StreamsAdapter>} */
    const adapters = (client && asking.get(client)) ?? new Set();
    if (adapters.has(this) || adapters.size >= MOST_ASKED) return undefined;
    let asked = this._asked.get(pid);
    if (asked === undefined) asked = this.askWho(pid, offset);
    else if (asked.offset !== offset) return undefined;
    // it has come on another connection meanwhile
    else if (asked.for?.client !== undefined) supersede(asked.for.client);
    const waiting = { client };
    asked.for = waiting;
    if (client !== undefined) asking.set(client, adapters.add(this));
    try {
      const found = await asked.found;
      return asked.for === waiting ? found : undefined;
    } finally {
      adapters.delete(this);
    }
  }

  /**
   * @param {string} pid
   * @param {string | undefined} offset
   * @returns {Asked}
   * @private
   */
  askWho(pid, offset) {
    this.operations.flush(); // its session may be in it
    const found = this.redis.restore(this._cluster, pid, offset, this.requestsTimeout);
    /** @type {Asked} */
    const asked = { offset, found, for: undefined };
    this._asked.set(pid, asked);
    void found.then(() => this._asked.delete(pid));
    return asked;
  }

  /**
   * A session has been found for which nobody waits any more: its client may try again.
   *
   * @param {import("./link").Found} found
   */
  onlate({ number, left, bytes }) {
    this.native.forgetReturning(this._cluster, number);
    const pid = this.readOr(() => text(object(unpack(bytes)).pid), "a session");
    if (pid !== undefined && left > 0) this.keep(pid, bytes, left);
  }

  /** A session whose socket could not be made is not reported by anybody. @private */
  sweep() {
    for (const [pid, returning] of this._returning) {
      if (returning.session.socket !== undefined || returning.client?.conn.readyState === "open")
        continue;
      this._returning.delete(pid);
      this.putBack(returning);
    }
  }

  /**
   * @param {number} number by which the client is known in Rust
   * @returns {import("../api/restored-session").Missed}
   * @private
   */
  missed(number) {
    const border = /** @type {Border} */ (this._border);
    const { server, name } = this.nsp;
    return {
      isShown: () => border.observers > 0 || server._foreignParser,
      replay: (conn) => border.operations.letIn(conn, this._cluster, number, this._handled),
      take: () => {
        border.operations.flush(); // what it has joined
        const missed = border.native.takeReturning(this._cluster, number, this._handled);
        if (missed === null || !server._foreignParser) return missed;
        return missed.map((messages) => {
          const data = decode(parser, messages);
          return server.encoder.encode({ type: PacketType.EVENT, nsp: name, data });
        });
      },
    };
  }

  /** @private */
  get native() {
    return /** @type {Border} */ (this._border).native;
  }

  /** @private */
  get operations() {
    return /** @type {Border} */ (this._border).operations;
  }
}

/**
 * @param {unknown} value
 * @param {string} ofPid
 * @param {string} ofNsp its name; a session of another one would pass the middlewares of this one. The official adapter stores none
 * @returns {import("../api/restored-session").State}
 */
function readSession(value, ofPid, ofNsp) {
  const { sid, pid, nsp, rooms, data } = object(value);
  if (text(pid) !== ofPid || (nsp !== undefined && nsp !== ofNsp)) throw new Malformed();
  return { sid: text(sid), pid: ofPid, rooms: readRooms(rooms), data };
}

/** @param {Packet} packet @returns {boolean} whether it awaits an answer */
function hasId({ id }) {
  return id !== undefined && id !== null;
}

/**
 * @param {Room} name
 * @returns {boolean} whether Rust knows what room that is
 */
function isName(name) {
  return typeof name === "string" || Number.isFinite(name);
}

/**
 * @param {Room[]} rooms
 * @returns {number} how many bytes it takes at most to have a socket join them
 */
function sizeOf(rooms) {
  let size = 4 * JOIN_ROOM;
  for (const name of rooms) size += JOIN_ROOM + 3 * String(name).length;
  return size;
}

module.exports = { StreamsAdapter };
