"use strict";

const debug = require("debug")("socket.io-redis");
const { flagsOf, NativeAdapter } = require("../api");
const { rejectUnhandled } = require("../base/errors");
const { generateId } = require("../base/ids");
const { nextTick } = require("../base/loop");
const { NAMESPACE_RESERVED_EVENTS, PacketType } = require("../codec");
const { Malformed, plain } = require("./messages");
const { MsgpackError } = require("./msgpack");
const { reasonAgainst } = require("./reasons");
const { Requests } = require("./requests");

/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("./link").Link} Link */
/** @typedef {import("./messages").Bytes} Bytes */
/** @typedef {import("./messages").Details} Details */
/** @typedef {import("./messages").Dialect} Dialect */
/** @typedef {import("./messages").Message} Message */
/** @typedef {import("./messages").Missing} Missing */
/** @typedef {import("./messages").Target} Target */

/** @typedef {(error: Error | null, values: unknown[]) => void} Answered */

/** A broadcast of this server that awaits answers of clients of all. @typedef {{ counted: (count: number) => void, ack: (...args: unknown[]) => void }} Asking */

/**
 * What is asked of a namespace.
 *
 * @typedef {import("../api/adapter").Home & {
 *   _onServerSideEmit(args: unknown[]): void,
 *   listenerCount(name: string): number,
 *   server: {
 *     _foreignParser: boolean,
 *     _parser: import("../api/restored-session").Parser,
 *     opts: { connectionStateRecovery?: import("../api/recovery-adapter").RecoveryOptions },
 *   },
 *   _preConnectSockets: Map<string, import("../api/adapter").Member>,
 * }} Home
 */

/** What a cluster of a server is made with. @typedef {{ key: string, requestsTimeout: number }} Settings */

const NO_ROOMS =
  "allRooms() is not there in sharded mode, or by streams: servers can't be asked for their rooms";

const NOT_DIRECT = -1;
const COUNTS = 2 ** 32;

/** @type {number[]} */
const NOBODY = [];

/**
 * The adapter of servers that are one by Redis. What this one broadcasts is published as the official adapter does, but put into its form
 * in Rust; what others broadcast goes from Redis's thread to the workers, so JavaScript does nothing for it, as long as nothing stands
 * against that (reasons.js). Requests to other servers, and their answers, are read and written here.
 *
 * A broadcast must not overtake a request that came before it: one that has clients join a room, say. So Rust gives up sending by
 * itself (it is "indirect") at each such message, and at each broadcast that it can't send; it begins again when it is told that all of
 * them have been handled here.
 */
class RedisAdapter extends NativeAdapter {
  /**
   * @param {Home} nsp
   * @param {Border} border
   * @param {Link} link
   * @param {Dialect} dialect
   * @param {Settings} settings
   */
  constructor(nsp, border, link, dialect, { key, requestsTimeout }) {
    super(nsp);
    /** the connection to Redis */
    this.redis = link;
    /** this server's name in the cluster */
    this.uid = dialect.uid;
    /** @type {number} ms that answers of other servers are awaited */
    this.requestsTimeout = requestsTimeout;
    /** @protected */
    this._dialect = dialect;
    /** @private */
    this._requests = new Requests();
    /** @private @type {Map<string, Asking>} by the ids of their requests */
    this._asking = new Map();
    /** @protected how many messages have been handled before which broadcasts must not go */
    this._handled = 0;
    /** @private how many there were when Rust was last told to send by itself, unless it has ended that */
    this._directAt = NOT_DIRECT;
    /** @protected */
    this._closed = false;
    /** @private whether the namespace has another adapter now: then this one closes when its last socket has gone */
    this._replaced = false;
    const { mode, patterns, channels, requestChannel } = dialect;
    this._border = border;
    this._cluster = link.openCluster({
      nsp: nsp.name,
      uid: this.uid,
      key,
      mode,
      requestChannel,
      patterns,
      channels,
      stream: dialect.stream,
    });
    link.attach(this._cluster, this);
    border.watchers.add(this);
    this.settle();
  }

  /**
   * Leaves the cluster.
   *
   * @returns {Promise<void>}
   */
  async close() {
    if (this._closed) return;
    this._closed = true;
    this._border?.watchers.delete(this);
    this._requests.end();
    this._asking.clear();
    await this.redis.detach(this._cluster);
  }

  /** The program has given the namespace another adapter; sockets that were there before stay in this one. */
  onreplaced() {
    this._replaced = true;
    if (this.sids.size === 0) void this.close();
  }

  // --- who sends what others broadcast ---

  /** What stands against it may have changed. */
  onwatched() {
    this.settle();
  }

  /** Lets Rust send what other servers broadcast, if nothing is against it. */
  settle() {
    if (this._closed) return;
    const { operations } = /** @type {Border} */ (this._border);
    if (reasonAgainst(this) !== undefined) {
      if (this._directAt === NOT_DIRECT) return;
      this._directAt = NOT_DIRECT;
      operations.indirect(this._cluster);
    } else if (this._directAt !== this._handled) {
      this._directAt = this._handled;
      operations.direct(this._cluster, this._handled);
    }
  }

  /** @returns {string | undefined} why JavaScript is shown what other servers broadcast; undefined: it is not */
  get indirectReason() {
    return reasonAgainst(this);
  }

  /**
   * @param {string} id
   * @param {Set<Room>} rooms
   */
  addAll(id, rooms) {
    const before = this.oneByOne;
    super.addAll(id, rooms);
    if (this.oneByOne !== before) this.settle();
  }

  // --- the channels of rooms ---

  /**
   * @param {Room} name
   * @param {number} room
   * @protected
   */
  nameRoom(name, room) {
    super.nameRoom(name, room);
    const isPublic = !this.sids.has(name);
    if (isPublic) this.subscribe(this._dialect.channelOfRoom(name));
  }

  /**
   * @param {Room} name
   * @protected
   */
  unnameRoom(name) {
    super.unnameRoom(name);
    const isPublic = !this.sids.has(name);
    if (isPublic) this.unsubscribe(this._dialect.channelOfRoom(name));
  }

  /** @param {import("../api/adapter").Member} socket */
  onconnected(socket) {
    this.subscribe(this._dialect.channelOfSocket(socket.id));
    super.onconnected(socket);
  }

  /** @param {import("../api/adapter").Member} socket */
  ondisconnecting(socket) {
    super.ondisconnecting(socket);
    // others may be in its room; then that goes as any other does
    if (!this._rooms.has(socket.id)) this.unsubscribe(this._dialect.channelOfSocket(socket.id));
    if (this._replaced && this.sids.size === 0) void this.close();
  }

  /**
   * @param {string | undefined} channel
   * @private
   */
  subscribe(channel) {
    if (channel === undefined || this._closed) return;
    this._border?.operations.subscribe(this._cluster, channel);
  }

  /**
   * @param {string | undefined} channel
   * @private
   */
  unsubscribe(channel) {
    if (channel === undefined || this._closed) return;
    this._border?.operations.unsubscribe(this._cluster, channel);
  }

  // --- events ---

  /**
   * @param {Packet} packet
   * @param {Target} opts
   */
  broadcast(packet, opts) {
    if (opts.flags?.local || this._closed) {
      super.broadcast(packet, opts);
      return;
    }
    const channel = this._dialect.channelFor(opts.rooms);
    if (this.nsp.server._foreignParser || packet.type !== PacketType.EVENT || hasId(packet)) {
      packet.nsp = this.nsp.name;
      this.publish(channel, this._dialect.broadcast(packet, opts));
      super.broadcast(packet, opts);
      return;
    }
    const encoded = this.encode(packet);
    const oneByOne = this.oneByOne;
    const isApart = oneByOne || this.isShown;
    const to = isApart ? NOBODY : this.receivers(opts);
    const except = isApart ? NOBODY : this.excepted(opts);
    const flags = flagsOf(opts.flags);
    const { operations } = /** @type {Border} */ (this._border);
    const options = JSON.stringify({ ...plain(opts), flags: opts.flags });
    operations.broadcastCluster(this._cluster, channel, options, flags, to, except, encoded);
    if (oneByOne) super.broadcast(packet, opts);
    else if (isApart) this.deliver(packet, encoded, opts);
  }

  /**
   * @param {Packet} packet
   * @param {Target} opts
   * @param {(count: number) => void} counted
   * @param {(...args: unknown[]) => void} ack
   */
  broadcastWithAck(packet, opts, counted, ack) {
    if (!opts.flags?.local && !this._closed) {
      packet.nsp = this.nsp.name;
      const id = generateId();
      this._asking.set(id, { counted, ack });
      this.request(this._dialect.ask(id, packet, opts));
      // it is not known here when all have answered
      setTimeout(() => this._asking.delete(id), opts.flags?.timeout).unref();
    }
    super.broadcastWithAck(packet, opts, counted, ack);
  }

  // --- requests ---

  /** @returns {Promise<number>} how many servers there are, at least 1 */
  serverCount() {
    const { counted, mode } = this._dialect;
    return this.redis.count(counted, mode === "sharded", this.requestsTimeout);
  }

  /**
   * @param {Target} opts
   * @param {Room[]} rooms
   */
  addSockets(opts, rooms) {
    if (!opts.flags?.local) this.request(this._dialect.move("join", opts, rooms));
    super.addSockets(opts, rooms);
  }

  /**
   * @param {Target} opts
   * @param {Room[]} rooms
   */
  delSockets(opts, rooms) {
    if (!opts.flags?.local) this.request(this._dialect.move("leave", opts, rooms));
    super.delSockets(opts, rooms);
  }

  /**
   * @param {Target} opts
   * @param {boolean} close
   */
  disconnectSockets(opts, close) {
    if (!opts.flags?.local) this.request(this._dialect.disconnect(opts, close));
    super.disconnectSockets(opts, close);
  }

  /**
   * @param {Target} opts
   * @returns {Promise<any[]>} sockets of this server, and details of those of others
   */
  async fetchSockets(opts) {
    const local = await super.fetchSockets(opts);
    if (opts.flags?.local) return local;
    const timeout = (this._dialect.perRequest && opts.flags?.timeout) || undefined;
    const others = await this.ask("sockets", (id) => this._dialect.fetch(id, opts), timeout);
    return [...local, ...others];
  }

  /** @returns {Promise<Set<Room>>} the rooms of all servers */
  async allRooms() {
    const { rooms } = this._dialect;
    if (rooms === undefined) throw new Error(NO_ROOMS);
    const local = [...this.rooms.keys()];
    const others = await this.ask("rooms", rooms.bind(this._dialect));
    return new Set([...local, .../** @type {Room[]} */ (others)]);
  }

  /** @param {unknown[]} data the name of the event and its arguments; a last function gets (error, responses) */
  serverSideEmit(data) {
    const last = data[data.length - 1];
    if (typeof last !== "function") {
      this.request(this._dialect.emit(undefined, data));
      return;
    }
    data.pop();
    const answered = /** @type {Answered} */ (last);
    this.ask("emit", (id) => this._dialect.emit(id, data)).then(
      (values) => nextTick(answered, null, values),
      (error) => nextTick(answered, error, error.responses ?? []),
    );
  }

  /**
   * Asks the other servers, and waits for the answer of each.
   *
   * @param {Missing["what"]} what
   * @param {(id: string) => Bytes} write
   * @param {number} [timeout] ms
   * @returns {Promise<unknown[]>} rejected with an error that has the `responses` so far
   * @private
   */
  async ask(what, write, timeout = this.requestsTimeout) {
    const expected = (await this.serverCount()) - 1;
    if (debug.enabled) debug("%s: waiting for %d servers", what, expected);
    if (expected <= 0 || this._closed) return [];
    return new Promise((resolve, reject) => {
      const id = generateId();
      const request = write(id);
      const late = (/** @type {Missing} */ missing, /** @type {unknown[]} */ responses) =>
        reject(Object.assign(new Error(this._dialect.timedOut(missing)), { responses }));
      this._requests.add(id, { what, expected, done: resolve, late }, timeout);
      this.request(request);
    });
  }

  /**
   * @param {Bytes} bytes
   * @private
   */
  request(bytes) {
    this.publish(this._dialect.requestChannel, bytes);
  }

  /**
   * @param {string} asker
   * @param {Bytes} bytes
   * @private
   */
  respond(asker, bytes) {
    this.publish(this._dialect.responseChannel(asker), bytes);
  }

  /**
   * @param {string} channel
   * @param {Bytes} bytes
   * @private
   */
  publish(channel, bytes) {
    if (!this._closed) this._border?.operations.publish(this._cluster, channel, bytes);
  }

  // --- what others say ---

  /**
   * @param {string} channel
   * @param {Buffer} bytes
   * @param {boolean} isOrdered
   */
  onmessage(channel, bytes, isOrdered) {
    if (isOrdered) this.countHandled();
    if (this._closed) return;
    const message = this.readOr(() => this._dialect.read(bytes, channel), channel);
    if (message !== undefined) this.handle(message);
  }

  /**
   * A message is handled before which broadcasts must not go.
   *
   * @protected
   */
  countHandled() {
    this._handled = (this._handled + 1) % COUNTS;
    this._directAt = NOT_DIRECT;
  }

  /**
   * @template T
   * @param {() => T} read
   * @param {string} from where it has come from
   * @returns {T | undefined} nothing if it was none, which is counted
   * @protected
   */
  readOr(read, from) {
    try {
      return read();
    } catch (error) {
      const isTheirs =
        error instanceof Malformed || error instanceof MsgpackError || error instanceof SyntaxError;
      if (!isTheirs) throw error;
      debug("malformed message on %s", from);
      this.redis.countMalformed();
      return undefined;
    }
  }

  /**
   * @param {Message} message
   * @protected
   */
  handle(message) {
    switch (message.kind) {
      case "broadcast":
        if (this.concerns(message.target)) super.broadcast(message.packet, message.target);
        break;
      case "ask":
        this.onask(message);
        break;
      case "join":
        super.addSockets(message.target, message.rooms);
        break;
      case "leave":
        super.delSockets(message.target, message.rooms);
        break;
      case "disconnect":
        super.disconnectSockets(message.target, message.close);
        break;
      case "moveOne":
        this.onmoveone(message);
        break;
      case "fetch":
        this.onfetch(message).catch(rejectUnhandled);
        break;
      case "emit":
        this.onemit(message);
        break;
      case "ids":
      case "rooms":
        this.onnames(message).catch(rejectUnhandled);
        break;
      case "clients":
        this._asking.get(message.id)?.counted(message.count);
        break;
      case "ack":
        this._asking.get(message.id)?.ack(message.value);
        break;
      case "answer":
        this._requests.answer(message.id, message.to, message.values);
        break;
    }
  }

  /**
   * @param {Target} target
   * @returns {boolean} whether somebody may be in one of its rooms
   * @private
   */
  concerns({ rooms }) {
    if (rooms.size === 0) return true;
    for (const name of rooms) if (this._rooms.has(name)) return true;
    return false;
  }

  /**
   * @param {import("./messages").Ask} message
   * @private
   */
  onask({ id, from, packet, target }) {
    super.broadcastWithAck(
      packet,
      target,
      (count) => this.respond(from, this._dialect.clients(id, count)),
      (value) => this.respond(from, this._dialect.ack(id, value)),
    );
  }

  /**
   * @param {import("./messages").MoveOne} message
   * @private
   */
  onmoveone({ id, from, sid, how, room, close }) {
    const socket = /** @type {Movable | undefined} */ (
      /** @type {unknown} */ (this.nsp.sockets.get(sid))
    );
    if (socket === undefined) return;
    if (how === "disconnect") socket.disconnect(close);
    else socket[how](room);
    if (this._dialect.done !== undefined) this.respond(from, this._dialect.done(id));
  }

  /**
   * @param {import("./messages").Fetch} message
   * @private
   */
  async onfetch({ id, from, target }) {
    const sockets = await super.fetchSockets(target);
    this.respond(from, this._dialect.sockets(id, sockets.map(detailsOf)));
  }

  /**
   * @param {import("./messages").ServerSideEmit} message
   * @private
   */
  onemit({ id, from, data }) {
    const nsp = /** @type {Home} */ (/** @type {unknown} */ (this.nsp));
    const name = /** @type {string} */ (data[0]);
    // no server emits these, and they would mean something else here
    const isMeant = typeof name === "string" && !NAMESPACE_RESERVED_EVENTS.has(name);
    if (!isMeant || (name === "error" && nsp.listenerCount(name) === 0)) {
      this.redis.countMalformed();
      return;
    }
    let answered = id === undefined;
    const answer = (/** @type {unknown} */ value) => {
      if (answered) return;
      answered = true;
      this.respond(from, this._dialect.answer(/** @type {string} */ (id), value));
    };
    try {
      nsp._onServerSideEmit(id === undefined ? data : [...data, answer]);
    } catch (error) {
      rejectUnhandled(error);
    }
  }

  /**
   * @param {import("./messages").Ids | import("./messages").Rooms} message
   * @private
   */
  async onnames(message) {
    const { id, from, kind } = message;
    const names =
      kind === "ids" ? await super.sockets(new Set(message.rooms)) : [...this.rooms.keys()];
    if (this._dialect.names !== undefined) this.respond(from, this._dialect.names(id, names, kind));
  }
}

/** What is asked of a socket. @typedef {{ join(room: Room): unknown, leave(room: Room): unknown, disconnect(close: boolean): unknown }} Movable */

/** @param {Packet} packet @returns {boolean} whether it awaits an answer */
function hasId({ id }) {
  return id !== undefined && id !== null;
}

/**
 * @param {any} socket
 * @returns {Details} what other servers are told of it
 */
function detailsOf({ id, handshake: { sessionStore: _store, ...handshake }, rooms, data }) {
  return { id, handshake, rooms: [...rooms], data }; // a store may have circles
}

module.exports = { RedisAdapter };
