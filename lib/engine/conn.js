"use strict";

const { bare } = require("../base/bare");
const debug = require("debug")("engine:socket");
const { assignable, own } = require("../base/assignable");
const { RecordKind, unknownRecord } = require("../border");
const { joined, PACKET_TYPES } = require("../codec");
const trace = require("./conn-trace");
const { endError } = require("../base/errors");
const { nextTick, setImmediate } = require("../base/loop");
const { FAILS_BROKEN_WRITES, LazyEmitter } = require("../node");
const {
  CONTROL,
  HEADERS,
  INCOMING,
  observedOf,
  OUTGOING,
  REQUESTS,
  wantsFlushes,
} = require("./observed");
const {
  showControlIn,
  showControlOut,
  showInvalidIn,
  showMessageIn,
  showMessagesOut,
  showPacketIn,
  showPacketOut,
  WriteBuffer,
} = require("./packet-events");
const { doorOf } = require("../ingress");
const { GONE, Probe } = require("./probe");
const { carryRequest, RequestInfo } = require("./request-info");
const { transportOf } = require("./transports");
const { writeEnginePacket } = require("./packet-writing");

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../codec/long-text").LongText} LongText */
/** @typedef {import("../ingress/door").Door} Door */
/** @typedef {import("./transport").Transport} Transport */

/**
 * What a session asks of its engine.
 *
 * @typedef {object} SessionHost
 * @property {any} opts
 * @property {boolean} isPlain whether it serves no Socket.IO
 * @property {boolean} showsFlushes whether somebody listens to what leaves on any connection
 * @property {(sid: string, transport: string) => string} openPacket what its handshake says
 * @property {(sid: string) => boolean} isPolled
 * @property {(sid: string, shown: boolean) => void} showRequests
 * @property {(conn: Conn, reason: string) => void} onclosed
 * @property {(conn: Conn) => void} onupgraded
 * @property {() => void} unref
 *
 * @typedef {import("node:events").EventEmitter & SessionHost} Host
 */

/**
 * What a session asks of the Socket.IO layer.
 *
 * @typedef {object} Receiver
 * @property {(nsp: string, auth: any) => void} onconnectPacket
 * @property {(type: number, nsp: string, id: number, data: any, attachments: Buffer[] | null) => void} onpacket
 * @property {(data: string | Buffer) => void} ondata a message, when the server has a parser of its own
 * @property {() => void} onconnectTimeout
 * @property {(error: Error) => void} onerrors
 * @property {(reason: string, description?: Error) => void} onclose
 * @property {() => void} onhandedover nothing is to be left of the session, which is another process's
 * @property {() => void} ongone it is another process's now
 */

/** What a worker says of a session that is another process's now. */
const HANDED_OVER = "handed over";

/** What a worker says of a connection that broke while packets were being written; see src/net/websocket_wire.rs. */
const WRITE_ERROR = "write error";

/** The reason for which it ends a client that has sent what is no packet. */
const PARSE_ERROR = "parse error";

/**
 * A session as programs see it (`socket.conn`).
 *
 *     open ──close()──► closing ──► closed
 *      └──────────────────────────────▲   the peer, a timeout, an error
 *
 * Emits "close" (reason, description), "upgrading" and "upgrade" (transport). These cost something only while somebody
 * listens: "heartbeat", "flush" (packets), "drain", "packetCreate" (packet), "packet" (packet), "data" and "message"
 * (data).
 */
class Conn extends LazyEmitter {
  static {
    Object.defineProperty(this, "name", bare({ value: "Socket" })); // as programs know it
  }

  /**
   * @param {Host} server
   * @param {Border} border
   * @param {import("../border/operations").Named} name
   * @param {string} id the session id, a secret
   * @param {import("../http/verify").SessionTraits} traits its transport and its protocol
   * @param {import("./request-info").Opening} opening the request that opened it
   * @param {{ kind: "takeover" | "bridge" | "polling", reason: string | undefined }} door how it came in
   */
  constructor(server, border, name, id, traits, opening, door) {
    super();
    this.id = id;
    this.server = server;
    /** the revision of the Engine.IO protocol */
    this.protocol = traits.protocol;
    this.readyState = "open";
    this.door = door.kind;
    /** why Node.js had to do with the connection; undefined: it had not */
    this.doorReason = door.reason;
    this.upgrading = false;
    this.upgraded = false;
    /** whether the handshake has told the client that it is in "/", and it is not yet, here */
    this.greeted = traits.greeted === true;
    /** @private */
    this._opening = opening;
    /** @type {Receiver | undefined} */
    this._client = undefined;
    /** whether it has come from another process, where it was connected */
    this.isAdopted = false;
    this._border = border;
    this._handle = name._handle;
    this._generation = name._generation;
    /** name of the current transport: to look at this does not make the object */
    this.transportName = traits.transport;
    /** @private whether the current transport carries bytes as they are */
    this._takesBytes = traits.takesBytes !== false;
    /** @type {Transport | undefined} @private */
    this._transport = undefined;
    /** @type {Probe | undefined} the WebSocket that asks to become the transport */
    this._probe = undefined;
    /** @type {WriteBuffer | undefined} from the first look at what has left on */
    this._writeBuffer = undefined;
    /** @type {import("./session-counts").Group | undefined} among which it is counted */
    this._group = undefined;
    /** @type {((isGone: boolean) => void) | undefined} @private told how it has ended, while it is handed over */
    this._onhanded = undefined;
    /** @private whether it has gone over, and has not ended here */
    this._isGone = false;
    /** @private */
    this._observed = 0;
    if (trace.showsIncoming() || server.showsFlushes) this.observe();
    trace.traceOpen(this);
  }

  /**
   * The packets that the transport could not take yet. They are kept here from the first look on.
   *
   * @returns {any[]}
   */
  get writeBuffer() {
    return this.keepWriteBuffer().packets;
  }

  /** To take packets out keeps none back: the worker has them. */
  set writeBuffer(packets) {
    this.keepWriteBuffer().packets = packets;
  }

  /**
   * Bytes that wait in the workers because the client does not read. (Ours.)
   *
   * @returns {number}
   */
  get bufferedAmount() {
    return this.readyState === "closed"
      ? 0
      : this._border.native.buffered(this._handle, this._generation);
  }

  /**
   * @returns {WriteBuffer}
   * @private
   */
  keepWriteBuffer() {
    if (this._writeBuffer === undefined) {
      this._writeBuffer = new WriteBuffer(this);
      this.observe();
    }
    return this._writeBuffer;
  }

  /** Callbacks of the packets that the transport could not take yet. */
  get packetsFn() {
    return this._writeBuffer?.callbacks ?? [];
  }

  /** Callbacks of the packets that are being sent. */
  get sentCallbackFn() {
    return this._writeBuffer?.fenced ?? [];
  }

  /** The state, under the name that upstream's own code uses. */
  get _readyState() {
    return this.readyState;
  }

  set _readyState(state) {
    this.readyState = state;
  }

  /** @returns {string | undefined} */
  get remoteAddress() {
    return this._opening.remoteAddress;
  }

  get transport() {
    this._transport ??= transportOf(this, this.transportName, this._takesBytes);
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
    return this.showRequest();
  }

  set request(req) {
    this.ownRequest(req, undefined);
  }

  /**
   * What was known of the request when no program had seen it.
   *
   * @returns {RequestInfo | undefined} undefined: one might have, or has put another in its place
   */
  requestInfo() {
    const { info, built } = this._opening;
    return built === undefined || built === this.request ? info : undefined;
  }

  /**
   * A worker takes the connection from a socket of Node.js that no program has been given.
   *
   * @param {any} socket
   * @param {Door} door
   */
  handleMove(socket, door) {
    if (this._opening instanceof RequestInfo) this._opening.handleMove(socket, door);
  }

  /** @returns {any} the request, which is a property of this object from now on */
  showRequest() {
    const { info } = this._opening;
    const req = this._opening.rebuild();
    if (req !== undefined) this.ownRequest(req, info);
    return req;
  }

  /**
   * Makes the request a property of this object: a program may delete it.
   *
   * @param {any} req
   * @param {RequestInfo | undefined} info what it was built of
   * @private
   */
  ownRequest(req, info) {
    const { remoteAddress } = this;
    own(this, "request", req);
    // deleted, it must not come back
    this._opening = { remoteAddress, info, built: req, rebuild: nothing, carry: nothing };
  }

  /** @returns {import("./request-info").CarriedOpening | undefined} what another process needs to know of the request */
  carryOpening() {
    if (!Object.hasOwn(this, "request")) return this._opening.carry();
    const { request } = this;
    return request ? carryRequest(request, this.remoteAddress) : undefined;
  }

  /**
   * Hands the session over to another process.
   *
   * @param {number} channel
   * @param {Buffer} blob what is said of it there
   * @returns {Promise<boolean>} when no worker has it any more: whether it has gone over; then it is there up to `leave()`
   */
  handOver(channel, blob) {
    this._border.operations.handOver(this, channel, blob);
    return new Promise((resolve) => (this._onhanded = resolve));
  }

  /** It has gone over, and ends here: when nobody waits any more, as what there is to forget can wait. */
  leave() {
    if (this._isGone) this.readyState = "closing";
    this.conclude(HANDED_OVER, undefined);
  }

  /** Another process has handed it over: from now on it is read. */
  readOn() {
    this._border.operations.readOn(this);
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
   * Sends an Engine.IO packet. The session itself takes no notice of it: a "close" closes nothing on this side.
   *
   * @param {string} type "open", "close", "ping", "pong", "message", "upgrade" or "noop"
   * @param {any} [data] a text or bytes
   * @param {any} [options]
   * @param {(transport: Transport) => void} [callback]
   */
  sendPacket(type, data, options, callback) {
    if (typeof options === "function") {
      callback = options;
      options = undefined;
    }
    if (this.readyState !== "open") return;
    if (!PACKET_TYPES.includes(type)) {
      debug("unknown packet type %s", type);
      return;
    }
    if (typeof callback === "function") this.keepWriteBuffer();
    let shown;
    if (this._observed & OUTGOING) {
      options ??= {};
      options.compress = options.compress !== false;
      shown = showPacketOut(this, type, data, options, callback);
      shown.next();
    }
    this.writePacket(type, data, options);
    shown?.next();
  }

  /**
   * Hands an Engine.IO packet to the worker.
   *
   * @param {string} type
   * @param {any} data
   * @param {any} [options]
   */
  writePacket(type, data, options) {
    writeEnginePacket(this, type, data, options);
  }

  /** Packets go to the worker as they are sent. What can be done here is to tell "flush" listeners of those that leave now. */
  flush() {
    this._writeBuffer?.flush();
  }

  /**
   * Sends a Socket.IO packet.
   *
   * @param {string | LongText | any[]} encoded a text, or the messages that the packet is made of
   * @param {number} flags VOLATILE, NO_COMPRESS
   * @param {any} [options] as given to the caller
   */
  sendEncoded(encoded, flags, options) {
    if (this.readyState !== "open") return;
    const shown =
      this._observed & OUTGOING ? this.showOutgoing(joined(encoded), flags, options) : undefined;
    shown?.next();
    if (typeof encoded === "string") this._border.operations.send(this, flags, encoded);
    else if (Array.isArray(encoded)) this._border.operations.sendBinary(this, flags, encoded);
    else this._border.operations.sendLong(this, flags, encoded);
    shown?.next();
  }

  /**
   * Sends a Socket.IO packet whose data is an array of one or two short strings, without making a text of it.
   *
   * @param {string} header
   * @param {string} first
   * @param {string | undefined} second
   * @param {number} flags VOLATILE, NO_COMPRESS
   * @returns {boolean} false: it has not been sent, since its text is needed
   */
  sendStrings(header, first, second, flags) {
    if (this.readyState !== "open" || this._observed & OUTGOING) return false;
    return this._border.operations.sendStrings(this, flags, header, first, second);
  }

  /**
   * Sends a packet that many get. When this is called for one after the other with the same array, the packet is written once.
   *
   * @param {any[]} encoded the messages that the packet is made of
   * @param {number} flags VOLATILE, NO_COMPRESS
   * @param {any} options as the adapter made them
   */
  sendShared(encoded, flags, options) {
    if (this.readyState !== "open") return;
    const shown =
      this._observed & OUTGOING ? this.showOutgoing(encoded, flags, options) : undefined;
    shown?.next();
    this._border.operations.multicast(this, flags, encoded);
    shown?.next();
  }

  /**
   * Shows what is sent to the listeners of "packetCreate", "flush" and "drain".
   *
   * @param {any} encoded
   * @param {number} flags
   * @param {any} [options] those of the packets; made from the flags when left out
   * @returns {Generator<void, void> | undefined} its first step comes before the packet is written, its second one after that;
   *   undefined when nobody listens
   */
  showOutgoing(encoded, flags, options) {
    return this._observed & OUTGOING && this.readyState === "open"
      ? showMessagesOut(this, encoded, flags, options)
      : undefined;
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
    if (this.readyState === "open") trace.traceState(this, "closing");
    this.readyState = "closing";
    const waiting = this.server.isPlain ? this._writeBuffer?.packets.length : 0;
    if (waiting && !discard && this.transportName !== "polling") {
      // the worker has them; who listens for what leaves is told before the end. A Socket.IO server ends its sockets at once
      debug("there are %d remaining packets in the buffer, waiting for the 'drain' event", waiting);
      this.once("drain", () => this.closeTransport(false));
      return this;
    }
    this.closeTransport(!!discard);
    return this;
  }

  /** @param {boolean} discard @private */
  closeTransport(discard) {
    if (this.readyState === "closed") return;
    this._border.operations.close(this, discard);
    if (debug.enabled) debug("closing the transport (discard? %s)", discard);
    if (discard || this.transportName !== "polling") this.onclose("forced close");
  }

  /**
   * Ends the session, as upstream's transports do it.
   *
   * @param {string} reason
   * @param {any} [description]
   */
  onClose(reason, description) {
    if (this.readyState === "closed") return;
    this._border.operations.close(this, true);
    this.onclose(reason, description);
  }

  /** The same after an error. @param {any} error */
  onError(error) {
    this.onClose("transport error", error);
  }

  // --- from the border ---

  /**
   * @param {any} auth
   * @param {string} nsp
   */
  onconnect(auth, nsp) {
    if (this._observed & INCOMING) showPacketIn(this, RecordKind.CONNECT, nsp, undefined, auth);
    // In a tick of its own, so after the end of an earlier connection: the client may be back, for the state that it left there.
    if (this._client !== undefined) nextTick(connect, this._client, nsp, auth === null ? {} : auth);
  }

  /**
   * @param {number} type
   * @param {string} nsp
   * @param {number} id -1 when there is none
   * @param {any} data
   * @param {Buffer[] | null} attachments
   */
  onpacket(type, nsp, id, data, attachments) {
    if (this._observed & INCOMING)
      showPacketIn(this, type, nsp, id < 0 ? undefined : id, data, attachments);
    if (this._client !== undefined) this._client.onpacket(type, nsp, id, data, attachments);
  }

  /** @param {string | Buffer} data a message of a client of a server with a parser of its own */
  onmessage(data) {
    if (this._observed & INCOMING) showMessageIn(this, data);
    if (this._client !== undefined) this._client.ondata(data);
  }

  /**
   * @param {import("../border/border").SessionRecord} kind
   * @param {any} argument
   * @param {any} more
   */
  onrecord(kind, argument, more) {
    switch (kind) {
      case RecordKind.CLOSED:
        // What a program puts off when it gets a message, to a tick or a promise, comes before its client's leaving: event
        // middlewares do so, and async handlers. Upstream hears of that in a later turn of the event loop; one batch may have both.
        if (argument === "transport close") setImmediate(end, this, argument, more);
        else this.onend(argument, more);
        break;
      case RecordKind.UPGRADING:
        this._probe?.announce();
        this._probe = new Probe(this, argument);
        break;
      case RecordKind.UPGRADED: {
        this._probe?.announce();
        // close() was called while this record was on its way: the program has been told of the end
        if (this.readyState === "closed") break;
        const probe = this._probe;
        this._probe = undefined;
        if (probe !== undefined) probe.state = "over";
        this.upgrading = false;
        this.upgraded = true;
        this.enterBy(doorOf(this._border, argument));
        this.replaceTransport(probe?.transport);
        if (this.listenerCount("upgrade") > 0) this.emit("upgrade", this.transport);
        this._writeBuffer?.flush();
        break;
      }
      case RecordKind.CONNECT_TIMEOUT:
        if (this._client !== undefined) this._client.onconnectTimeout();
        break;
      case RecordKind.INVALID_PACKET:
        // the worker closes the session by itself
        if (this._client !== undefined) this._client.onerrors(new Error(argument));
        break;
      case RecordKind.DRAIN:
        this._writeBuffer?.ondrain(argument);
        break;
      case RecordKind.CONTROL:
        if (argument === 1) showControlOut(this, more);
        else showControlIn(this, more);
        break;
      default:
        unknownRecord(kind);
    }
  }

  /**
   * The worker has closed the session.
   *
   * @param {any} reason
   * @param {any} error
   */
  onend(reason, error) {
    const onhanded = this._onhanded;
    if (reason === HANDED_OVER && onhanded !== undefined) {
      this._isGone = this.readyState !== "closed"; // else the program has just closed it, and was told
      this.readyState = "closed"; // nothing that the program does ends it any more
      this._client?.ongone();
      onhanded(true);
      return;
    }
    try {
      this.conclude(reason, error);
    } finally {
      onhanded?.(false);
    }
  }

  /** @param {any} reason @param {any} error @private */
  conclude(reason, error) {
    try {
      this._probe?.announce();
      if (error === WRITE_ERROR && !FAILS_BROKEN_WRITES) this.forgiveWrites();
      else if (reason === PARSE_ERROR) this.endInvalid();
      else this.onclose(reason, endError(error));
    } finally {
      // whatever a handler throws
      this._border.forget(this);
      this.server.unref();
    }
  }

  /**
   * What the client has sent is no packet: to programs, it is one that says so.
   *
   * @private
   */
  endInvalid() {
    try {
      showInvalidIn(this);
    } finally {
      this.onclose(PARSE_ERROR);
    }
  }

  /**
   * The connection broke while packets were being written, on a version of Node.js that takes them for sent.
   *
   * @private
   */
  forgiveWrites() {
    try {
      this._writeBuffer?.ondrainAll();
    } finally {
      this.onclose("transport close");
    }
  }

  /**
   * @param {string} reason
   * @param {Error} [description]
   */
  onclose(reason, description) {
    if (this.readyState === "closed") return;
    trace.traceTransportEnd(this.transportName);
    trace.traceState(this, "closed");
    this.readyState = "closed";
    this.server.onclosed(this, reason);
    if (this._observed & OUTGOING) this._border.countObserver(-1);
    this._observed = 0;
    this._writeBuffer?.clear();
    const client = this._client;
    this._client = undefined;
    if (reason === HANDED_OVER) client?.onhandedover();
    else if (client !== undefined) client.onclose(reason, description);
    this.emit("close", reason, description);
    const transport = this._transport;
    if (description !== undefined && transport?.listenerCount("error"))
      transport.emit("error", description);
    transport?.end();
  }

  // --- the upgrade ---

  /**
   * A transport takes over.
   *
   * @param {Door | undefined} door by which it has come; undefined: it has gone already
   * @private
   */
  enterBy(door) {
    const { transport, takesBytes } = door ?? GONE;
    trace.traceUpgrade(this, transport);
    this.transportName = transport;
    this._takesBytes = takesBytes;
    if (door !== undefined) {
      this.door = door.kind;
      this.doorReason = door.reason;
      door.request = undefined;
      door.probeOf = undefined;
    }
    this.server.onupgraded(this);
  }

  /** @param {number} token that of the WebSocket which probes, or has: it has ended */
  onProbeEnd(token) {
    if (this._probe?.token === token) this._probe.onend();
  }

  /**
   * @param {Transport | undefined} next undefined: no program has been shown it
   * @private
   */
  replaceTransport(next) {
    const before = this._transport;
    this._transport = next;
    before?.replace();
    before?.end();
  }

  // --- listeners: what nobody listens to is not sent up by the worker ---

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  on(name, listener) {
    super.on(name, listener);
    this.observe();
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
    this.observe();
    return this;
  }

  /**
   * @param {string | symbol} name
   * @param {(...args: any[]) => void} listener
   */
  removeListener(name, listener) {
    super.removeListener(name, listener);
    this.observe();
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
    this.observe();
    return this;
  }

  /** Tells the worker what is listened to; called when that may have changed. */
  observe() {
    if (this.readyState === "closed") return;
    if (this._writeBuffer === undefined && (debug.enabled || wantsFlushes(this)))
      this._writeBuffer = new WriteBuffer(this);
    const observed = observedOf(this, this._transport, debug.enabled);
    const before = this._observed;
    if (before === observed) return;
    this._observed = observed;
    if ((before ^ observed) & OUTGOING) this._border.countObserver(observed & OUTGOING ? 1 : -1);
    if (!(before & REQUESTS) !== !(observed & REQUESTS))
      this.server.showRequests(this.id, (observed & REQUESTS) !== 0);
    if ((before ^ observed) & CONTROL) this._border.operations.observe(this, observed & CONTROL);
  }

  /**
   * Lets the listeners of the transport change the headers of a polling answer.
   *
   * @param {Record<string, any>} headers
   * @param {any} req
   */
  showHeaders(headers, req) {
    if (this._observed & HEADERS) this._transport?.emit("headers", headers, req);
  }
}

assignable(Conn.prototype, "remoteAddress", "bufferedAmount", "packetsFn", "sentCallbackFn");

function nothing() {
  return undefined;
}

/**
 * @param {Conn} conn
 * @param {any} reason
 * @param {any} error
 */
function end(conn, reason, error) {
  conn.onend(reason, error);
}

/**
 * @param {Receiver} client
 * @param {string} nsp
 * @param {any} auth
 */
function connect(client, nsp, auth) {
  client.onconnectPacket(nsp, auth);
}

module.exports = { Conn };
