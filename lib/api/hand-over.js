"use strict";

// `io.handOver()`: the clients go to another process, which has `takeOver` of the same path (take-over.js), and notice nothing.
//
//     offered ──the other one is there──► greeted ──it is ready──► frozen: nobody is accepted or read, and the program finishes
//     what it was given ──► sent: all sessions go at once ──the other one serves──► closed
//
//     nobody comes, the other one goes or refuses, or this program wants to stay: this process serves on
//     the other one speaks another version: it serves whoever comes, and when it does, the clients are let go as by `io.drain()`
//
// Once all has been sent there is no way back: only the addon knows then who serves, by what src/handover/serving.rs says.
//
// A client that has gone over is not disconnected: its sockets here tell nothing, but to who waits for an answer of it. What can't
// be carried (TLS of Node.js, compression, an upgrade under way) is closed as any connection may be, and comes back by itself, to
// the other process.

const debug = require("debug")("socket.io:handover");
const { HandoverEvent, Returned } = require("../border");
const { Engine } = require("../engine");
const { HandoverChannel } = require("./handover-channel");
const { reasonAgainstPeer, StateWriter, writeHello, writeNumber } = require("./handover-states");
const {
  handoverFailed,
  handoverPath,
  handoverUnsupported,
  invalidOption,
  nobodyTakesOver,
  serverClosed,
} = require("../base/errors");
const loop = require("../base/loop");
const { listensOnTcp } = require("../node");

/** @typedef {import("../engine/conn").Conn} Conn */
/** @typedef {import("./client").Client} Client */
/** @typedef {import("./drain").DrainOptions} DrainOptions */
/** @typedef {import("./handover-tuples").SessionState} SessionState */

/** Answers that clients wait for, to events that came in one stretch of time. @typedef {{ count: number }} Owed */

/** A session that has been given to the workers, and whether it has gone over. @typedef {{ conn: Conn, gone: Promise<boolean> }} Going */

/** @typedef {{ name: string, _ids: number, adapter: import("./adapter").SomeAdapter }} Namespace */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {unknown} engine
 * @property {unknown[]} _engines
 * @property {boolean} _foreignParser
 * @property {boolean} _carries whether its sockets have what is carried here
 * @property {Owed} _owed counts those of events that come now
 * @property {Map<string, Namespace>} _nsps
 * @property {{ dropLate: () => void } | undefined} _takeOver by which its clients have come
 * @property {() => Promise<void>} close
 * @property {(options: DrainOptions) => Promise<{ clients: number }>} drain
 */

/**
 * How it is done.
 *
 * @typedef {object} HandOverOptions
 * @property {number} [within] ms in which the other process has to come and to be ready; Infinity: whenever it is
 * @property {number} [ready] ms in which it has to be ready from when it has come; Infinity: whenever it is
 * @property {number} [settle] ms that the program has, for what it was given last, to answer it, and for `finish`
 * @property {() => unknown} [finish] called when nothing more comes from clients, and awaited
 * @property {AbortSignal} [signal] nobody is to come any more; who has come and is not ready is sent away
 * @property {DrainOptions} [drain] how the clients are let go when the other process speaks another version
 */

/**
 * What came of it.
 *
 * @typedef {object} HandedOver
 * @property {number} clients those that there were
 * @property {number} moved those that have gone over; the others come back by themselves
 * @property {string} [reason] why none has, and all were let go
 */

const WITHIN = 30_000;
/** More than a program needs to start: one that hangs keeps the next one from the clients. */
const READY = 120_000;
const SETTLE = 1000;
/** ms between two tries to offer, where there are no descriptors. */
const AGAIN = 100;
/** The longest time of Node's timers, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** ms between two looks at what is still to be done. */
const STEP = 5;
/** So many sessions go together: a worker, and the other process, have something to do soon, and are not woken for each. */
const TOGETHER = 64;

const TOO_MANY_FILES = "this process may open no more files: raise its limit (ulimit -n)";

/** A hand-over, from its offer on. */
class HandOver {
  /**
   * @param {Server} server
   * @param {unknown} path
   * @param {HandOverOptions} options
   */
  constructor(server, path, options) {
    /** @private */
    this._options = checked(options);
    /** @private */
    this._path = checkPath("path of io.handOver()", path);
    /** @private */
    this._server = server;
    /** @private */
    this._engine = engineOf(server);
    /** @private */
    this._acceptor = /** @type {NonNullable<Engine["acceptor"]>} */ (this._engine.acceptor);
    this._engine.nativeId(); // the workers are there
    /** @private */
    this._border = this._engine.border();
    /** @type {import("./handover-states").NamespaceState[]} @private what the other process has been told of the namespaces */
    this._handed = [];
    /** @private */
    this._stretches = new Stretches(server, this._options.settle);
    /** @type {HandoverChannel | undefined} @private undefined: there are no descriptors for it yet */
    this._opened = this.open();
    /** @type {Error | undefined} @private why it is to end before there are */
    this._cancelled = undefined;
  }

  /** @private @returns {HandoverChannel} */
  get _channel() {
    return /** @type {HandoverChannel} */ (this._opened);
  }

  /**
   * @returns {HandoverChannel | undefined} undefined: this process may open no more files for now
   * @throws {Error} when the clients can't be offered there
   * @private
   */
  open() {
    const number = offer(this._border, this._path);
    return number === undefined ? undefined : new HandoverChannel(this._border, number);
  }

  /**
   * Waits until there are descriptors for the offer: a process that is at its limit goes on serving, and is restarted with a higher one.
   *
   * @private
   */
  async untilOpened() {
    const { signal, within } = this._options;
    const longest = performance.now() + within;
    while (this._opened === undefined) {
      await pause(AGAIN);
      if (this._cancelled !== undefined) throw this._cancelled;
      signal?.throwIfAborted();
      if (performance.now() >= longest) throw handoverFailed(TOO_MANY_FILES);
      this._opened = this.open();
    }
  }

  /**
   * Ends it, as long as there is a way back: all stays here.
   *
   * @param {Error} error
   */
  cancel(error) {
    this._cancelled = error;
    this._opened?.fail(error);
  }

  /** @returns {Promise<HandedOver>} */
  async run() {
    if (this._opened === undefined) await this.untilOpened();
    const { _channel: channel } = this;
    let why = "the clients have gone";
    try {
      const reason = await this.meet();
      if (reason !== undefined) return await this.letGo(reason);
      this._stretches.next();
      return await this.send();
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      channel.end(why);
    }
  }

  /**
   * Waits until the other process is there, and ready.
   *
   * @returns {Promise<string | undefined>} why it can't have the clients, if so
   * @private
   */
  async meet() {
    const { _channel: channel, _path: path } = this;
    const { ready: longest, signal, within } = this._options;
    const onabort = () => channel.fail(/** @type {AbortSignal} */ (signal).reason);
    const coming = later(within, () => channel.fail(nobodyTakesOver(path, within)));
    /** @type {NodeJS.Timeout | undefined} */
    let starting;
    if (signal?.aborted) onabort();
    else signal?.addEventListener("abort", onabort);
    try {
      debug("offered on %s", path);
      const peer = await channel.until(HandoverEvent.PEER);
      starting = later(longest, () => channel.fail(handoverFailed(notReady(longest))));
      const reason = String(peer.values[2]) || reasonAgainstPeer(peer.buffers[0], true);
      this._stretches.next();
      const descriptors = this._acceptor.descriptors();
      greet(this._border, channel, descriptors);
      const ready = await channel.until(HandoverEvent.READY);
      return reason || String(ready.values[0]) || undefined;
    } finally {
      clearTimeout(coming);
      clearTimeout(starting);
      signal?.removeEventListener("abort", onabort);
    }
  }

  /**
   * Nothing can be handed over but the port: the other process has that, and when it serves, the clients are let go.
   *
   * @param {string} reason
   * @returns {Promise<HandedOver>}
   * @private
   */
  async letGo(reason) {
    const { _acceptor: acceptor, _channel: channel } = this;
    debug("nothing can be handed over: %s", reason);
    try {
      await acceptor.pause();
      if (channel.failure !== undefined) throw channel.failure;
      channel.decide();
      this._border.native.partHandover(channel.number, reason);
      await channel.until(HandoverEvent.SENT);
    } catch (error) {
      debug("it has failed: %s", error);
      acceptor.resume();
      throw error;
    }
    debug("the other process serves, and the clients are let go");
    const { clients } = await this._server.drain(this._options.drain ?? {});
    return { clients, moved: 0, reason };
  }

  /**
   * Nobody is accepted or read any more, what was given to the program is finished, and all goes.
   *
   * @returns {Promise<HandedOver>}
   * @private
   */
  async send() {
    const { _acceptor: acceptor, _border: border, _channel: channel } = this;
    const { _engine: engine, _server: server } = this;
    const { native } = border;
    const id = engine.nativeId();
    debug("the other process is ready");
    engine.isLeaving = true;
    /** @type {Going[]} */
    const going = [];
    /** @type {boolean[]} */
    let gone;
    try {
      await acceptor.pause();
      debug("nobody is accepted");
      server._takeOver?.dropLate();
      native.freezeHandover(channel.number, id);
      for (let left = native.workers; left > 0; left--) await channel.until(HandoverEvent.FROZEN);
      debug("nothing more is read");
      this._stretches.next();
      await this.settle();
      debug("the program has finished");
      if (channel.failure !== undefined) throw channel.failure;
      this.handAll(going);
      debug("%d clients go", going.length);
      channel.decide();
      native.finishHandover(channel.number, id, Buffer.alloc(0));
      gone = await channel.unlessFailed(Promise.all(going.map((each) => each.gone)));
      debug("they have gone");
      await channel.until(HandoverEvent.SENT);
    } catch (error) {
      debug("it has failed: %s", error);
      for (const each of going)
        void each.gone.then((isGone) => isGone && loop.nextTick(giveUp, each.conn));
      for (const { name, recovery } of this._handed)
        if (recovery !== undefined) server._nsps.get(name)?.adapter.takeBack?.(recovery.next);
      native.thawHandover(channel.number, id);
      engine.isLeaving = false;
      engine.hasGone = false;
      acceptor.resume();
      await turn(); // of those who have gone nothing is left
      throw error;
    }
    debug("the other process serves");
    for (const [i, { conn }] of going.entries()) if (gone[i]) loop.nextTick(leave, conn);
    await turn();
    const isOver = await acceptor.end();
    debug("%s", isOver ? "no connection is left" : "some connections are left");
    const closed = server.close();
    if (isOver) await closed; // else it ends with the requests that the program is at
    debug("closed");
    return { clients: gone.length, moved: gone.filter(Boolean).length };
  }

  /**
   * The program finishes what it has been given.
   *
   * @private
   */
  async settle() {
    const { finish } = this._options;
    await turn(); // what has come is handled in ticks
    await turn();
    const longest = performance.now() + this._options.settle;
    let isFinished = finish === undefined;
    if (finish !== undefined) {
      const done = () => (isFinished = true);
      Promise.resolve(finish()).then(done, (error) => {
        done();
        this._channel.fail(error);
      });
    }
    const isSettled = () =>
      isFinished && this._engine.receiving === 0 && this._stretches.areSettled();
    while (!isSettled() && performance.now() < longest) {
      if (this._channel.failure !== undefined) return;
      await pause(STEP);
    }
    await turn(); // what was sent in between is on its way
  }

  /**
   * Hands all sessions over, in one go: nothing that this program sends comes between two of them. The other process begins with the
   * first ones meanwhile.
   *
   * @param {Going[]} going gets all of them, one by one: whatever is thrown, those that have gone are known
   * @private
   */
  handAll(going) {
    const { _border: border, _channel: channel, _engine: engine, _server: server } = this;
    const writer = new StateWriter((bytes) => border.native.stateHandover(channel.number, bytes));
    const namespaces = Array.from(server._nsps.values(), namespaceState);
    this._handed = namespaces;
    writer.writeCommon({ namespaces });
    for (const nsp of server._nsps.values()) writeLog(writer, nsp);
    engine.hasGone = true;
    /** @type {Conn[]} */
    const anew = [];
    /** @type {{ conn: Conn, state: SessionState }[]} */
    let some = [];
    let count = 0;
    const send = () => {
      const written = writer.writeSessions(some.map(({ state }) => state));
      writer.end();
      for (const [i, { conn }] of some.entries()) {
        if (written[i] === undefined) anew.push(conn);
        else going.push({ conn, gone: conn.handOver(channel.number, writeNumber(count++)) });
        if (written[i]?.isWhole === false)
          debug("not all of the data of %s can be carried", conn.id);
      }
      border.operations.flush();
      some = [];
    };
    for (const conn of engine.sessions.values()) {
      if (conn.readyState !== "open") continue;
      const state = carried(conn);
      if (state === undefined) anew.push(conn);
      else if (some.push({ conn, state }) === TOGETHER) send();
    }
    send();
    // last, as their listeners may send something, or throw
    for (const conn of anew) {
      going.push({ conn, gone: Promise.resolve(false) });
      closeAside(conn);
    }
    border.operations.flush();
  }
}

/** When what clients wait for was asked, in stretches: who has not been answered for long is not going to be. */
class Stretches {
  /**
   * @param {Server} server
   * @param {number} settle ms that the program has to answer what was asked in a stretch, from its end on
   */
  constructor(server, settle) {
    /** @private */
    this._server = server;
    /** @private */
    this._settle = settle;
    /** @type {{ owed: Owed, until: number }[]} @private */
    this._past = [];
    this.next();
  }

  /** Another one begins. */
  next() {
    const { _server: server } = this;
    this._past.push({ owed: server._owed, until: performance.now() + this._settle });
    server._owed = { count: 0 };
  }

  /** @returns {boolean} whether all is answered that still may be */
  areSettled() {
    const now = performance.now();
    return this._past.every(({ owed, until }) => owed.count <= 0 || now >= until);
  }
}

/**
 * @param {Namespace} nsp
 * @returns {import("./handover-states").NamespaceState}
 */
function namespaceState({ name, _ids: ids, adapter }) {
  return { name, ids, recovery: adapter.carry?.() };
}

/**
 * @param {Conn} conn
 * @returns {SessionState | undefined} what another process needs to know of it; undefined: it begins anew
 */
function carried(conn) {
  try {
    return /** @type {Client | undefined} */ (conn._client)?.carry();
  } catch (error) {
    debug("the state of %s can't be read: %s", conn.id, error); // what a program has put there: it keeps nobody else here
    return undefined;
  }
}

/**
 * Writes what is kept for those who were lost.
 *
 * @param {StateWriter} writer
 * @param {Namespace} nsp
 */
function writeLog(writer, { name, adapter }) {
  const log = adapter.carry?.();
  if (log === undefined || adapter.carryPackets === undefined) return;
  for (let at = log.first; at < log.next;) {
    const packets = adapter.carryPackets(at);
    if (packets.length === 0) break;
    writer.writePackets(name, packets);
    at += packets.length;
  }
  for (const lost of adapter.carryLost?.() ?? []) writer.writeLost(name, lost);
}

/**
 * @param {Server} server
 * @returns {Engine}
 * @throws {Error} when its clients can't be handed over
 */
function engineOf(server) {
  const { engine } = server;
  if (!(engine instanceof Engine) || engine.acceptor === undefined)
    throw handoverUnsupported("the server is not attached to an HTTP server");
  if (engine.isClosed()) throw serverClosed();
  if (engine.httpServer?.listening && !listensOnTcp(engine.httpServer))
    throw handoverUnsupported(
      "the HTTP server listens on no TCP port of its own: the file of a Unix socket goes when it is closed, and a cluster's port is its primary's",
    );
  if (server._engines.length !== 1)
    throw handoverUnsupported("the server is attached to more than one HTTP server");
  if (!server._carries) throw handoverUnsupported("the server is that of the entry for 2.x");
  if (server._foreignParser)
    throw handoverUnsupported("a `parser` of the program's own may have half a packet");
  return engine;
}

/**
 * @param {HandOverOptions} options
 * @returns {HandOverOptions & { within: number, ready: number, settle: number }}
 */
function checked(options) {
  const { within = WITHIN, ready = READY, settle = SETTLE, finish, signal, drain } = options;
  for (const [name, value] of Object.entries({ within, ready, settle }))
    if (typeof value !== "number" || !(value >= 0))
      throw invalidOption(`option ${name}`, value, "give a number of milliseconds from 0 on");
  if (finish !== undefined && typeof finish !== "function")
    throw invalidOption("option finish", finish, "give a function");
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidOption("option signal", signal, "give the signal of an AbortController");
  return { within, ready, settle, finish, signal, drain };
}

/**
 * Offers the clients.
 *
 * @param {import("../border/border").Border} border
 * @param {string} path
 * @returns {number | undefined} that of the hand-over; undefined: this process may open no more files for now
 * @throws {Error} when it can't be done there
 */
function offer({ native }, path) {
  const what = "path of io.handOver()";
  /** @type {number} */
  let number;
  try {
    number = native.offerHandover(path);
  } catch (error) {
    throw handoverPath(what, path, error);
  }
  switch (number) {
    case Returned.HANDOVER_OFFERED:
      throw handoverPath(
        what,
        path,
        "clients are offered there already: await that hand-over, end the other process, or give another path",
      );
    case Returned.OTHER_FILE:
      throw handoverPath(
        what,
        path,
        "there is a file that is none of a socket: remove it, or give another path",
      );
    case Returned.NO_HANDING:
      throw handoverUnsupported("that takes Linux, with /proc");
    case Returned.TOO_MANY_FILES:
      return undefined;
    default:
      return number;
  }
}

/**
 * Answers the process that has come.
 *
 * @param {import("../border/border").Border} border
 * @param {HandoverChannel} channel
 * @param {number[]} descriptors of the sockets that listen
 * @throws {Error} when the system says so
 */
function greet({ native }, { number }, descriptors) {
  try {
    native.greetHandover(number, writeHello(), descriptors);
  } catch (error) {
    throw handoverFailed(error instanceof Error ? error.message : String(error));
  }
}

/** Bytes that the path of a Unix socket may have, without the ending that the addon gives it while a hand-over is under way. */
const LONGEST_PATH = 107 - ".busy".length;

/**
 * @param {string} what
 * @param {unknown} path
 * @returns {string}
 * @throws {TypeError} when it can't be that of a Unix socket
 */
function checkPath(what, path) {
  if (
    typeof path === "string" &&
    path !== "" &&
    Buffer.byteLength(path) <= LONGEST_PATH &&
    !path.includes("\0")
  )
    return path;
  const fix = `give the path of a file, of ${LONGEST_PATH} bytes at most: it is that of a Unix socket`;
  throw invalidOption(what, path, fix);
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>} the same; rejected with the reason of the signal if that comes first
 */
async function unlessAborted(promise, signal) {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  /** @type {(() => void) | undefined} */
  let onabort;
  const aborted = new Promise((_resolve, reject) => {
    onabort = () => reject(signal.reason);
    signal.addEventListener("abort", onabort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", /** @type {() => void} */ (onabort));
  }
}

/**
 * @param {number} milliseconds
 * @param {() => void} call
 * @returns {NodeJS.Timeout | undefined} undefined: that is too far away, and it is never called
 */
function later(milliseconds, call) {
  return milliseconds > LONGEST_TIMER ? undefined : setTimeout(call, milliseconds);
}

/** @param {number} longest ms @returns {string} */
function notReady(longest) {
  return `the other process has come, and did not listen within ${longest} ms: look what it waits for, or give it longer by the option ready`;
}

/** @param {Conn} conn ends here, in a tick of its own, as the program may throw */
function leave(conn) {
  conn.leave();
}

/** @param {Conn} conn ends here, and the other process has not got it: its client comes back, and may be recovered */
function giveUp(conn) {
  const client = /** @type {Client | undefined} */ (conn._client);
  try {
    client?.persist();
  } finally {
    conn.leave();
  }
}

/** @param {Conn} conn is closed; what the program throws then is thrown in a tick of its own, and keeps nobody else here */
function closeAside(conn) {
  try {
    conn.close(true);
  } catch (error) {
    loop.nextTick(raise, error);
  }
}

/** @param {unknown} error */
function raise(error) {
  throw error;
}

/** @returns {Promise<void>} resolved when the event loop has gone round, with all its ticks */
function turn() {
  return new Promise((resolve) => loop.setImmediate(resolve));
}

/**
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
function pause(milliseconds) {
  return new Promise((resolve) => loop.setTimeout(resolve, milliseconds));
}

module.exports = { checkPath, HandOver, unlessAborted };
