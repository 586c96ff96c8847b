"use strict";

const debug = require("debug")("engine:socket");
const { LazyEmitter } = require("./lazy-emitter");
const { NO_COMPRESS, VOLATILE } = require("./ops");
const { Record } = require("./bridge");
const { encode } = require("./encoder");
const { transportError } = require("./errors");

/** @typedef {import("./bridge").Bridge} Bridge */

// what somebody listens to, beside the events that come anyway
const HEARTBEAT = 1;
const DRAIN = 2;
const OUTGOING = 4;
const INCOMING = 8;

const NAMES = ["polling", "websocket"];
const WEBSOCKET = 1;

/**
 * The transport of a connection, as far as it can be seen: the real one lives in a worker.
 */
class Transport extends LazyEmitter {
  /**
   * @param {Conn} conn
   * @param {string} name
   */
  constructor(conn, name) {
    super();
    /** @private */
    this._conn = conn;
    this.name = name;
    this.sid = conn.id;
    this.protocol = conn.protocol;
    this.supportsBinary = true;
    this.discarded = false;
  }

  /** Whether a packet would leave at once, as far as this thread knows; volatile packets are dropped by the workers. */
  get writable() {
    const conn = this._conn;
    return (
      conn.readyState === "open" && (this.name !== "polling" || conn.server.polls.has(conn.id))
    );
  }

  get readyState() {
    return this._conn.readyState;
  }
}

/**
 * A session as programs see it (`socket.conn`).
 *
 *     open ──close()──► closing ──► closed
 *      └──────────────────────────────▲   the peer, a timeout, an error
 *
 * Emits "close" (reason, description), "upgrading" and "upgrade" (transport); and, at a price that is paid only while
 * somebody listens: "heartbeat", "drain", "packetCreate", "packet", "data" and "message".
 */
class Conn extends LazyEmitter {
  /**
   * @param {import("./engine").Engine} server
   * @param {Bridge} bridge
   * @param {number} handle
   * @param {string} id the session id, a secret
   * @param {import("./verify").Known} form its transport and its protocol
   * @param {{ remoteAddress: string | undefined, rebuild(): any }} origin the request that opened it
   * @param {"takeover" | "bridge" | "polling"} door how it came in
   */
  constructor(server, bridge, handle, id, form, origin, door) {
    super();
    this.id = id;
    this.server = server;
    /** the revision of the Engine.IO protocol */
    this.protocol = form.protocol;
    this.readyState = "open";
    this.door = door;
    this.upgrading = false;
    this.upgraded = false;
    /** @private */
    this._origin = origin;
    /** @type {any} the Client of the Socket.IO layer */
    this._client = undefined;
    this._bridge = bridge;
    this._handle = handle;
    /** @private */
    this._transportIndex = NAMES.indexOf(form.transport);
    /** @type {Transport | undefined} @private */
    this._transport = undefined;
    /** @private */
    this._watched = 0;
  }

  /** What waits to be written is in the workers. @returns {any[]} */
  get writeBuffer() {
    return [];
  }

  /** @returns {string | undefined} */
  get remoteAddress() {
    return this._origin.remoteAddress;
  }

  /** Name of the current transport, without making the object. */
  get transportName() {
    return NAMES[this._transportIndex];
  }

  get transport() {
    this._transport ??= new Transport(this, this.transportName);
    return this._transport;
  }

  set transport(transport) {
    this._transport = transport;
  }

  /**
   * The request that opened the session; built again at the first look when nobody had seen it.
   *
   * @returns {any}
   */
  get request() {
    const req = this._origin.rebuild();
    this.exposeRequest(req);
    return req;
  }

  set request(req) {
    this.exposeRequest(req);
  }

  /**
   * Makes the request a property of this object, which a program may delete.
   *
   * @param {any} [req]
   */
  exposeRequest(req = this.request) {
    Object.defineProperty(this, "request", {
      value: req,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }

  /**
   * Sends an Engine.IO message.
   *
   * @param {any} data a text or bytes
   * @param {any} [options] `{ compress }`, or the callback
   * @param {(transport: Transport) => void} [callback]
   * @returns {this}
   */
  send(data, options, callback) {
    this.sendPacket("message", data, options, callback);
    return this;
  }

  /**
   * Alias of send().
   *
   * @param {any} data
   * @param {any} [options]
   * @param {(transport: Transport) => void} [callback]
   * @returns {this}
   */
  write(data, options, callback) {
    this.sendPacket("message", data, options, callback);
    return this;
  }

  /**
   * @param {string} type only "message" can be sent from here
   * @param {any} [data]
   * @param {any} [options]
   * @param {(transport: Transport) => void} [callback]
   */
  sendPacket(type, data, options, callback) {
    if (typeof options === "function") {
      callback = options;
      options = undefined;
    }
    if (this.readyState !== "open") return;
    if (type !== "message") {
      debug("packet of type %s is left to the worker", type);
      return;
    }
    const flags = options?.compress === false ? NO_COMPRESS : 0;
    if (this._watched & OUTGOING) this.showOutgoing(data, flags, options);
    this._bridge.ops.sendRaw(this._handle, flags, data);
    if (typeof callback === "function") process.nextTick(callback, this.transport);
  }

  /**
   * Sends a Socket.IO packet.
   *
   * @param {string | any[]} encoded a text, or the messages that the packet is made of
   * @param {number} flags VOLATILE, NO_COMPRESS
   */
  sendEncoded(encoded, flags) {
    if (this.readyState !== "open") return;
    if (this._watched & OUTGOING) this.showOutgoing(encoded, flags);
    if (typeof encoded === "string") this._bridge.ops.send(this._handle, flags, encoded);
    else this._bridge.ops.sendBinary(this._handle, flags, encoded);
  }

  /**
   * Sends a packet that many get: called for one after the other with the same array, it is encoded once.
   *
   * @param {any[]} encoded the messages that the packet is made of
   * @param {number} flags VOLATILE, NO_COMPRESS
   * @param {any} options as the adapter made them
   */
  sendShared(encoded, flags, options) {
    if (this.readyState !== "open") return;
    if (this._watched & OUTGOING) this.showOutgoing(encoded, flags, options);
    this._bridge.ops.multicast(this._handle, flags, encoded);
  }

  /**
   * Shows what is about to be sent to the listeners of "packetCreate".
   *
   * @param {any} encoded
   * @param {number} flags
   * @param {any} [options]
   */
  showOutgoing(encoded, flags, options) {
    if (!(this._watched & OUTGOING)) return;
    for (const data of Array.isArray(encoded) ? encoded : [encoded]) {
      this.emit("packetCreate", {
        type: "message",
        options: {
          ...options,
          compress: (flags & NO_COMPRESS) === 0,
          volatile: (flags & VOLATILE) !== 0,
        },
        data,
      });
    }
  }

  /**
   * Closes the session. A WebSocket, or whatever is discarded, counts as closed at once; a polling session when the
   * client has fetched what is left for it.
   *
   * @param {boolean} [discard] whether to drop what waits to be written
   * @returns {this}
   */
  close(discard) {
    if (this.readyState === "closed" || (this.readyState === "closing" && !discard)) return this;
    this._bridge.ops.close(this._handle, !!discard);
    if (discard || this._transportIndex === WEBSOCKET) this.onclose("forced close");
    else this.readyState = "closing";
    return this;
  }

  // --- from the bridge ---

  /**
   * @param {any} auth
   * @param {string} nsp
   */
  onconnect(auth, nsp) {
    if (this._watched & INCOMING) this.showIncoming(encode(Record.CONNECT, nsp, undefined, auth));
    if (this._client !== undefined) this._client.onconnectPacket(nsp, auth === null ? {} : auth);
  }

  /**
   * @param {number} type
   * @param {string} nsp
   * @param {number} id -1 when there is none
   * @param {any} data
   * @param {Buffer[] | null} attachments
   */
  onpacket(type, nsp, id, data, attachments) {
    if (this._watched & INCOMING)
      this.showIncoming(encode(type, nsp, id < 0 ? undefined : id, data), attachments);
    if (this._client !== undefined) this._client.onpacket(type, nsp, id, data, attachments);
  }

  /** @param {string | Buffer} data a message of a client of a server with a parser of its own */
  onmessage(data) {
    if (this._watched & INCOMING) this.showIncoming(data);
    if (this._client !== undefined) this._client.ondata(data);
  }

  /**
   * @param {number} kind
   * @param {any} argument
   * @param {any} more
   */
  onrecord(kind, argument, more) {
    switch (kind) {
      case Record.CLOSED:
        try {
          this.onclose(argument, typeof more === "string" ? transportError(more) : undefined);
        } finally {
          this._bridge.forget(this._handle); // whatever a handler throws
        }
        break;
      case Record.UPGRADING:
        this.upgrading = true;
        this.server.onupgrading(this, argument);
        this.emit("upgrading", new Transport(this, "websocket"));
        break;
      case Record.UPGRADED:
        this.upgrading = false;
        this.upgraded = true;
        this._transportIndex = WEBSOCKET;
        this._transport = undefined;
        this.server.onupgraded(this, argument);
        if (this.listenerCount("upgrade") > 0) this.emit("upgrade", this.transport);
        break;
      case Record.CONNECT_TIMEOUT:
        if (this._client !== undefined) this._client.onconnectTimeout();
        break;
      case Record.INVALID_PACKET:
        // the worker closes the session by itself
        if (this._client !== undefined) this._client.onerrors(new Error(argument));
        break;
      case Record.DRAIN:
        this.emit("drain");
        this.server.emit("drain", this);
        break;
      case Record.HEARTBEAT:
        this.emit("heartbeat");
        break;
      default:
        debug("unknown record %d", kind);
    }
  }

  /**
   * @param {string} reason
   * @param {Error} [description]
   */
  onclose(reason, description) {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.server.onclosed(this);
    if (this._watched & OUTGOING) this._bridge.watchers--;
    this._watched = 0;
    const client = this._client;
    this._client = undefined;
    if (client !== undefined) client.onclose(reason, description);
    this.emit("close", reason, description);
  }

  /**
   * Shows what has come in to the listeners of "packet", "data" and "message".
   *
   * @param {any} encoded
   * @param {Buffer[] | null} [attachments]
   */
  showIncoming(encoded, attachments) {
    let text = encoded;
    if (attachments) text = `${Number(text[0]) + 3}${attachments.length}-${text.slice(1)}`;
    for (const data of attachments ? [text, ...attachments] : [text]) {
      this.emit("packet", { type: "message", data });
      this.emit("data", data);
      this.emit("message", data);
    }
  }

  // --- listeners: what nobody listens to is not brought up ---

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  prependListener(name, listener) {
    super.prependListener(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  removeListener(name, listener) {
    super.removeListener(name, listener);
    this.watch();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  off(name, listener) {
    return this.removeListener(name, listener);
  }

  /** @param {string | symbol} [name] */
  removeAllListeners(name) {
    if (name === undefined) super.removeAllListeners();
    else super.removeAllListeners(name);
    this.watch();
    return this;
  }

  /** @private */
  watch() {
    if (this.readyState === "closed") return;
    let watched = 0;
    if (this.listenerCount("heartbeat") > 0) watched |= HEARTBEAT;
    if (this.listenerCount("drain") > 0) watched |= DRAIN;
    if (this.listenerCount("packetCreate") > 0) watched |= OUTGOING;
    if (
      this.listenerCount("packet") + this.listenerCount("data") + this.listenerCount("message") >
      0
    ) {
      watched |= INCOMING;
    }
    const before = this._watched;
    if (before === watched) return;
    this._watched = watched;
    if ((before ^ watched) & OUTGOING) this._bridge.watchers += watched & OUTGOING ? 1 : -1;
    if ((before ^ watched) & (HEARTBEAT | DRAIN)) {
      this._bridge.ops.watch(this._handle, watched & (HEARTBEAT | DRAIN));
    }
  }
}

module.exports = { Conn, Transport };
