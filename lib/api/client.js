"use strict";

const debug = require("debug")("socket.io:client");
const { assignable, own } = require("../base/assignable");
const { Conn } = require("../engine");
const { encode, encodeForWorker, joined, PacketType, reconstruct, writeText } = require("../codec");
const { flagsOf } = require("./adapter");
const { isShortString, NO_COMPRESS, VOLATILE } = require("../border");
const { MESSAGES } = require("../base/errors");
const { trace } = require("../base/trace");
const { nextTick } = require("../base/loop");
const { persist } = require("./socket-state");

/** @typedef {import("../codec/long-text").LongText} LongText */
/** @typedef {import("../codec/packet").Packet} Packet */
/** @typedef {import("./socket").Socket} Socket */
/** @typedef {import("./adapter").Encoded} Encoded */
/** @typedef {import("./operator").Flags} Flags */
/** @typedef {{ on(name: "decoded", done: (packet: Packet) => void): unknown, removeListener(name: "decoded", done: (packet: Packet) => void): unknown, add(message: unknown): unknown, destroy(): void }} PacketDecoder */

/** How what an encoder has made is written. @typedef {Flags & { preEncoded?: boolean, wsPreEncodedFrame?: unknown }} WriteOptions */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {boolean} _foreignParser
 * @property {{ encode(packet: Packet): unknown[] }} encoder
 * @property {{ Decoder: new () => PacketDecoder }} _parser
 * @property {number} _connectTimeout ms
 * @property {Map<string, unknown>} _nsps
 * @property {(name: string, auth: unknown, done: (allowed: unknown) => void) => void} _checkNamespace
 * @property {(name: string) => Namespace} of
 * @property {{ unknown: number }} _counts
 */

/** @typedef {import("./handover-tuples").SessionState} SessionState */
/** What is asked of a namespace. @typedef {{ _add(client: Client, auth: unknown, joined: (socket: Socket) => void): void }} Namespace */

/**
 * A connection as the Socket.IO layer sees it: one socket per namespace.
 *
 * Packets come decoded from a worker; those of a foreign engine (`io.bind()`), and those of a server with a parser of
 * its own, are decoded here.
 */
class Client {
  /**
   * @param {Server} server
   * @param {Conn} conn or the connection of a foreign engine, which has what programs see of one
   */
  constructor(server, conn) {
    this.server = server;
    this.conn = conn;
    /** @type {Socket | undefined} that of "/", where most clients are */
    this.root = undefined;
    /** @type {Map<string, Socket> | undefined} those of other namespaces, by name; and that of "/", if it has come behind one of them */
    this._others = undefined;
    /** @type {Set<Socket> | undefined} connected ones that get no packets any more: a newer socket has their namespace */
    this._overtaken = undefined;
    /** @type {Set<Socket> | undefined} those that middlewares are looking at */
    this._pending = undefined;
    /** @type {PacketDecoder | undefined} */
    this._decoder = undefined;
    /** @type {Server["encoder"] | undefined} the encoder of the server's own parser; undefined with the default one */
    this._foreignEncoder = server._foreignParser ? server.encoder : undefined;
    this._closed = false;
    /** @type {{ reason: string, description: unknown } | undefined} why it is closed */
    this._end = undefined;
    this._joined = false;
    /** @private whether it has asked for a namespace */
    this._asked = false;
    if (this._foreignEncoder !== undefined) void this.decoder; // made now, so that its constructor throws here
    /** whether the client has come back on another connection */
    this._superseded = false;
    this._native = conn instanceof Conn;
    if (this._native) conn._client = this;
    else this.listen();
    // a worker tells, where it knows of Socket.IO
    if (!this._native || conn.server.isPlain)
      setTimeout(() => this.onconnectTimeout(), server._connectTimeout).unref();
  }

  /** The session id, a secret. */
  get id() {
    return this.conn.id;
  }

  /** The request that opened the connection. */
  get request() {
    return this.conn.request;
  }

  get encoder() {
    return this.server.encoder;
  }

  set encoder(encoder) {
    own(this, "encoder", encoder);
    this._foreignEncoder = encoder;
  }

  /** Decodes what ondata() is given. */
  get decoder() {
    if (this._decoder === undefined) {
      this._decoder = new this.server._parser.Decoder();
      this.ondecoded = this.ondecoded.bind(this);
      this._decoder.on("decoded", this.ondecoded);
    }
    return this._decoder;
  }

  set decoder(decoder) {
    this._decoder = decoder;
  }

  /** The sockets by namespace, in a fresh Map. */
  get nsps() {
    return this._byNamespace();
  }

  /** @returns {Map<string, Socket>} those that packets go to, in a fresh Map */
  _byNamespace() {
    /** @type {Map<string, Socket>} */
    const nsps = new Map();
    if (this._beginsWithRoot()) nsps.set("/", /** @type {Socket} */ (this.root));
    if (this._others !== undefined)
      for (const [name, socket] of this._others) nsps.set(name, socket);
    return nsps;
  }

  /**
   * @returns {boolean} whether there is a socket of "/", which does not stand among the others
   * @private
   */
  _beginsWithRoot() {
    return this.root !== undefined && this._others?.has("/") !== true;
  }

  /** The sockets by id, in a fresh Map. */
  get sockets() {
    /** @type {Map<string, Socket>} */
    const sockets = new Map();
    for (const socket of this._connected()) sockets.set(socket.id, socket);
    return sockets;
  }

  /**
   * @returns {Socket[]} all connected ones. A client that asks for a namespace twice before it is let in has two sockets
   * there: the later one gets the packets, and both end with the client
   */
  _connected() {
    const sockets = this._overtaken === undefined ? [] : [...this._overtaken];
    if (this._beginsWithRoot()) sockets.push(/** @type {Socket} */ (this.root));
    if (this._others !== undefined) sockets.push(...this._others.values());
    return sockets;
  }

  /**
   * @param {string} nsp
   * @returns {Socket | undefined}
   */
  socketOf(nsp) {
    return nsp === "/" ? this.root : this._others?.get(nsp);
  }

  /**
   * Listens to a foreign connection.
   *
   * @private
   */
  listen() {
    const { conn } = this;
    conn.on("data", (/** @type {unknown} */ data) => this.ondata(data));
    conn.on("error", (/** @type {unknown} */ error) => this.onerror(error));
    conn.on("close", (/** @type {string} */ reason, /** @type {unknown} */ description) =>
      this.onclose(reason, description),
    );
  }

  /** Closes a client that has joined no namespace. */
  onconnectTimeout() {
    if (this._joined || this._closed) return;
    debug("no namespace joined yet, close the client");
    this.close();
  }

  // --- connecting ---

  /**
   * Connects the client to a namespace, if there is one or may be one.
   *
   * @param {string} name
   * @param {unknown} [auth]
   */
  connect(name, auth = {}) {
    if (this.server._nsps.has(name)) {
      if (trace.any && debug.enabled) debug("connecting to namespace %s", name);
      this.doConnect(name, auth);
      return;
    }
    this.server._checkNamespace(name, auth, (allowed) => {
      if (allowed) {
        this.doConnect(name, auth);
      } else {
        if (debug.enabled) debug("creation of namespace %s was denied", name);
        this.refuseNamespace(name);
      }
    });
  }

  /**
   * @param {string} name
   * @protected
   */
  refuseNamespace(name) {
    this.server._counts.unknown++;
    this._packet({
      type: PacketType.CONNECT_ERROR,
      nsp: name,
      data: { message: MESSAGES.INVALID_NAMESPACE },
    });
  }

  /**
   * Called when the client has joined a namespace, before the program hears of it.
   *
   * @param {string} _name
   */
  onjoined(_name) {}

  /**
   * @param {string} name
   * @param {unknown} auth
   * @protected
   */
  doConnect(name, auth) {
    this.server.of(name)._add(this, auth, add);
  }

  // --- packets in ---

  /**
   * @param {string} nsp
   * @param {unknown} auth
   */
  onconnectPacket(nsp, auth) {
    if (this._closed) return;
    this._asked = true;
    if (this.conn.protocol === 3) {
      const url = this.parseNamespace(nsp);
      if (url === undefined) return;
      nsp = url.pathname;
      auth = withoutPrototype(url.searchParams);
    }
    try {
      if (this.socketOf(nsp) === undefined) this.connect(nsp, auth);
      else this.reject(PacketType.CONNECT);
    } catch (error) {
      // thrown by the program, for instance by the function that decides whether there is such a namespace
      this.onerror(error);
    }
  }

  /**
   * @param {number} type
   * @param {string} nsp
   * @param {number} id -1 when there is none
   * @param {unknown} data
   * @param {Buffer[] | null} attachments
   */
  onpacket(type, nsp, id, data, attachments) {
    if (this._closed) return;
    let socket = nsp === "/" ? this.root : this._others?.get(nsp);
    if (socket === undefined && this.conn.protocol === 3) {
      const url = this.parseNamespace(nsp);
      if (url === undefined) return;
      socket = this.socketOf(url.pathname);
    }
    if (socket === undefined || type === PacketType.CONNECT_ERROR) {
      try {
        this.reject(type, socket, data);
      } catch (error) {
        this.onerror(error);
      }
      return;
    }
    if (attachments !== null) {
      try {
        data = reconstruct(data, attachments);
      } catch (error) {
        this.onerror(error);
        return;
      }
    }
    const packet = { type, nsp, id: id === -1 ? undefined : id, data };
    const { operations } = this.conn._border;
    operations.expectTick();
    nextTick(hand, socket, packet, operations);
  }

  /**
   * Clients of protocol 3 name a namespace together with its query, `/name?key=value`.
   *
   * @param {string} nsp
   * @returns {URL | undefined} undefined when it is no namespace; the client is closed then
   * @private
   */
  parseNamespace(nsp) {
    try {
      return new URL(nsp, "https://socket.io");
    } catch (error) {
      this.onerror(error);
      return undefined;
    }
  }

  /**
   * A packet that has no place in this state.
   *
   * @param {number} type
   * @param {Socket} [_socket] that of the namespace, if there is one
   * @param {unknown} [_data]
   * @protected
   */
  reject(type, _socket, _data) {
    if (debug.enabled) debug("invalid state (packet type: %s)", type);
    this.close();
  }

  /**
   * Takes Engine.IO messages of a foreign connection; programs may call it too.
   *
   * @param {unknown} data
   */
  ondata(data) {
    if (this._closed) return;
    try {
      this.decoder.add(data);
    } catch (error) {
      debug("invalid packet format");
      this.onerror(error);
    }
  }

  /**
   * Called by the decoder; the socket gets the very packet that it made.
   *
   * @param {Packet} packet
   */
  ondecoded(packet) {
    if (this._closed) return;
    const { type } = packet;
    if (type === PacketType.CONNECT) {
      this.onconnectPacket(/** @type {string} */ (packet.nsp), packet.data);
      return;
    }
    const nsp = /** @type {string} */ (packet.nsp);
    let socket = this.socketOf(nsp);
    if (socket === undefined && this.conn.protocol === 3) {
      const url = this.parseNamespace(nsp);
      if (url === undefined) return;
      socket = this.socketOf(url.pathname);
    }
    if (socket === undefined || type === PacketType.CONNECT_ERROR)
      this.reject(type, socket, packet.data);
    else nextTick(deliver, socket, packet);
  }

  // --- packets out ---

  /**
   * Sends a packet.
   *
   * @param {number} type
   * @param {string} nsp
   * @param {number | undefined} id
   * @param {unknown} data
   * @param {number} flags
   */
  send(type, nsp, id, data, flags) {
    const { conn } = this;
    if (conn.readyState !== "open") {
      if (debug.enabled) debug("ignoring packet write %j", { type, data, id, nsp });
      return;
    }
    if (this.sendStrings(type, nsp, id, data, flags)) return;
    const encoded =
      this._foreignEncoder === undefined
        ? (this._native ? encodeForWorker : encode)(type, nsp, id, data)
        : this._foreignEncoder.encode(packetOf(type, data, id, nsp));
    if (this._native) conn.sendEncoded(encoded, flags);
    else {
      const compress = (flags & NO_COMPRESS) === 0;
      this.writeToEngine(encoded, { volatile: (flags & VOLATILE) !== 0, compress });
    }
  }

  /**
   * Sends a packet of short strings, as most events are, without making a text of it, unless somebody wants to see that.
   *
   * @param {number} type
   * @param {string} nsp
   * @param {number | undefined} id
   * @param {unknown} data
   * @param {number} flags
   * @returns {boolean} whether it was such a packet
   * @private
   */
  sendStrings(type, nsp, id, data, flags) {
    if (!this._native || this._foreignEncoder !== undefined || trace.parser) return false;
    // what is made a text of by code of the program must be made one once
    if (typeof type !== "number" || (id !== undefined && typeof id !== "number")) return false;
    if (!Array.isArray(data) || data.length === 0 || data.length > 2) return false;
    // each is read once: between here and the last byte no code of the program may run
    const first = data[0];
    const second = data.length === 1 ? undefined : data[1];
    if (!isShortString(first) || !(data.length === 1 || isShortString(second))) return false;
    if (/** @type {{ toJSON?: unknown }} */ (data).toJSON !== undefined) return false;
    return this.conn.sendStrings(writeText(type, nsp, id, undefined), first, second, flags);
  }

  /**
   * Sends a packet that has been encoded before.
   *
   * @param {Encoded} encoded
   */
  sendEncoded(encoded) {
    if (this._native) this.conn.sendEncoded(encoded, 0);
    else this.writeToEngine(joined(encoded), { compress: true });
  }

  /**
   * Sends a packet.
   *
   * @param {Packet} packet or, if it has been encoded before, what an encoder has made of one
   * @param {WriteOptions} [opts] volatile, compress, preEncoded
   */
  _packet(packet, opts) {
    if (opts?.preEncoded) this.writeToEngine(packet, opts);
    else if (this._foreignEncoder !== undefined && this.conn.readyState === "open")
      this.writeToEngine(this._foreignEncoder.encode(packet), opts); // an encoder may look at any part of the packet
    else {
      const nsp = /** @type {string} */ (packet.nsp);
      this.send(packet.type, nsp, packet.id, packet.data, flagsOf(opts));
    }
  }

  /**
   * Sends what an encoder has made; adapters call it, for a broadcast with the same array for each client.
   *
   * @param {unknown} encodedPackets a text or bytes, or an array of them
   * @param {WriteOptions} [opts] volatile, compress, wsPreEncodedFrame
   */
  writeToEngine(encodedPackets, opts = {}) {
    const { conn } = this;
    if (this._native) {
      const messages = Array.isArray(encodedPackets) ? encodedPackets : [encodedPackets];
      conn.sendShared(messages, flagsOf(opts), opts);
      return;
    }
    if (opts.volatile && !conn.transport.writable) {
      debug("volatile packet is discarded since the transport is not currently writable");
      return;
    }
    for (const data of Array.isArray(encodedPackets) ? encodedPackets : [encodedPackets])
      conn.write(data, opts);
  }

  // --- the end ---

  /** Disconnects from all namespaces and closes the connection. */
  _disconnect() {
    for (const socket of this._connected()) socket.disconnect();
    this.root = undefined;
    this._others = undefined;
    this._overtaken = undefined;
    this.close();
  }

  /**
   * Adds a socket that is connected, before the program hears of it.
   *
   * @param {Socket} socket
   */
  _place(socket) {
    const { name } = socket.nsp;
    const before = this.socketOf(name);
    if (before !== undefined && before !== socket) (this._overtaken ??= new Set()).add(before);
    this._overtaken?.delete(socket);
    if (name === "/") this.root = socket;
    if (name !== "/" || this._others?.size) (this._others ??= new Map()).set(name, socket);
  }

  /**
   * Forgets a socket that has left. As upstream does, it delivers no packet to that namespace from then on, even if the
   * client has another socket there.
   *
   * @param {Socket} socket
   */
  _remove(socket) {
    const { name } = socket.nsp;
    const current = this.socketOf(name);
    if (current !== socket) {
      if (!this._overtaken?.delete(socket)) {
        if (debug.enabled) debug("ignoring remove for %s", socket.id);
        return;
      }
      if (current !== undefined) this._overtaken.add(current);
    }
    if (name === "/") this.root = undefined;
    this._others?.delete(name);
  }

  /**
   * Notes a socket that middlewares are looking at, so that it goes with the client even if they never answer.
   *
   * @param {Socket} socket
   */
  _await(socket) {
    (this._pending ??= new Set()).add(socket);
  }

  /**
   * The middlewares have answered.
   *
   * @param {Socket} socket
   */
  _decided(socket) {
    if (this._pending?.delete(socket) && this._pending.size === 0) this._pending = undefined;
  }

  /** Closes the connection. */
  close() {
    const { conn } = this;
    if (conn.readyState !== "open") return;
    debug("forcing transport close");
    conn.close();
    this.onclose("forced server close"); // unless it is closed already
  }

  /** Ends this connection, which was lost without anybody noticing: its client has come back on another one. */
  _supersede() {
    this._superseded = true;
    try {
      this.onclose("transport close");
    } finally {
      this.conn.close(true);
    }
  }

  /**
   * The client has broken the protocol: tells the sockets and closes.
   *
   * @param {unknown} error
   */
  onerror(error) {
    this.onerrors(error);
    this.conn.close();
  }

  /** @param {unknown} error */
  onerrors(error) {
    for (const socket of this._connected()) socket._onerror(/** @type {Error} */ (error));
  }

  /**
   * @param {string} reason
   * @param {unknown} [description]
   */
  onclose(reason, description) {
    if (this._closed) return;
    if (trace.any && debug.enabled) debug("client close with reason %s", reason);
    this._closed = true;
    this._end = { reason, description };
    // all sockets are closed, even if listeners throw
    /** @type {{ error: unknown } | undefined} */
    let thrown;
    for (const socket of this._connected()) {
      try {
        socket._onclose(reason, description);
      } catch (error) {
        thrown ??= { error };
      }
    }
    this.leave();
    if (thrown !== undefined) throw thrown.error;
  }

  /**
   * Nothing of it is left.
   *
   * @private
   */
  leave() {
    if (this._pending !== undefined) for (const socket of this._pending) socket._cleanup();
    this.root = undefined;
    this._others = undefined;
    this._overtaken = undefined;
    this._pending = undefined;
    if (this._decoder !== undefined) {
      this._decoder.removeListener("decoded", this.ondecoded);
      this._decoder.destroy();
    }
  }

  // --- from one process to another ---

  /** @returns {SessionState | undefined} what another process needs to know of it; undefined: it is in a state of which that can't know */
  carry() {
    if (this._closed) return undefined;
    const sockets = Array.from(this._byNamespace().values(), (socket) => socket._carry());
    /** @type {SessionState["connecting"]} */
    const connecting = Array.from(this._pending ?? [], ({ nsp, _auth }) => [nsp.name, _auth]);
    // it has asked for a namespace, and the program, or an adapter, has not said yet whether there is one
    if (this._asked && sockets.length + connecting.length === 0) return undefined;
    return { opening: this.conn.carryOpening(), sockets, connecting };
  }

  /** Has the adapters remember its sockets, as for those that are lost. */
  persist() {
    for (const socket of this._connected()) persist(socket);
  }

  /** It is another process's now: nothing that the program does ends its sockets here. */
  ongone() {
    for (const socket of this._connected()) socket._ongone();
  }

  /** Nothing is to be left of it here: nobody is told, but who waits for an answer. */
  onhandedover() {
    if (this._closed) return;
    this._closed = true;
    this._end = { reason: "handed over", description: undefined };
    for (const socket of this._connected()) socket._onhandedover();
    this.leave();
  }

  /**
   * It gets a socket that has come from another process, and the program has not heard of.
   *
   * @param {Socket} socket
   */
  _admit(socket) {
    this._decided(socket);
    add(socket);
  }
}

assignable(Client.prototype, "id", "nsps", "sockets");

/**
 * @param {URLSearchParams} query
 * @returns {Record<string, string>} its fields, in an object without a prototype, since a client chooses their names
 */
function withoutPrototype(query) {
  const fields = Object.create(null);
  for (const [name, value] of query) fields[name] = value;
  return fields;
}

/**
 * Makes a packet for the encoder of another parser.
 *
 * @param {number} type
 * @param {unknown} data
 * @param {number | undefined} id
 * @param {string} nsp
 * @returns {Packet} with its keys in upstream's order, which some formats preserve
 */
function packetOf(type, data, id, nsp) {
  return id === undefined ? { type, data, nsp } : { type, data, id, nsp };
}

/**
 * Adds a socket to its client, before the program hears of it.
 *
 * @param {Socket} socket
 */
function add(socket) {
  const client = /** @type {Client} */ (/** @type {unknown} */ (socket.client));
  client._place(socket);
  if (!client._joined) {
    client._joined = true;
    if (client._native) client.conn._border.operations.joined(client.conn);
  }
  client.onjoined(socket.nsp.name);
}

/**
 * @param {Socket} socket
 * @param {Packet} packet
 */
function deliver(socket, packet) {
  socket._onpacket(packet);
}

/**
 * The same; what the program sends now leaves at the end.
 *
 * @param {Socket} socket
 * @param {Packet} packet
 * @param {import("../border/operations").Operations} operations
 */
function hand(socket, packet, operations) {
  operations.beginTick();
  try {
    socket._onpacket(packet);
  } finally {
    operations.endTick();
  }
}

module.exports = { Client };
