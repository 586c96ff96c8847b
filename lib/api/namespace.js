"use strict";

const { EventEmitter } = require("node:events");
const debug = require("debug")("socket.io:namespace");
const { assignable } = require("../base/assignable");
const { addMethods, MESSAGES, OPERATIONS, TARGETS } = require("./chain");
const { rejectUnhandled, reservedEvent } = require("../base/errors");
const { nextTick } = require("../base/loop");
const { runMiddlewares } = require("./middlewares");
const { NamespaceCounts } = require("./namespace-counts");
const { BroadcastOperator } = require("./operator");
const { NAMESPACE_RESERVED_EVENTS } = require("../codec");
const { plainView } = require("../base/plain-view");
const { trace } = require("../base/trace");

/** @typedef {import("./socket").Socket} Socket */
/** @typedef {import("./adapter").SomeAdapter} SomeAdapter */
/** @typedef {import("./operator").Flags} Flags */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {() => new (nsp: Namespace) => SomeAdapter} adapter
 * @property {Options} opts
 * @property {Options} _opts the same
 * @property {boolean} _foreignParser
 * @property {{ encode(packet: import("../codec/packet").Packet): unknown[] }} encoder
 * @property {{ count: number }} _owed
 * @property {{ Socket: new (nsp: Namespace, client: Client, auth: unknown, session?: Session) => Socket }} _parts
 *
 * @typedef {object} Options
 * @property {{ skipMiddlewares?: unknown, maxDisconnectionDuration: number, maxStoredBytes?: number }} [connectionStateRecovery]
 */

/**
 * What is asked of a client.
 *
 * @typedef {import("./socket").Client & {
 *   _closed?: boolean,
 *   _await?(socket: Socket): void,
 *   _admit?(socket: Socket): void,
 *   _decided?(socket: Socket): void,
 * }} Client
 */

/** @typedef {import("./socket").Session} Session */
/** @typedef {import("./operator").WithResponses} WithResponses */

/** @typedef {(socket: Socket, next: (error?: unknown) => void) => void} Middleware */

/** What a middleware may refuse a client with. @typedef {{ message?: unknown, data?: unknown }} Refusal */

/** What our adapter is given besides to find a session. @typedef {(pid: string, offset: unknown, client: Client) => Promise<Session> | null} Restore */

/** Names that Socket.IO 2.x listed in `Namespace.events`. */
const LISTED_EVENTS = ["connect", "connection", "newListener"];

/**
 * Sockets under one name, with middlewares and rooms of their own.
 *
 * Emits "connect" and "connection" (socket), and what other servers of a cluster emit with serverSideEmit(). Its own
 * emit() broadcasts.
 */
class Namespace extends EventEmitter {
  /**
   * @param {Server} server
   * @param {string} name
   */
  constructor(server, name) {
    super();
    /** @type {Map<string, Socket>} the connected ones by id */
    this.sockets = new Map();
    /** @type {Map<string, Socket>} those that middlewares have not let in yet */
    this._preConnectSockets = new Map();
    /** @type {Middleware[]} */
    this._fns = [];
    /** the next packet id; adapters count it up too */
    this._ids = 0;
    /** how many sockets have listeners for outgoing packets */
    this._outgoing = 0;
    /** how many connected sockets have a connection of a foreign engine */
    this._foreign = 0;
    /** @type {Flags | undefined} @private made at first use, as is the next one */
    this._flags = undefined;
    /** @type {Record<string, Socket> | undefined} @private */
    this._connected = undefined;
    this.server = server;
    this.name = name;
    /** what is counted of it; whoever makes it says with which others */
    this._counts = new NamespaceCounts();
    this.adapter = /** @type {SomeAdapter} */ (/** @type {unknown} */ (undefined));
    this._initAdapter();
  }

  /** Makes the adapter, again when the program has chosen another class. */
  _initAdapter() {
    const before = /** @type {SomeAdapter | undefined} */ (this.adapter);
    this.adapter = new (this.server.adapter())(this);
    before?.onreplaced?.();
    Promise.resolve(this.adapter.init()).catch((/** @type {unknown} */ error) => {
      debug("error while initializing adapter: %s", error);
    });
  }

  /**
   * Adds a middleware that lets sockets in or refuses them.
   *
   * @param {Middleware} fn
   * @returns {this}
   */
  use(fn) {
    this._fns.push(fn);
    return this;
  }

  /**
   * @param {Socket} socket
   * @param {(error?: unknown) => void} done
   * @private
   */
  run(socket, done) {
    runMiddlewares(this._fns, socket, done);
  }

  /**
   * Adds a client.
   *
   * @param {Client} client
   * @param {unknown} auth
   * @param {(socket: Socket) => void} [joined] called before the program hears of the socket
   */
  _add(client, auth, joined) {
    if (trace.any && debug.enabled) debug("adding socket to nsp %s", this.name);
    if (this.server.opts.connectionStateRecovery) this.addRecovering(client, auth, joined);
    else if (this._fns.length === 0) this._addNow(client, auth, joined);
    else this.addLater(client, auth, joined);
  }

  /**
   * Has middlewares run in a microtask, as upstream does: what they put off to a promise comes before "connection" then.
   *
   * @param {Client} client
   * @param {unknown} auth
   * @param {(socket: Socket) => void} [joined]
   * @private
   */
  async addLater(client, auth, joined) {
    await undefined;
    this._addNow(client, auth, joined);
  }

  /**
   * @param {Client} client
   * @param {unknown} auth
   * @param {(socket: Socket) => void} [joined]
   * @protected
   */
  _addNow(client, auth, joined) {
    try {
      const { Socket } = this.server._parts;
      this.admit(new Socket(this, client, auth), client, joined);
    } catch (error) {
      this._onthrow(error);
    }
  }

  /**
   * A middleware has thrown.
   *
   * @param {unknown} error
   */
  _onthrow(error) {
    rejectUnhandled(error);
  }

  /**
   * @param {Client} client
   * @param {unknown} auth
   * @param {(socket: Socket) => void} [joined]
   * @private
   */
  async addRecovering(client, auth, joined) {
    const session = await this.findSession(client, auth);
    const socket = new this.server._parts.Socket(this, client, auth, session);
    if (
      socket.recovered &&
      this.server.opts.connectionStateRecovery?.skipMiddlewares &&
      client.conn.readyState === "open"
    ) {
      this._doConnect(socket, joined);
    } else {
      this.admit(socket, client, joined);
    }
  }

  /**
   * @param {Client} client
   * @param {unknown} auth
   * @returns {Promise<Session | undefined>} the state to recover, if any
   * @private
   */
  async findSession(client, auth) {
    const { pid, offset } = /** @type {{ pid?: unknown, offset?: unknown }} */ (auth);
    if (typeof pid !== "string") return undefined;
    const isOurs = this.adapter.recoversWithoutOffset === true;
    if (typeof offset !== "string" && !(isOurs && offset === undefined)) return undefined;
    try {
      const session = await (isOurs
        ? /** @type {{ restoreSession: Restore }} */ (this.adapter).restoreSession(
            pid,
            offset,
            client,
          )
        : this.adapter.restoreSession(pid, /** @type {string} */ (offset)));
      if (!session) {
        this._counts.unrecovered++;
        return undefined;
      }
      this._counts.recovered++;
      if (debug.enabled) debug("connection state recovered for sid %s", session.sid);
      return session;
    } catch (error) {
      this._counts.unrecovered++;
      debug("error while restoring session: %s", error);
      return undefined;
    }
  }

  /**
   * Asks the middlewares.
   *
   * @param {Socket} socket
   * @param {Client} client
   * @param {(socket: Socket) => void} [joined]
   * @private
   */
  admit(socket, client, joined) {
    this._preConnectSockets.set(socket.id, socket);
    client._await?.(socket);
    try {
      this.run(socket, (error) => nextTick(settle, this, socket, client, joined, error));
    } finally {
      // the client had gone before the middlewares were asked: nobody else cleans up
      if (client._closed) socket._cleanup();
    }
  }

  /**
   * @param {Socket} socket
   * @param {(socket: Socket) => void} [joined]
   */
  _doConnect(socket, joined) {
    this._preConnectSockets.delete(socket.id);
    this.sockets.set(socket.id, socket);
    try {
      // before the program hears of the socket: a handler may disconnect it at once
      this.begin(socket);
      this._counts.connected++;
      if (joined) joined(socket);
      this.emitReserved("connect", socket);
      this.emitReserved("connection", socket);
    } finally {
      socket._endWithClient();
    }
  }

  /**
   * Connects a socket. If the adapter or an encoder of the program throws, it is taken back: nobody has heard of it yet.
   *
   * @param {Socket} socket
   * @param {boolean} [isKnown] whether its client knows already
   * @private
   */
  begin(socket, isKnown) {
    try {
      socket._onconnect(isKnown);
    } catch (error) {
      socket._cleanup();
      socket.connected = false;
      throw error;
    }
  }

  // --- sockets that come from another process ---

  /**
   * Asks the middlewares whether a socket may stay that comes from another process, where it was connected.
   *
   * @param {Client} client
   * @param {import("./handover-tuples").SocketState} state
   * @param {(socket: Socket | undefined) => void} done called once, with the socket; with nothing if it may not
   */
  _adopt(client, state, done) {
    const { id, pid, rooms, data } = state;
    if (this.sockets.has(id) || this._preConnectSockets.has(id)) {
      done(undefined);
      return;
    }
    const session = /** @type {Session} */ ({ sid: id, pid, rooms, data, missedPackets: [] });
    const socket = new this.server._parts.Socket(this, client, state.auth, session);
    socket._goOn(state);
    if (state.from !== undefined) this.adapter.goOnFrom?.(socket, state.from);
    this._preConnectSockets.set(id, socket);
    client._await?.(socket);
    let isAnswered = false;
    const answer = (/** @type {unknown} */ error) => {
      if (isAnswered) return;
      isAnswered = true;
      if (error) {
        this._counts.refused++;
        client._decided?.(socket);
        socket._cleanup();
      }
      done(error ? undefined : socket);
    };
    if (this.server.opts.connectionStateRecovery?.skipMiddlewares) {
      answer(undefined);
      return;
    }
    try {
      this.run(socket, (error) => nextTick(answer, error));
    } catch (error) {
      this._onthrow(error);
    }
  }

  /**
   * Such a socket stays: it is in its rooms, and its client knows that it is connected. The program has not heard of it yet.
   *
   * @param {Socket} socket
   * @param {Client} client
   * @returns {boolean} false: it has ended meanwhile
   */
  _enter(socket, client) {
    const { id } = socket;
    if (this._preConnectSockets.get(id) !== socket) return false;
    this._preConnectSockets.delete(id);
    this.sockets.set(id, socket);
    try {
      this.begin(socket, true);
    } catch (error) {
      rejectUnhandled(error); // an adapter of the program
      return false;
    }
    this._counts.connected++;
    this._counts.recovered++;
    client._admit?.(socket);
    return true;
  }

  /** @param {Socket} socket such a one: the program hears of it */
  _announce(socket) {
    if (!socket.connected) return;
    try {
      this.emitReserved("connect", socket);
      this.emitReserved("connection", socket);
    } finally {
      socket._endWithClient();
    }
  }

  /** @param {Socket} socket */
  _remove(socket) {
    // the object is compared, not only its id: two sockets of a protocol 3 client in one namespace share an id
    const { id } = socket;
    const known = this.sockets.get(id);
    if (known === socket || known === undefined) this.sockets.delete(id);
    if (this._preConnectSockets.get(id) === socket) this._preConnectSockets.delete(id);
  }

  /**
   * Emits to all connected clients; an event that a program has added to `Namespace.events`, to the listeners of this
   * object instead.
   *
   * @param {unknown[]} data the name of the event and its arguments
   * @returns {boolean} true
   */
  emit(...data) {
    const { events } = Namespace;
    if (events.length > LISTED_EVENTS.length && events.indexOf(data[0], LISTED_EVENTS.length) > 0)
      return super.emit.apply(this, /** @type {[string]} */ (data));
    return this._operator().emit(...data);
  }

  // send(), write(), to() and all that begins a broadcast come from chain.js

  /**
   * Emits to the other servers of the cluster.
   *
   * @param {unknown[]} data the name of the event and its arguments; a last function gets (error, responses)
   * @returns {boolean} true
   */
  serverSideEmit(...data) {
    if (NAMESPACE_RESERVED_EVENTS.has(/** @type {string} */ (data[0])))
      throw reservedEvent(data[0]);
    this.adapter.serverSideEmit(data);
    return true;
  }

  /**
   * Emits to the other servers, and gives a promise of their responses.
   *
   * @param {unknown[]} data
   * @returns {Promise<unknown[]>}
   */
  serverSideEmitWithAck(...data) {
    return new Promise((resolve, reject) => {
      data.push((/** @type {WithResponses} */ error, /** @type {unknown[]} */ responses) => {
        if (error) {
          error.responses = responses;
          reject(error);
        } else {
          resolve(responses);
        }
      });
      this.serverSideEmit(...data);
    });
  }

  /**
   * Called by adapters with what another server has emitted.
   *
   * @param {unknown[]} args
   */
  _onServerSideEmit(args) {
    super.emit.apply(this, /** @type {[string]} */ (args));
  }

  /** @returns {BroadcastOperator} for all, with the flags so far */
  _operator() {
    if (this._flags === undefined) return new BroadcastOperator(this.adapter);
    const flags = { ...this._flags }; // a copy, and an object whatever the program has assigned
    this._flags = undefined;
    return new BroadcastOperator(this.adapter, new Set(), new Set(), flags);
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

  // --- its sockets, as Socket.IO 2.x has them ---

  /**
   * The connected sockets as a plain object. Broadcasts pass over a socket that is deleted from it, until it is
   * assigned again.
   *
   * @returns {Record<string, Socket>}
   * @deprecated kept for programs written for Socket.IO 2.x: use `sockets`
   */
  get connected() {
    return (this._connected ??= plainView(
      () => this.sockets,
      (_id, socket) => this.show(socket),
      (id) => this.hide(id),
    ));
  }

  /**
   * @param {Socket | undefined} socket
   * @private
   */
  show(socket) {
    /** @type {unknown} */
    const nsp = socket?.nsp;
    if (socket === undefined || nsp !== this || !socket.connected || this.sockets.has(socket.id))
      return;
    this.sockets.set(socket.id, socket);
    this.adapter.mirror?.(socket);
  }

  /**
   * @param {string} id
   * @protected
   */
  hide(id) {
    const socket = this.sockets.get(id);
    if (socket !== undefined) this.adapter.unmirror?.(socket);
    this.sockets.delete(id);
  }

  // --- what an adapter has to know ---

  /** @param {1 | -1} change in the number of sockets that listen to what goes out */
  _countOutgoing(change) {
    this._outgoing += change;
    if (this._outgoing <= 1) this.adapter.onwatched?.();
  }

  /** @param {1 | -1} change in the number of sockets with a connection of a foreign engine */
  _countForeign(change) {
    this._foreign += change;
    if (this._foreign <= 1) this.adapter.onwatched?.();
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

addMethods(Namespace.prototype, TARGETS, OPERATIONS, MESSAGES);
assignable(Namespace.prototype, "connected");

/**
 * Events that emit() does not send to clients; programs may add to it.
 *
 * @type {unknown[]}
 * @deprecated kept for programs written for Socket.IO 2.x
 */
Namespace.events = LISTED_EVENTS.slice();

/**
 * Lets a socket in, or not, when the middlewares are done with it.
 *
 * @param {Namespace} nsp
 * @param {Socket} socket
 * @param {Client} client
 * @param {((socket: Socket) => void) | undefined} joined
 * @param {unknown} error
 */
function settle(nsp, socket, client, joined, error) {
  client._decided?.(socket);
  if (client.conn.readyState !== "open") {
    debug("next called after client was closed - ignoring socket");
    socket._cleanup();
    return;
  }
  if (error) {
    debug("middleware error, sending CONNECT_ERROR packet to the client");
    nsp._counts.refused++;
    socket._cleanup();
    const refusal = /** @type {Refusal} */ (error);
    if (client.conn.protocol === 3) socket._error(refusal.data || refusal.message);
    else socket._error({ message: refusal.message, data: refusal.data });
    return;
  }
  nsp._doConnect(socket, joined);
}

/**
 * The getters that set a flag for the next emission.
 *
 * @type {string[]}
 * @deprecated kept for programs written for Socket.IO 2.x
 */
Namespace.flags = ["json", "volatile", "local"];

// Under this path Socket.IO 2.x has the class itself; the other files ask for it by name.
module.exports = Namespace;
module.exports.Namespace = Namespace;
module.exports.RESERVED_EVENTS = NAMESPACE_RESERVED_EVENTS;
