"use strict";

const debug = require("debug")("socket.io:border");
const {
  Handle,
  HandoverEvent,
  RecordKind,
  RecordSentinel,
  SessionFlag,
  Token,
} = require("../../native/border");
const { channels } = require("../base/channels");
const { Bodies } = require("./bodies");
const { Operations } = require("./operations");
const { Orphan } = require("./orphan");
const { carriesBuffer, SideData } = require("./side-data");
const { clearInterval, nextTick, setImmediate, setInterval } = require("../base/loop");

// Taken when this is loaded: a program may put another one in its place, and that sees what clients send one by one, not what
// many have sent, in the addon's own form; if it throws, it loses nobody else's events.
const { parse } = JSON;

const { WORKER_BITS } = Handle;
const { ADOPTED } = SessionFlag;
/** How many buffers travel beside a HANDOVER, by its event; none beside others. @type {Readonly<Record<number, number>>} */
const HANDOVER_BUFFERS = Object.freeze({
  [HandoverEvent.PEER]: 1,
  [HandoverEvent.CONNECTION]: 2,
  [HandoverEvent.END]: 1,
  [HandoverEvent.STATE]: 1,
});
const MAX_WORKERS = 1 << WORKER_BITS;
const WORKER_MASK = MAX_WORKERS - 1;
const MAX_UNANNOUNCED = 32; // new connections that wait until the workers are woken, at most
const LONGEST_TIMER = 2 ** 30; // ms
const LATE = 1000; // ms for which what the workers have may wait; beyond, it is remembered
const TURNS = 3; // in which a connection is accepted, its request read and handed to a worker
const MOST_TURNS = 1024; // twice the connections that may wait to be accepted (`backlog`: 511); Node.js accepts one a turn

/** @typedef {import("../../native/border").AnyRecordKind} AnyRecordKind */
/** @typedef {import("../../native").DataPlane} DataPlane */
/** @typedef {import("../../native").ServerConfig} ServerConfig what the workers need to know of a server */
/** @typedef {import("./operations").Named} Named */

/**
 * The records of a session that are packets.
 *
 * @typedef {typeof RecordKind.EVENT | typeof RecordKind.ACK | typeof RecordKind.DISCONNECT |
 *   typeof RecordKind.CONNECT_ERROR} PacketRecord
 */

/**
 * The records of a session that tell what has become of it.
 *
 * @typedef {typeof RecordKind.CLOSED | typeof RecordKind.UPGRADING | typeof RecordKind.UPGRADED |
 *   typeof RecordKind.CONNECT_TIMEOUT | typeof RecordKind.INVALID_PACKET | typeof RecordKind.DRAIN |
 *   typeof RecordKind.CONTROL} SessionRecord
 */

/**
 * The records of an HTTP request, or of a connection that a worker has.
 *
 * @typedef {typeof RecordKind.RESPONSE | typeof RecordKind.DROP_REQUEST | typeof RecordKind.REQUEST_REFUSED |
 *   typeof RecordKind.BRIDGE_WRITE | typeof RecordKind.BRIDGE_PAUSE | typeof RecordKind.BRIDGE_RESUME |
 *   typeof RecordKind.WIRE_CLOSED | typeof RecordKind.GIVEN_BACK | typeof RecordKind.RELAY_BROKEN} DoorRecord
 */

/**
 * Who is told what comes of a session, in the order of the wire.
 *
 * @typedef {object} SessionListener
 * @property {(auth: any, nsp: string) => void} onconnect
 * @property {(kind: PacketRecord, nsp: string, id: number, data: any, attachments: Buffer[] | null) => void} onpacket
 *   `id`: -1 when there is none
 * @property {(data: string | Buffer) => void} onmessage what came, when the server has a parser of its own
 * @property {(kind: SessionRecord, first: any, second: any) => void} onrecord called in a tick of its own, but for CONTROL
 */

/**
 * Where a connection comes from and where it has come to, as a worker has read it.
 *
 * @typedef {{ address: string, port: number, localAddress: string, localPort: number }} Addresses
 */

/**
 * Who is told of the sessions of a server.
 *
 * @typedef {object} SessionOwner
 * @property {(name: Named, sid: string, flags: number, token: number, addresses?: Addresses, told?: Buffer) => SessionListener | undefined} onopen
 *   `flags`: bits of SessionFlag; `token`: of the door by which it has come; `told`: what the process says that has handed it over
 * @property {() => void} onlimited handshakes have been refused for its limits
 */

/**
 * Who is told what comes of a request or a connection, by its token.
 *
 * @typedef {object} DoorListener
 * @property {(kind: DoorRecord, first: number | undefined, second: number | undefined, buffer: Buffer | undefined) => void} onrecord
 */

/**
 * Who is told of the connections that a worker accepts for an HTTP server.
 *
 * @typedef {object} ServerListener
 * @property {(token: number, text: string, tls: string | undefined, addresses: Addresses | undefined) => boolean} onarrived it has taken one, whose first request
 *   is described; false: it must not have it
 * @property {(message: string, address: string, port: number) => void} onhandshakefailed it has closed one with which TLS could not
 *   be begun
 * @property {(token: number, addresses: Addresses | undefined) => void} onforeign it has not taken one, which waits to be fetched
 * @property {(token: number, addresses: Addresses, tls: string | undefined) => void} onrelayed it relays one, whose other end
 *   waits to be fetched
 * @property {(more: boolean) => void} onnewcomer it waits for the first request of one connection more, or of one less
 * @property {() => void} onunlistened it accepts no more; told once for each `listen()`
 * @property {() => void} check a turn of the event loop ends
 */

/**
 * Who is told of a hand-over of clients to another process, or from one.
 *
 * @typedef {object} HandoverListener
 * @property {(event: import("../../native/border").AnyHandoverEvent, values: any[], buffers: Buffer[]) => void} onhandover
 *   called at once, and not in a tick of its own
 */

/**
 * Who has to know whether there are observers.
 *
 * @typedef {object} Watcher
 * @property {() => void} onwatched there is one now, or none any more
 */

/**
 * Who reads the sockets: this thread while it has time, else the workers ("load"); always the workers; or always this thread,
 * unless it is blocked.
 *
 * @typedef {"load" | "workers" | "javascript"} Reader
 */

/**
 * This thread's border to the workers: records come up in batches, operations go down in batches.
 *
 *     asleep ──the first server is opened──► awake ──the last one is closed──► asleep
 *
 * While it is awake, Node.js holds it: the workers can call it, and a timer keeps the process alive. While it is asleep,
 * only those who use it hold it, and it can be collected.
 */
class Border {
  /**
   * @param {new (workers: number, reader: string, hasLibuv: boolean) => DataPlane} NativePlane
   * @param {number} [workers] threads, if this is the first border of the process; 0: the default number
   * @param {Reader} [reader] who reads the sockets, if this is the first border of the process
   * @param {boolean} [hasLibuv] whether libuv runs the event loop of this thread
   */
  constructor(NativePlane, workers = 0, reader = "workers", hasLibuv = true) {
    this.native = new NativePlane(workers, reader, hasLibuv);
    /** whether the addon can reach the event loop of this thread */
    this.reachesLoop = this.native.reachesLoop();
    const { take, flush } = this.native.functions();
    this.take = take;
    this.operations = new Operations(flush, (bytes) => this.native.attach(bytes));
    /** @type {string[]} names of events that have come before: the addon puts them there */
    this.names = [];
    /** @type {(SessionListener | undefined)[][]} by the worker, then by the slot */
    this.tables = Array.from({ length: MAX_WORKERS }, () => []);
    /** @type {Map<number, SessionOwner>} by server id */
    this.owners = new Map();
    /** @type {Map<number, DoorListener>} by token */
    this.doors = new Map();
    this.lastToken = 0;
    /** @type {Map<number, ServerListener>} by the numbers of their HTTP servers; some may not listen any more */
    this.listeners = new Map();
    /** @type {Map<number, HandoverListener>} by the numbers of the hand-overs that are under way */
    this.handovers = new Map();
    /** @type {ServerListener[]} those for which a worker accepts now; never changed, as each turn goes through it */
    this.accepting = [];
    /** @type {Set<number>} the servers that are to hear of their sessions before anybody else: those without Socket.IO */
    this.early = new Set();
    /** @private whether the end of each turn of the event loop is told */
    this._watchesTurns = false;
    this.lastRoom = -1;
    /** number of connections with "packetCreate" listeners, who must be shown the packet of a broadcast */
    this.observers = 0;
    /** @type {Set<Watcher>} */
    this.watchers = new Set();
    /** number of sessions and wires: while there are any, the process stays alive */
    this.alive = 0;
    /** number of connections that have been given to workers which have not been woken for them yet */
    this.unannounced = 0;
    /** @type {number[]} tokens of connections that the workers are to end */
    this.ending = [];
    this.endWires = this.endWires.bind(this);
    this.wake = this.wake.bind(this);
    this.drain = this.drain.bind(this);
    this.receive = this.receive.bind(this);
    this.turn = this.turn.bind(this);
    this.endTurn = this.endTurn.bind(this);
    this.onexit = this.onexit.bind(this);
    this.onstay = this.onstay.bind(this);
    this.bodies = new Bodies(this.native);
    /** @type {Map<string, number>} sessions and upgrades that came no faster way, by the reason */
    this.reasons = new Map();
    /**
     * when what the workers have for this thread has last waited for very long; a shorter delay does not hide it
     *
     * @type {{ at: number, milliseconds: number } | undefined}
     */
    this.lastDelay = undefined;
    /** @type {NodeJS.Timeout | undefined} keeps the process alive; there is one while a server is open */
    this.timer = undefined;
  }

  /**
   * Opens a server.
   *
   * @param {SessionOwner} owner
   * @param {ServerConfig} config
   * @returns {number} its number
   */
  openServer(owner, config) {
    if (this.owners.size === 0) this.awaken();
    try {
      const id = this.native.openServer(config);
      this.owners.set(id, owner);
      this.setEarly(id, config.plain === true);
      return id;
    } finally {
      if (this.owners.size === 0) this.fallAsleep();
    }
  }

  /**
   * Tells the workers of options that have changed.
   *
   * @param {number} id
   * @param {ServerConfig} config
   */
  configureServer(id, config) {
    this.native.configureServer(id, config);
    this.setEarly(id, config.plain === true);
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
    this.setEarly(id, false);
    if (this.owners.size === 0) this.fallAsleep();
  }

  /** @private */
  awaken() {
    this.native.setWaker(this.drain, this.receive, this.names);
    this.timer = setInterval(noop, LONGEST_TIMER);
    if (this.alive === 0) this.timer.unref();
    process.on("exit", this.onexit);
  }

  /**
   * No server is open. Nothing that Node.js or the addon holds may lead here now: a program that loads the package again and
   * again would keep every copy, and all that it can reach.
   *
   * @private
   */
  fallAsleep() {
    process.removeListener("exit", this.onexit);
    this.native.removeWaker();
    this.listeners.clear(); // nothing more comes for them
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** @param {1 | -1} change in the number of observers */
  countObserver(change) {
    this.observers += change;
    if (this.observers <= 1) for (const watcher of this.watchers) watcher.onwatched();
  }

  /**
   * The process ends, or a worker thread does: what has been sent leaves before that, as with npm's, which writes at once. It may
   * have been sent by a handler that throws, or calls `process.exit()`, and other listeners of "exit" may send something, too.
   */
  onexit() {
    this.operations.hurry(() => this.native.settle());
    nextTick(this.onstay);
  }

  /** @private the program has only said that the process ends */
  onstay() {
    this.operations.calm();
  }

  /** @param {string} reason why a session, or an upgrade, came no faster way */
  countReason(reason) {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  /** @returns {any} what the workers and this thread have, and have counted */
  stats() {
    return { ...JSON.parse(this.native.stats()), reasons: Object.fromEntries(this.reasons) };
  }

  /**
   * @param {number} server its number; -1: it has none
   * @returns {import("./measured").Measured} what the addon has counted
   */
  measure(server) {
    return JSON.parse(this.native.metrics(server === -1 ? 0 : server));
  }

  /** Counts a session or a wire: while there is one, the process stays alive. */
  ref() {
    if (this.alive++ === 0) this.timer?.ref();
  }

  /** A session or a wire that was counted has gone. */
  unref() {
    if (--this.alive === 0) this.timer?.unref();
  }

  /**
   * Wakes the workers for a new connection, together with those that come in the same turn of the event loop: waking a thread
   * costs more than all else that is done here for a connection.
   */
  wakeSoon() {
    if (++this.unannounced === 1) setImmediate(this.wake);
    else if (this.unannounced % MAX_UNANNOUNCED === 0) this.native.wake();
  }

  /** @private */
  wake() {
    this.unannounced = 0;
    this.native.wake();
  }

  /**
   * Has a worker end a connection as if its peer had ended it, together with others of the same tick.
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
    this.operations.flush(); // what was sent before leaves first
    this.native.endWires(tokens);
  }

  /**
   * @param {DoorListener} door
   * @param {number} [token] the one that a worker has given it
   * @returns {number} the token by which the workers name it
   */
  addDoor(door, token) {
    if (token === undefined) {
      do this.lastToken = (this.lastToken + 1) % Token.OF_WORKER;
      while (this.doors.has(this.lastToken));
      token = this.lastToken;
    }
    this.doors.set(token, door);
    return token;
  }

  /**
   * A worker accepts connections from now on.
   *
   * @param {number} number that of the HTTP server
   * @param {ServerListener} listener
   * @returns {boolean} whether it is told when a turn of the event loop ends
   */
  addListener(number, listener) {
    this.listeners.set(number, listener);
    if (!this.accepting.includes(listener)) this.accepting = [...this.accepting, listener];
    return this.watchTurns();
  }

  /**
   * No worker does any more; but it may have done so just now.
   *
   * @param {number} number
   */
  removeListener(number) {
    const listener = this.listeners.get(number);
    if (listener === undefined || !this.accepting.includes(listener)) return;
    this.accepting = this.accepting.filter((other) => other !== listener);
    this.watchTurns();
  }

  /**
   * Nothing more is to come for an HTTP server.
   *
   * @param {number} number
   */
  forgetListener(number) {
    this.removeListener(number);
    this.listeners.delete(number);
  }

  /**
   * @param {number} id
   * @param {boolean} isEarly
   * @private
   */
  setEarly(id, isEarly) {
    if (isEarly) this.early.add(id);
    else this.early.delete(id);
    this.watchTurns();
  }

  /**
   * @returns {boolean} whether the end of each turn of the event loop is told; it is while somebody wants that, where it can be
   * @private
   */
  watchTurns() {
    const isWanted = this.accepting.length + this.early.size > 0;
    if (isWanted && !this._watchesTurns) this._watchesTurns = this.native.watchTurns(this.endTurn);
    else if (!isWanted && this._watchesTurns) {
      this.native.watchTurns();
      this._watchesTurns = false;
    }
    this.operations.hasTurns = this._watchesTurns;
    return this._watchesTurns;
  }

  /**
   * What the workers have told is taken before the event loop looks at its sockets: one of them may be that of a client of this
   * very program, which waits there since longer than we have been woken, and has been answered meanwhile.
   *
   * @private
   */
  takeEarly() {
    const text = this.take();
    if (text === "") return;
    this.drain(text);
    setImmediate(noop); // nothing takes the ticks here: this has Node.js do it, whatever comes
  }

  /** A turn of the event loop ends. */
  endTurn() {
    if (this.operations.scheduled) this.operations.flush(); // a handler runs the event loop, and waits for something
    if (this.early.size > 0) this.takeEarly();
    for (const listener of this.accepting) listener.check();
  }

  /** @returns {number} the number of a new room; never given out twice, so that a late operation can't mean another room */
  allocateRoom() {
    return ++this.lastRoom;
  }

  /**
   * @param {number} handle
   * @returns {SessionListener | undefined}
   */
  session(handle) {
    return this.tables[handle & WORKER_MASK][handle >>> WORKER_BITS];
  }

  /**
   * Gives back the handle of a closed session: from now on the handle may be given to another session. Does nothing when the
   * session has given it back already.
   *
   * @param {SessionListener & Named} session
   */
  forget(session) {
    const handle = session._handle;
    const table = this.tables[handle & WORKER_MASK];
    if (table[handle >>> WORKER_BITS] !== session) return;
    table[handle >>> WORKER_BITS] = undefined;
    this.operations.release(session);
    this.unref();
  }

  /** @yields {SessionListener} */
  *sessions() {
    for (const table of this.tables) {
      for (const session of table) if (session !== undefined) yield session;
    }
  }

  /**
   * Takes what the workers have for this thread, but no more than the addon gives at once: all that it is parsed into lives
   * until the last record of it has been handled. Timers and whatever else waits have their turn before more is taken.
   *
   * @param {string} [text] what has been taken already
   */
  drain(text = this.take()) {
    if (text === "") return;
    const beside = new SideData(this.native, text);
    if (beside.moreWait) setImmediate(this.drain);
    if (this.bodies.wait) this.bodies.readOn();
    for (const record of parse(text)) {
      try {
        this.dispatch(record, beside);
      } catch (error) {
        // the other records of the batch are for others
        nextTick(rethrow, error);
      }
    }
  }

  /**
   * The same for one packet of the namespace `/` with nothing beside it, which this thread has read itself.
   *
   * @param {number} kind `RecordKind.EVENT` or `RecordKind.ACK`
   * @param {number} handle
   * @param {number} id -1 when there is none
   * @param {string | number} first the JSON of its data; or the first of the one or two strings that are its data, or where in
   *   `names` that is
   * @param {string | true} [second] true: the first is JSON
   */
  receive(kind, handle, id, first, second) {
    if (this.bodies.wait) this.bodies.readOn();
    const text = typeof first === "number" ? this.names[first] : first;
    try {
      const data = second === undefined ? [text] : second === true ? parse(text) : [text, second];
      this.session(handle)?.onpacket(/** @type {PacketRecord} */ (kind), "/", id, data, null);
    } catch (error) {
      nextTick(rethrow, error);
    }
  }

  /**
   * Hands a record to whom it is for. What travels beside it is taken even when nobody wants it: what stands behind it there
   * belongs to the next records.
   *
   * @private
   * @param {any[]} record see RecordKind
   * @param {SideData} beside
   */
  dispatch(record, beside) {
    /** @type {AnyRecordKind} */
    const kind = record[0];
    switch (kind) {
      case RecordKind.EVENT:
      case RecordKind.ACK: {
        const attachments = record.length > 5 && record[5] > 0 ? beside.buffers(record[5]) : null;
        for (let i = 6; i < record.length; i++) record[3][record[i]] = beside.string();
        const session = this.session(record[1]);
        if (session === undefined) return;
        const nsp = record.length > 4 ? record[4] : "/";
        session.onpacket(kind, nsp, record[2], record[3], attachments);
        return;
      }
      case RecordKind.CONNECT:
        this.session(record[1])?.onconnect(record[3], record[2]);
        return;
      case RecordKind.DISCONNECT:
      case RecordKind.CONNECT_ERROR:
        this.session(record[1])?.onpacket(kind, record[2], -1, record[3], null);
        return;
      case RecordKind.CONTROL:
        this.session(record[1])?.onrecord(kind, record[2], record[3]); // in order with the messages
        return;
      case RecordKind.RAW_MESSAGE: {
        let data = record.length > 2 ? record[2] : beside.buffer();
        if (data === RecordSentinel.STRING_BESIDE) data = beside.string();
        this.session(record[1])?.onmessage(data);
        return;
      }
      case RecordKind.OPENED:
        this.open(record, (record[4] & ADOPTED) === 0 ? undefined : beside.buffer());
        return;
      case RecordKind.CLOSED:
      case RecordKind.UPGRADING:
      case RecordKind.UPGRADED:
      case RecordKind.CONNECT_TIMEOUT:
      case RecordKind.INVALID_PACKET:
      case RecordKind.DRAIN: {
        const session = this.session(record[1]);
        // in a tick of its own, like the events that came before it: so it stays behind them
        if (session !== undefined) nextTick(deliver, session, kind, record[2], record[3]);
        return;
      }
      case RecordKind.RESPONSE: {
        const buffer = carriesBuffer(record[3]) ? beside.buffer() : undefined;
        this.doors.get(record[1])?.onrecord(kind, record[2], record[3], buffer);
        return;
      }
      case RecordKind.BRIDGE_WRITE:
      case RecordKind.GIVEN_BACK: {
        const buffer = beside.buffer();
        this.doors.get(record[1])?.onrecord(kind, undefined, undefined, buffer);
        return;
      }
      case RecordKind.ARRIVED: {
        const text = beside.string();
        const [, token, number, tls] = record;
        const listener = this.listeners.get(number);
        if (listener?.onarrived(token, text, tls || undefined, addressesIn(record, 4)) !== true)
          this.endWire(token);
        return;
      }
      case RecordKind.FOREIGN: {
        const listener = this.listeners.get(record[2]);
        if (listener === undefined) this.native.dropStream(record[1]);
        else listener.onforeign(record[1], addressesIn(record, 3));
        return;
      }
      case RecordKind.RELAYED: {
        const [, token, number, address, port, localAddress, localPort, tls] = record;
        const listener = this.listeners.get(number);
        if (listener === undefined) this.native.dropStream(token);
        else listener.onrelayed(token, { address, port, localAddress, localPort }, tls);
        return;
      }
      case RecordKind.HANDSHAKE_FAILED:
        this.listeners.get(record[1])?.onhandshakefailed(record[2], record[3], record[4]);
        return;
      case RecordKind.UNLISTENED:
        this.listeners.get(record[1])?.onunlistened();
        return;
      case RecordKind.NEWCOMER:
        this.listeners.get(record[1])?.onnewcomer(record[2] === 1);
        return;
      case RecordKind.DROP_REQUEST:
      case RecordKind.REQUEST_REFUSED:
      case RecordKind.WIRE_CLOSED:
      case RecordKind.RELAY_BROKEN:
      case RecordKind.BRIDGE_PAUSE:
      case RecordKind.BRIDGE_RESUME:
        this.doors.get(record[1])?.onrecord(kind, record[2], record[3], undefined);
        return;
      case RecordKind.ASK_AWAKE:
        return; // it has been taken
      case RecordKind.HANDOVER:
        this.onhandover(record, beside);
        return;
      case RecordKind.LIMITED:
        this.owners.get(record[1])?.onlimited();
        return;
      case RecordKind.DELAYED:
        this.ondelay(record[1], record[2] === 1);
        return;
      case RecordKind.ASK_TURN:
        this.turn(TURNS, MOST_TURNS, this.lastToken);
        return;
      default:
        unknownRecord(kind);
    }
  }

  /**
   * @private
   * @param {any[]} record a HANDOVER
   * @param {SideData} beside
   */
  onhandover([, number, event, ...values], beside) {
    const buffers = beside.buffers(HANDOVER_BUFFERS[event] ?? 0);
    const listener = this.handovers.get(number);
    if (listener !== undefined) {
      listener.onhandover(event, values, buffers);
      return;
    }
    // nobody wants what waits to be fetched
    const [first, second] = values;
    const count =
      event === HandoverEvent.PEER ? second : event === HandoverEvent.CONNECTION ? 1 : 0;
    for (let i = 0; i < count; i++) this.native.dropStream(first + i);
  }

  /**
   * What the workers had for this thread has waited for long.
   *
   * @private
   * @param {number} milliseconds 0: it has not
   * @param {boolean} stopped so much has waited that connections were not read
   */
  ondelay(milliseconds, stopped) {
    if (milliseconds >= LATE) this.lastDelay = { at: performance.now(), milliseconds };
    const { stall, stopped: readAgain } = channels;
    if (milliseconds > 0 && stall.hasSubscribers) stall.publish({ milliseconds });
    if (stopped && readAgain.hasSubscribers) readAgain.publish({ milliseconds });
  }

  /**
   * A worker is about to give a client up, and wants this thread to look first for what that has sent: it accepts the connections
   * that wait, and reads their requests. Each takes a turn of the event loop; it has looked at all when some turns bring none.
   *
   * @private
   * @param {number} left turns, if they bring nothing
   * @param {number} most turns, whatever they bring
   * @param {number} known the token that was given out last
   */
  turn(left, most, known) {
    const { lastToken } = this;
    if (lastToken !== known) left = TURNS;
    if (left > 0 && most > 0) setImmediate(this.turn, left - 1, most - 1, lastToken);
    else if (this.native.turned()) this.turn(TURNS, MOST_TURNS, lastToken);
  }

  /**
   * @private
   * @param {any[]} record an OPENED
   * @param {Buffer} [told] what the process says that has handed it over
   */
  open(record, told) {
    const handle = record[1];
    this.ref();
    const table = this.tables[handle & WORKER_MASK];
    const slot = handle >>> WORKER_BITS;
    while (table.length <= slot) table.push(undefined); // keeps the array dense
    const generation = record[6];
    const addresses =
      record.length > 7
        ? { address: record[7], port: record[8], localAddress: record[9], localPort: record[10] }
        : undefined;
    const owner = this.owners.get(record[2]);
    const name = { _handle: handle, _generation: generation };
    const session = owner?.onopen(name, record[3], record[4], record[5], addresses, told);
    if (session === undefined) {
      debug("session %d has no owner any more", handle);
      table[slot] = new Orphan(this, name);
      this.operations.close(name, true);
    }
  }

  /**
   * @param {number} handle
   * @param {SessionListener} session
   */
  addSession(handle, session) {
    this.tables[handle & WORKER_MASK][handle >>> WORKER_BITS] = session;
  }
}

/**
 * @param {SessionListener} session
 * @param {SessionRecord} kind
 * @param {any} first
 * @param {any} second
 */
function deliver(session, kind, first, second) {
  session.onrecord(kind, first, second);
}

/**
 * No record leads here: where a kind has been forgotten, tsc says so, as it is not `never` then.
 *
 * @param {never} kind
 */
function unknownRecord(kind) {
  debug("unknown record %d", kind);
}

/** @param {unknown} error */
function rethrow(error) {
  throw error;
}

function noop() {}

/**
 * @param {any[]} record
 * @param {number} at where they stand
 * @returns {Addresses | undefined} those of a connection, if a record tells them
 */
function addressesIn(record, at) {
  if (record.length <= at) return undefined;
  const [address, port, localAddress, localPort] = record.slice(at);
  return { address, port, localAddress, localPort };
}

module.exports = { Border, MAX_WORKERS, unknownRecord };
