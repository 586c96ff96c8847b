"use strict";

const { EventEmitter } = require("node:events");
const debug = require("debug")("socket.io:socket");
const { flagsOf } = require("./adapter");
const { answerOnce, awaitAnswer, failAnswers, takeAnswer } = require("./acks");
const { addMethods, MESSAGES, TARGETS } = require("./chain");
const { reservedEvent } = require("../base/errors");
const { buildHandshake } = require("./handshake");
const { generateId } = require("../base/ids");
const { nextTick } = require("../base/loop");
const { runMiddlewares } = require("./middlewares");
const { listenFirst } = require("../node");
const { BroadcastOperator } = require("./operator");
const { PacketType, RESERVED_EVENTS } = require("../codec");
const { RestoredSession } = require("./restored-session");
const { carriedState, isRecoverable, persist } = require("./socket-state");
const { trace } = require("../base/trace");

/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {import("./operator").Flags} Flags */

/** A function that a program has given, which is called with what a client has sent. @typedef {(...args: unknown[]) => void} Listener */

/**
 * What is asked of a client.
 *
 * @typedef {import("./restored-session").Receiver & ClientParts & Holder} Client
 *
 * @typedef {object} ClientParts
 * @property {string} id
 * @property {unknown} request
 * @property {{ reason: string, description: unknown } | undefined} _end why it is closed
 * @property {(type: number, nsp: string, id: number | undefined, data: unknown, flags: number) => void} send
 * @property {(packet: Packet, opts?: Flags) => void} _packet
 * @property {() => void} _disconnect
 */

/**
 * What is asked of a namespace.
 *
 * @typedef {import("./adapter").Home & NamespaceParts & Holder} Namespace
 *
 * @typedef {object} NamespaceParts
 * @property {import("./adapter").SomeAdapter} adapter
 * @property {import("./namespace-counts").NamespaceCounts} _counts
 * @property {{ _opts: { connectionStateRecovery?: unknown }, _owed: { count: number } }} server
 * @property {(change: 1 | -1) => void} _countOutgoing
 * @property {(change: 1 | -1) => void} _countForeign
 */

/** Who is told that a socket has ended. @typedef {{ _remove(socket: Socket): void }} Holder */

/** A state to recover, as adapters give it. @typedef {import("./restored-session").State & { missedPackets: unknown[] }} Session */

/**
 * One client in one namespace.
 *
 *     middlewares ──accepted──► connected ──► disconnected
 *          └──refused, or the client goes──────────▲
 *
 * Emits the client's events, and "disconnecting" (reason, description), "disconnect" (reason, description), "error".
 */
class Socket extends EventEmitter {
  /**
   * @param {Namespace} nsp
   * @param {Client} client
   * @param {unknown} auth what the client sent along
   * @param {Session} [session] the state to recover
   */
  constructor(nsp, client, auth, session) {
    super();
    listenFirst(this, "error", noop); // a client may send an event of that name
    this.nsp = nsp;
    this.client = client;
    this.server = nsp.server;
    this.adapter = nsp.adapter;
    /** @type {string} */
    this.id = session
      ? session.sid
      : client.conn.protocol === 3
        ? oldId(nsp, client)
        : generateId();
    this.connected = false;
    this.recovered = false;
    // made at first use, see the accessors below
    /** @type {unknown} */
    this._data = undefined;
    /** @type {Map<number, Function> | undefined} */
    this._acks = undefined;
    /** @type {Function[] | undefined} @protected */
    this._fns = undefined;
    /** @type {Flags | undefined} @protected */
    this._flags = undefined;
    /** @type {import("./handshake").Handshake | undefined} */
    this._handshake = undefined;
    this._auth = auth;
    this._issued = Date.now();
    /** @type {Function[] | undefined} @private */
    this._anyListeners = undefined;
    /** @type {Function[] | undefined} @private */
    this._anyOutgoingListeners = undefined;
    /** @private whether the namespace counts this socket among those with listeners for outgoing packets */
    this._counted = false;
    /** @type {RestoredSession | undefined} @private what it comes back from, until it is connected */
    this._restored = undefined;
    if (session) this.recover(session);
    else if (this.server._opts.connectionStateRecovery) this.pid = generateId();
  }

  /**
   * @param {Session} session
   * @private
   */
  recover(session) {
    this.pid = session.pid;
    for (const room of session.rooms) this.join(room);
    this._data = session.data;
    if (session instanceof RestoredSession) {
      session.socket = this;
      this._restored = session;
    } else for (const data of session.missedPackets) this.packet({ type: PacketType.EVENT, data });
    this.recovered = true;
  }

  // --- what is made at first use; all of it can be replaced ---

  /** Anything that the program wants to keep with the socket. */
  get data() {
    return (this._data ??= {});
  }

  set data(data) {
    this._data = data;
  }

  /** Callbacks of acknowledgements to come, by packet id. */
  get acks() {
    return (this._acks ??= new Map());
  }

  set acks(acks) {
    this._acks = acks;
  }

  /** Middlewares for incoming events. */
  get fns() {
    return (this._fns ??= []);
  }

  set fns(fns) {
    this._fns = fns;
  }

  /**
   * Flags of the next emission.
   *
   * @returns {Flags}
   */
  get flags() {
    return (this._flags ??= {});
  }

  /** @param {Flags | undefined} flags undefined: none */
  set flags(flags) {
    this._flags = flags;
  }

  /** @returns {import("./handshake").Handshake} */
  get handshake() {
    return (this._handshake ??= buildHandshake(this.client.conn, this._auth, this._issued));
  }

  set handshake(handshake) {
    this._handshake = handshake;
  }

  // --- sending ---

  /**
   * Emits an event to the client.
   *
   * @param {unknown[]} data the name and the arguments; a last function is called with the client's answer
   * @returns {boolean} true
   */
  emit(...data) {
    if (data.length === 0) data.push(undefined);
    if (RESERVED_EVENTS.has(/** @type {string} */ (data[0]))) throw reservedEvent(data[0]);
    /** @type {number | undefined} */
    let id;
    if (typeof data[data.length - 1] === "function") {
      id = this.nsp._ids++;
      if (trace.socket) debug("emitting packet with ack id %d", id);
      this.registerAckCallback(id, /** @type {Function} */ (data.pop()));
    }
    const flags = this._flags;
    this._flags = undefined;
    this.nsp._counts.emitted++;
    if (this.server._opts.connectionStateRecovery) {
      this.emitRecoverably(data, id, flags);
      return true;
    }
    const outgoing = this._anyOutgoingListeners;
    if (outgoing !== undefined && outgoing.length > 0)
      this.notifyOutgoingListeners({ type: PacketType.EVENT, data, id });
    this.client.send(
      PacketType.EVENT,
      this.nsp.name,
      id,
      data,
      flags === undefined ? 0 : flagsOf(flags),
    );
    return true;
  }

  /**
   * Lets the adapter store the packet, so that it can be sent again after a reconnection.
   *
   * @param {unknown[]} data
   * @param {number | undefined} id
   * @param {Flags | undefined} flags
   * @private
   */
  emitRecoverably(data, id, flags) {
    /** @type {Packet} */
    const packet = { type: PacketType.EVENT, data };
    if (id !== undefined) packet.id = id;
    this.adapter.broadcast(packet, {
      rooms: new Set([this.id]),
      except: new Set(),
      flags: { ...flags },
    });
  }

  /**
   * Emits, and gives a promise of the client's answer.
   *
   * @param {unknown[]} data
   * @returns {Promise<unknown>}
   */
  emitWithAck(...data) {
    const withError = this._flags?.timeout !== undefined;
    return new Promise((resolve, reject) => {
      data.push((/** @type {unknown} */ first, /** @type {unknown} */ second) => {
        if (!withError) resolve(first);
        else if (first) reject(first);
        else resolve(second);
      });
      this.emit(...data);
    });
  }

  /**
   * @param {number} id
   * @param {Function} ack
   * @private
   */
  registerAckCallback(id, ack) {
    awaitAnswer(this, id, ack, this._flags?.timeout);
  }

  // to(), in(), except(), local, json, binary(), send() and write() come from chain.js

  /**
   * Sends a packet.
   *
   * @param {Packet} packet
   * @param {Flags} [opts] volatile, compress
   */
  packet(packet, opts) {
    packet.nsp = this.nsp.name;
    this.client._packet(packet, opts);
  }

  // --- rooms ---

  /**
   * Joins rooms, at once.
   *
   * @param {Room | Room[]} rooms a room or an array of rooms
   * @param {(error: unknown) => void} [callback] called in a later tick
   * @returns {Promise<void> | void} what the adapter gives
   */
  join(rooms, callback) {
    if (trace.any && debug.enabled) debug("join room %s", rooms);
    const joined = this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
    if (typeof callback === "function") tell(callback, joined); // rooms.forEach(socket.join, socket) gives an index
    return joined;
  }

  /**
   * Leaves a room, at once.
   *
   * @param {Room} room
   * @param {(error: unknown) => void} [callback] called in a later tick
   * @returns {Promise<void> | void} what the adapter gives
   */
  leave(room, callback) {
    if (debug.enabled) debug("leave room %s", room);
    const left = this.adapter.del(this.id, room);
    if (typeof callback === "function") tell(callback, left);
    return left;
  }

  /** Leaves all rooms. */
  leaveAll() {
    this.adapter.delAll(this.id);
  }

  // --- the life of the socket ---

  /**
   * Called once the namespace has let the socket in.
   *
   * @param {boolean} [isKnown] whether the client knows already
   */
  _onconnect(isKnown = false) {
    if (trace.any && debug.enabled) debug("socket connected - writing packet");
    if (!this.connected && !this.client._native) this.nsp._countForeign(1); // a middleware may answer twice
    this.connected = true;
    // what a listener of the adapter broadcasts at the next join is for the rooms, too, that a middleware has had it join
    if (this._restored === undefined) this.adapter.mirror?.(this);
    this.join(this.id);
    this.adapter.onconnected?.(this);
    const { client, nsp } = this;
    if (this._restored !== undefined) {
      // not earlier: a client that is refused gets none of it, and what is sent while middlewares run is part of it
      this._restored.sendMissed(client);
      this._restored = undefined;
    }
    if (isKnown) return;
    if (client.conn.greeted && nsp.name === "/")
      client.conn.greeted = false; // the handshake has said so
    else client.send(PacketType.CONNECT, nsp.name, undefined, this.connectData(), 0);
  }

  /**
   * @returns {{ sid: string, pid: string | undefined } | undefined} what the client is told of its socket; with protocol 3 it knows the id already
   * @private
   */
  connectData() {
    if (this.client.conn.protocol === 3) return undefined;
    return { sid: this.id, pid: this.pid };
  }

  /**
   * Called with each packet, in a tick of its own.
   *
   * @param {Packet} packet
   */
  _onpacket(packet) {
    if (trace.socket) debug("got packet %j", packet);
    switch (packet.type) {
      case PacketType.EVENT:
      case PacketType.BINARY_EVENT: // of a parser that keeps the difference
        this.nsp._counts.received++;
        this.onevent(packet);
        break;
      case PacketType.ACK:
      case PacketType.BINARY_ACK:
        this.onack(packet);
        break;
      case PacketType.DISCONNECT:
        this.ondisconnect();
        break;
    }
  }

  /**
   * Called with each event packet; libraries replace it.
   *
   * @param {Packet} packet
   */
  onevent(packet) {
    const args = packet.data || [];
    const tracing = trace.socket;
    if (tracing) debug("emitting event %j", args);
    if (packet.id !== undefined && packet.id !== null) {
      if (tracing) debug("attaching ack callback to event");
      args.push(this.ack(packet.id));
    }
    const listeners = this._anyListeners;
    if (listeners !== undefined && listeners.length > 0)
      for (const listener of listeners.slice()) listener.apply(this, args);
    this.dispatch(args);
  }

  /**
   * Makes the function with which a handler answers an event.
   *
   * @param {number} id
   * @returns {Listener} only its first call counts
   */
  ack(id) {
    return answerOnce(this, id);
  }

  /**
   * @param {Packet} packet
   * @private
   */
  onack(packet) {
    takeAnswer(this, /** @type {number} */ (packet.id), packet.data);
  }

  /** @private */
  ondisconnect() {
    debug("got disconnect packet");
    this._onclose("client namespace disconnect");
  }

  /** @param {Error} error */
  _onerror(error) {
    this.emitReserved("error", error);
  }

  /**
   * Called when the socket is disconnected, whoever wanted it.
   *
   * @param {string} reason
   * @param {unknown} [description]
   */
  _onclose(reason, description) {
    if (!this.connected) return;
    if (trace.any && debug.enabled) debug("closing socket - reason %s", reason);
    try {
      this.emitReserved("disconnecting", reason, description);
      if (isRecoverable(reason)) persist(this);
    } finally {
      // even if a handler throws
      this._cleanup();
      this.client._remove(this);
      if (this.connected) this.nsp._counts.countLeft(reason); // else a handler has disconnected it meanwhile
      this.connected = false;
    }
    this.emitReserved("disconnect", reason, description);
  }

  // --- from one process to another ---

  /** @returns {import("./handover-tuples").SocketState} what another process needs to know of it */
  _carry() {
    return carriedState(this);
  }

  /** @param {import("./handover-tuples").SocketState} state it had in the other process */
  _goOn({ issued, handshake }) {
    this._issued = issued;
    this._handshake = /** @type {import("./handshake").Handshake | undefined} */ (handshake);
  }

  /** It is another process's now. */
  _ongone() {
    if (this.connected) this.nsp._counts.countLeft("handed over");
    this.connected = false;
  }

  /** Nothing is to be left of it here. */
  _onhandedover() {
    this._cleanup();
    this.client._remove(this);
    failAnswers(this);
  }

  /** Ends the socket if its client has gone meanwhile: when the client told its sockets, this one was not among them yet. */
  _endWithClient() {
    const end = this.client._end;
    if (end !== undefined) this._onclose(end.reason, end.description);
  }

  /** Makes the socket leave everything. */
  _cleanup() {
    this.leaveAll();
    this.adapter.ondisconnecting?.(this);
    if (this.connected && !this.client._native) this.nsp._countForeign(-1);
    if (this._counted) {
      this._counted = false;
      this.nsp._countOutgoing(-1);
    }
    this.nsp._remove(this);
    // a middleware that answers late must not bring it back
    this.join = noop;
    this.countOutgoing = noop;
    if (this.pid === undefined) return;
    // nor act on the socket that has come back with this id
    this.leave = noop;
    this.leaveAll = noop;
  }

  /**
   * Refuses the client.
   *
   * @param {unknown} data
   */
  _error(data) {
    this.packet({ type: PacketType.CONNECT_ERROR, data });
  }

  /**
   * Disconnects the client from this namespace.
   *
   * @param {boolean} [close] whether to close the connection, and so to leave all namespaces
   * @returns {this}
   */
  disconnect(close = false) {
    if (!this.connected) return this;
    if (close) {
      this.client._disconnect();
    } else {
      this.packet({ type: PacketType.DISCONNECT });
      this._onclose("server namespace disconnect");
    }
    return this;
  }

  // --- flags of the next emission ---

  /**
   * Sets whether the next data may be compressed.
   *
   * @param {boolean} compress
   * @returns {this}
   */
  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  /** The next event may be lost when the client is not ready to receive it. */
  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  /** Everyone but this socket. */
  get broadcast() {
    return this._operator();
  }

  /**
   * Sets how long the next acknowledgement is awaited.
   *
   * @param {number} timeout ms
   * @returns {this}
   */
  timeout(timeout) {
    this.flags.timeout = timeout;
    return this;
  }

  // --- middlewares ---

  /**
   * Runs the middlewares and then the listeners.
   *
   * @param {unknown[]} event
   * @protected
   */
  dispatch(event) {
    const fns = this._fns;
    if (trace.socket) debug("dispatching an event %j", event);
    if (fns === undefined || fns.length === 0) {
      if (this.connected) super.emit.apply(this, /** @type {[string]} */ (event));
      else debug("ignore packet received after disconnection");
      return;
    }
    this.run(event, (error) => {
      nextTick(() => {
        if (error) this._onerror(/** @type {Error} */ (error));
        else if (this.connected) super.emit.apply(this, /** @type {[string]} */ (event));
        else debug("ignore packet received after disconnection");
      });
    });
  }

  /**
   * Adds a middleware for incoming events.
   *
   * @param {(event: unknown[], next: (error?: Error) => void) => void} fn
   * @returns {this}
   */
  use(fn) {
    this.fns.push(fn);
    return this;
  }

  /**
   * @param {unknown[]} event
   * @param {(error?: unknown) => void} done
   * @protected
   */
  run(event, done) {
    runMiddlewares(this.fns, event, done);
  }

  // --- what the client and the adapter know ---

  get disconnected() {
    return !this.connected;
  }

  /** The request that opened the connection. */
  get request() {
    return this.client.request;
  }

  /** The connection. */
  get conn() {
    return this.client.conn;
  }

  /**
   * The rooms that the socket is in; live, and empty when it is in none.
   *
   * @returns {Set<Room>}
   */
  get rooms() {
    return this.adapter.socketRooms(this.id) || new Set();
  }

  // --- listeners for everything that comes or goes ---

  /**
   * @param {Listener} listener called with each incoming event
   * @returns {this}
   */
  onAny(listener) {
    (this._anyListeners ??= []).push(listener);
    return this;
  }

  /**
   * @param {Listener} listener
   * @returns {this}
   */
  prependAny(listener) {
    (this._anyListeners ??= []).unshift(listener);
    return this;
  }

  /**
   * @param {Listener} [listener] none: all
   * @returns {this}
   */
  offAny(listener) {
    this._anyListeners = without(this._anyListeners, listener);
    return this;
  }

  /** @returns {Function[]} */
  listenersAny() {
    return this._anyListeners || [];
  }

  /**
   * @param {Listener} listener called with each outgoing event, broadcasts included
   * @returns {this}
   */
  onAnyOutgoing(listener) {
    (this._anyOutgoingListeners ??= []).push(listener);
    this.countOutgoing();
    return this;
  }

  /**
   * @param {Listener} listener
   * @returns {this}
   */
  prependAnyOutgoing(listener) {
    (this._anyOutgoingListeners ??= []).unshift(listener);
    this.countOutgoing();
    return this;
  }

  /**
   * @param {Listener} [listener] none: all
   * @returns {this}
   */
  offAnyOutgoing(listener) {
    this._anyOutgoingListeners = without(this._anyOutgoingListeners, listener);
    this.countOutgoing();
    return this;
  }

  /** @returns {Function[]} */
  listenersAnyOutgoing() {
    return this._anyOutgoingListeners || [];
  }

  /**
   * Lets the namespace know whether broadcasts must be shown to this socket.
   *
   * @private
   */
  countOutgoing() {
    const has = this._anyOutgoingListeners !== undefined && this._anyOutgoingListeners.length > 0;
    if (has === this._counted) return;
    this._counted = has;
    this.nsp._countOutgoing(has ? 1 : -1);
  }

  /** @param {Packet} packet */
  notifyOutgoingListeners(packet) {
    const listeners = this._anyOutgoingListeners;
    if (listeners === undefined || listeners.length === 0) return;
    for (const listener of listeners.slice()) listener.apply(this, packet.data);
  }

  /** @returns {BroadcastOperator} for everyone but this socket, with the flags so far */
  _operator() {
    const flags = { ...this._flags };
    this._flags = undefined;
    return new BroadcastOperator(this.adapter, new Set(), new Set([this.id]), flags);
  }

  // --- its own listeners ---

  /**
   * Emits to the listeners of this object.
   *
   * @param {string} name
   * @param {unknown[]} args
   * @returns {boolean}
   */
  emitReserved(name, ...args) {
    return super.emit(name, ...args);
  }

  /**
   * Emits to the listeners of this object.
   *
   * @param {string} name
   * @param {unknown[]} args
   * @returns {boolean}
   */
  emitUntyped(name, ...args) {
    return super.emit(name, ...args);
  }
}

addMethods(Socket.prototype, TARGETS, MESSAGES);

function noop() {}

/**
 * Clients of protocol 3 work out the id of their sockets by themselves.
 *
 * @param {Namespace} nsp
 * @param {Client} client
 * @returns {string} the session id, which such clients do not keep secret, behind the namespace if that is not "/"
 */
function oldId(nsp, client) {
  return nsp.name === "/" ? client.id : `${nsp.name}#${client.id}`;
}

/**
 * Calls a callback once something is done.
 *
 * @param {(error: unknown) => void} callback
 * @param {unknown} result of the adapter: a promise, or nothing
 */
function tell(callback, result) {
  // in a tick of its own, so that an error of the callback does not become a rejected promise
  Promise.resolve(result).then(
    () => nextTick(callback, null),
    (error) => nextTick(callback, error),
  );
}

/**
 * @param {Function[] | undefined} listeners
 * @param {Function} [listener]
 * @returns {Function[] | undefined} the list without the first such listener; an empty one when none is named
 */
function without(listeners, listener) {
  if (listeners === undefined) return undefined;
  if (!listener) return [];
  const index = listeners.indexOf(listener);
  if (index !== -1) listeners.splice(index, 1);
  return listeners;
}

// Under this path Socket.IO 2.x has the class itself; the other files ask for it by name.
module.exports = Socket;
module.exports.Socket = Socket;
