"use strict";

// The option `takeOver`: a server gets the clients of another process, which hands them over (hand-over.js), while they are
// connected.
//
//     asking ──nobody is there──► over: all is as without the option
//      ▲  └──greeted──► the program listens ──► ready ──► sessions come, and are kept still ──all are there──► let in ──► serves
//      │           │                              └──it speaks another version: none come──────────────────────────────────▲
//      │           └──the other process goes on, or the program closes the server──► over
//      └── it is handing its clients over to a third one: whoever has them then is asked
//
// Which of the two processes serves is for the addon to say (src/handover/serving.rs): also one that has gone in the middle leaves
// what has come.
//
// `listen()` of the HTTP server is held back: a program that listens is ready for clients, so by then its namespaces are there. It
// listens with the socket of the other process in the end, so nobody has been refused in between.
//
// All come in together. First middlewares are asked, those of the engine about each request and those of namespaces about each socket; then those that may stay are in their rooms; then the
// program hears of them, and only then is anything read of what they have sent: who is told something, or talks to a room, finds
// everybody there.

const debug = require("debug")("socket.io:handover");
const { HandoverEvent, Returned } = require("../border");
const { PacketType } = require("../codec");
const { HandoverChannel } = require("./handover-channel");
const { reasonAgainstPeer, StateReader, writeHello } = require("./handover-states");
const { readmit } = require("../engine");
const { handoverPath, handoverUnsupported } = require("../base/errors");
const loop = require("../base/loop");
const { HeldListen } = require("../ingress");

/** @typedef {import("../engine/conn").Conn} Conn */
/** @typedef {import("../engine/engine").Engine} Engine */
/** @typedef {import("./client").Client} Client */
/** @typedef {import("./handover-channel").News} News */
/** @typedef {import("./handover-tuples").SessionState} SessionState */
/** @typedef {import("./handover-tuples").SocketState} SocketState */
/** @typedef {import("./namespace").Namespace} Namespace */
/** @typedef {import("./socket").Socket} Socket */
/** @typedef {import("node:http").Server} HttpServer */

/**
 * What is asked of a server.
 *
 * @typedef {object} Server
 * @property {number} _connectTimeout ms
 * @property {{ connectionStateRecovery?: unknown }} opts
 * @property {Map<string, Namespace>} _nsps
 * @property {(name: string) => Namespace} of
 * @property {(name: string, auth: unknown, done: (allowed: unknown) => void) => void} _checkNamespace
 */

/**
 * What came of it.
 *
 * @typedef {object} TakenOver
 * @property {number} clients those that came
 * @property {number} sockets those of their sockets that were let in
 * @property {number} refused those that were not
 * @property {string} [reason] why not all came: nobody was there, it has refused, or ended
 */

/** A socket that may stay, or one that may not. @typedef {{ arrival: Arrival, nsp: string, socket: Socket | undefined }} Verdict */

/** A client that has come, and how many of its sockets it is not known of whether they may stay. @typedef {{ conn: Conn, client: Client, state: SessionState, waiting: number }} Arrival */

/** ms for which all wait for the first answer of a middleware… */
const PATIENCE = 1000;
/** …and for the next one. Who needs those that have not answered comes in later, when they do. */
const NEXT_PATIENCE = 250;
/** ms between two looks whether that has passed. */
const LOOK = 50;
/** ms between two tries to listen, while another process still does, and between two looks who may have the clients. */
const AGAIN = 50;
/** ms after which it is the program's to hear that the port is taken: by the process that has handed nothing over… */
const LONGEST_TRYING = 60_000;
/** …or by one that may be about to end. */
const LONGEST_ENDING = 2000;

const NOBODY = "nobody hands clients over";
const CLOSED = "the server has been closed";
const HTTP_CLOSED = "the HTTP server has been closed";

class TakeOver {
  /**
   * @param {Server} server
   * @param {string} path
   * @param {HttpServer} httpServer which is not to listen before it is told
   */
  constructor(server, path, httpServer) {
    /** @private */
    this._server = server;
    /** @private */
    this._path = path;
    /** @private */
    this._httpServer = httpServer;
    /** @private */
    this._listen = new HeldListen(httpServer, {
      called: () => loop.setImmediate(() => this.onlisten()),
      closed: () => this.close(HTTP_CLOSED),
    });
    if (httpServer.listening) loop.setImmediate(() => this.onlisten()); // on a port of its own
    /** @type {Engine | undefined} @private */
    this._engine = undefined;
    /** @type {HandoverChannel | undefined} @private */
    this._channel = undefined;
    /** @type {NodeJS.Timeout | undefined} @private until it asks again */
    this._seeking = undefined;
    /** @private until then it asks again if nobody is there, in ms… */
    this._seekUntil = 0;
    /** @private …and until then in any case */
    this._seekLongest = 0;
    /** @private why no session can come, though the other process is there; empty: they can */
    this._against = "";
    /** @private tokens of the listening sockets */
    this._sockets = { first: 0, count: 0 };
    /** @private */
    this._isGreeted = false;
    /** @private */
    this._isReady = false;
    /** @private whether this process is the one that serves, with what comes or has come */
    this._isOurs = false;
    /** @private */
    this._states = new StateReader();
    /** @type {Arrival[]} @private */
    this._arrivals = [];
    /** @type {Set<Arrival>} @private those of which middlewares have not said whether they may stay when all others were in */
    this._late = new Set();
    /** @private how many have come, or will: known in the end */
    this._expected = Infinity;
    /** @private how many have come, those that could not stay among them */
    this._come = 0;
    /** @private how many answers of middlewares are missing */
    this._missing = 0;
    /** @type {Verdict[] | undefined} @private what they have answered; undefined: all others are in */
    this._verdicts = [];
    /** @private until then all wait for the next answer, in ms */
    this._longest = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} @private */
    this._waiting = undefined;
    /** @type {{ token: number, unanswered: Buffer, unwritten: Buffer }[]} @private */
    this._connections = [];
    /** @type {Set<Namespace>} @private those that go on where the other process has stopped */
    this._continued = new Set();
    /** @type {string | undefined} @private */
    this._reason = undefined;
    /** @private whether they are being let in, or nobody comes any more */
    this._isOver = false;
    /** @private */
    this._isClosed = false;
    /** whether it is not known yet who comes */
    this.isUnderWay = true;
    /** @type {(result: TakenOver) => void} @private */
    this._resolve = () => {};
    /** @type {Promise<TakenOver>} */
    this.result = new Promise((resolve) => (this._resolve = resolve));
  }

  /** @param {unknown} httpServer @returns {boolean} whether it is the one that gets them, and has not asked yet */
  isFor(httpServer) {
    return httpServer === this._httpServer && this._engine === undefined;
  }

  /**
   * Asks for the clients.
   *
   * @param {Engine} engine the one that the HTTP server has been given
   * @throws {Error} when the path can't be connected to
   */
  begin(engine) {
    this._engine = engine;
    this._seekLongest = performance.now() + LONGEST_TRYING;
    try {
      this.seek();
    } catch (error) {
      this.goAlone(NOBODY);
      throw error;
    }
  }

  /** @private */
  seek() {
    const engine = /** @type {Engine} */ (this._engine);
    const border = engine.border();
    const number = askAt(border, this._path);
    if (number < 0) {
      this.seekAgain(number === Returned.HANDOVER_UNDER_WAY);
      return;
    }
    debug("asked at %s", this._path);
    engine.nativeId(); // the workers are there
    border.ref(); // nothing else may keep the process
    engine.adopter = this;
    this._channel = new HandoverChannel(border, number, (event, news) => this.onnews(event, news));
  }

  /**
   * Nobody is there who could give the clients. Whoever has got them meanwhile is about to offer them.
   *
   * @param {boolean} isUnderWay whether they are being handed over to another process just now
   * @private
   */
  seekAgain(isUnderWay) {
    const now = performance.now();
    if (isUnderWay) this._seekUntil = Math.min(now + LONGEST_ENDING, this._seekLongest);
    if (now >= this._seekUntil) {
      this.goAlone(this._reason ?? NOBODY);
      return;
    }
    debug("the clients are on their way to another process");
    this._seeking = loop.setTimeout(() => {
      try {
        this.seek();
      } catch (error) {
        this.goAlone(String(error));
      }
    }, AGAIN);
  }

  /**
   * @param {number} event
   * @param {News} news
   * @returns {true}
   * @private
   */
  onnews(event, { values: [first, second, third], buffers }) {
    switch (event) {
      case HandoverEvent.PEER:
        this._sockets = { first: Number(first), count: Number(second) };
        this.ongreeted(String(third) || reasonAgainstPeer(buffers[0], false));
        break;
      case HandoverEvent.STATE:
        this._states.add(buffers[0]);
        break;
      case HandoverEvent.CONNECTION:
        this._connections.push({
          token: Number(first),
          unanswered: buffers[0],
          unwritten: buffers[1],
        });
        break;
      case HandoverEvent.END:
        this._isOurs = true;
        this._reason = this._against || String(second) || undefined;
        this.expect(Number(first));
        break;
      case HandoverEvent.FAILED:
        this.yield(String(first));
        break;
    }
    return true;
  }

  /**
   * The server is closed: nobody is let in any more. The other process goes on, if it still can.
   *
   * @param {string} [why]
   */
  close(why = CLOSED) {
    this._isClosed = true;
    loop.clearInterval(this._waiting);
    loop.clearTimeout(this._seeking);
    this._listen.cancel();
    if (this.isUnderWay) {
      this._isOver = true;
      this._verdicts = undefined;
      this._reason = why;
      for (const { conn } of this._arrivals) conn.close(true);
      this.dropSockets();
      this.finish({ clients: 0, sockets: 0, refused: 0 });
    }
    this.endChannel();
  }

  /**
   * @param {string | undefined} against why no session can come from the other process; its port does
   * @private
   */
  ongreeted(against) {
    if (against) debug("nobody can come: %s", against);
    this._against = against ?? "";
    this._isGreeted = true;
    this.getReady();
  }

  /** The program listens, and has done what it does in the same turn. @private */
  onlisten() {
    this._isReady = true;
    this.getReady();
    this.proceed();
  }

  /** @private */
  getReady() {
    if (!this._isGreeted || !this._isReady || this._isOver || this._isOurs) return;
    const channel = /** @type {HandoverChannel} */ (this._channel);
    const engine = /** @type {Engine} */ (this._engine);
    debug("ready");
    engine.border().native.readyHandover(channel.number, engine.nativeId(), this._against);
  }

  // --- what the engine asks: sessions come ---

  /**
   * @param {Buffer | undefined} blob
   * @returns {import("../engine/request-info").CarriedOpening | undefined} the request that opened the session
   */
  openingOf(blob) {
    return this._states.sessionOf(blob)?.opening;
  }

  /**
   * A session has come.
   *
   * @param {Conn} conn
   * @param {Buffer | undefined} blob
   */
  onadopted(conn, blob) {
    const state = this._states.sessionOf(blob);
    if (state === undefined)
      conn.close(true); // nothing is known of it: it begins anew
    else {
      const client = /** @type {Client} */ (conn._client);
      const arrival = { conn, client, state, waiting: 0 };
      this._arrivals.push(arrival);
      this.askAbout(arrival);
    }
    this._come++;
    this.proceed();
  }

  /**
   * @param {number} count how many come in all
   * @private
   */
  expect(count) {
    this._expected = count;
    this.proceed();
  }

  /** @private */
  proceed() {
    if (!this._isOurs || !this._isReady || this._come < this._expected || this._isOver) return;
    debug("%d clients have come", this._arrivals.length);
    this._isOver = true;
    this._longest = performance.now() + PATIENCE;
    this._waiting = loop.setInterval(
      () => performance.now() >= this._longest && this.enter(),
      LOOK,
    );
    if (this._missing === 0) this.enter();
  }

  /**
   * The other process goes on: those that have come by now come back to it by themselves.
   *
   * @param {string} reason
   * @private
   */
  yield(reason) {
    if (this._isOver) return;
    for (const { conn } of this._arrivals) conn.close(true);
    if (this._isGreeted) {
      this.goAlone(reason);
      return;
    }
    // it has had another one when we came
    this._reason = reason;
    this.leaveChannel();
    this.endChannel();
    this.seekAgain(true);
  }

  // --- they are let in ---

  /**
   * Asks whether a client and its sockets may stay: as soon as it has come, while others are still on their way.
   *
   * @param {Arrival} arrival
   * @private
   */
  askAbout(arrival) {
    const { client, conn, state } = arrival;
    this.wait(arrival);
    readmit(/** @type {Engine} */ (this._engine), conn, (isAdmitted) => {
      for (const socket of state.sockets) {
        this.wait(arrival);
        const decide = (/** @type {Socket | undefined} */ found) =>
          this.decide(arrival, { arrival, nsp: socket.nsp, socket: found });
        if (isAdmitted) this.ask(client, socket, decide);
        else decide(undefined);
      }
      if (!isAdmitted) conn.close(true);
      this.decide(arrival);
    });
  }

  /** The next hand-over begins. Who is late begins anew, there: it is not known yet what that process would have to be told of them. */
  dropLate() {
    for (const { conn } of this._late) conn.close(true);
    this._late.clear();
  }

  /**
   * @param {Arrival} arrival
   * @private
   */
  wait(arrival) {
    arrival.waiting++;
    this._missing++;
  }

  /**
   * A middleware has answered.
   *
   * @param {Arrival} arrival
   * @param {Verdict} [verdict] none: it is one of the engine
   * @private
   */
  decide(arrival, verdict) {
    arrival.waiting--;
    this._missing--;
    if (this._verdicts === undefined) {
      // all others are in, or nobody is let in any more, and its connection is closed
      if (verdict !== undefined) announce(place(verdict));
      if (arrival.waiting > 0) return;
      this._late.delete(arrival);
      loop.nextTick(readOn, arrival);
      return;
    }
    if (verdict !== undefined) this._verdicts.push(verdict);
    this._longest = performance.now() + NEXT_PATIENCE;
    if (this._isOver && this._missing === 0) this.enter();
  }

  /**
   * Asks whether a socket may stay.
   *
   * @param {Client} client
   * @param {SocketState} state
   * @param {(socket: Socket | undefined) => void} done called once
   * @private
   */
  ask(client, state, done) {
    const { _server: server } = this;
    const found = (/** @type {unknown} */ allowed) => {
      if (!allowed) {
        done(undefined);
        return;
      }
      const nsp = server.of(state.nsp);
      this.goOn(nsp);
      nsp._adopt(client, state, done);
    };
    try {
      if (server._nsps.has(state.nsp)) found(true);
      else server._checkNamespace(state.nsp, state.auth, found);
    } catch (error) {
      client.onerror(error); // thrown by the program, as for one that connects
      done(undefined);
    }
  }

  /**
   * A namespace goes on where that of the other process has stopped: with its numbers, so that no answer, and no offset, of
   * before means something else here.
   *
   * @param {Namespace} nsp
   * @private
   */
  goOn(nsp) {
    if (this._continued.has(nsp)) return;
    this._continued.add(nsp);
    const state = this._states.common?.namespaces.find(({ name }) => name === nsp.name);
    if (state === undefined) return;
    nsp._ids = Math.max(nsp._ids, state.ids);
    const { packets, lost } = this._states.logOf(nsp.name);
    if (state.recovery !== undefined) nsp.adapter.goOn?.(state.recovery, packets, lost);
  }

  /** All that may stay are in their rooms; then the program hears of them. @private */
  enter() {
    loop.clearInterval(this._waiting);
    const verdicts = this._verdicts;
    if (verdicts === undefined || this._isClosed) return;
    this._verdicts = undefined;
    for (const nsp of this._server._nsps.values()) this.goOn(nsp);
    const sockets = verdicts.map(place);
    this.persistAbsent();
    for (const socket of sockets) announce(socket);
    loop.nextTick(() => this.end(sockets));
  }

  /**
   * Those of whom is known, and who have not come: they come back by themselves, and may be recovered then.
   *
   * @private
   */
  persistAbsent() {
    if (!this._server.opts.connectionStateRecovery) return;
    const come = new Set(this._arrivals.map(({ state }) => state));
    for (const state of this._states.sessions.values()) {
      if (come.has(state)) continue;
      for (const { nsp, id: sid, pid, rooms, data = {} } of state.sockets)
        if (pid !== undefined)
          this._server._nsps.get(nsp)?.adapter.persistSession({ sid, pid, rooms, data });
    }
  }

  /**
   * The program has heard of all of them: they are read on.
   *
   * @param {(Socket | undefined)[]} sockets
   * @private
   */
  end(sockets) {
    if (this._isClosed) return;
    const engine = /** @type {Engine} */ (this._engine);
    const border = engine.border();
    debug("%d sockets are in", sockets.length);
    for (const arrival of this._arrivals) {
      if (arrival.waiting === 0) readOn(arrival);
      else {
        this._late.add(arrival);
        // as for who connects and is not let in
        setTimeout(
          () => arrival.waiting > 0 && arrival.client.close(),
          this._server._connectTimeout,
        ).unref();
      }
    }
    border.operations.flush();
    this.listen();
    const accepted = sockets.filter((socket) => socket !== undefined).length;
    this.finish({
      clients: this._arrivals.length,
      sockets: accepted,
      refused: sockets.length - accepted,
    });
  }

  /**
   * Listens with the socket of the other process, and takes the connections that were its.
   *
   * @private
   */
  listen() {
    const { _httpServer: httpServer, _sockets: sockets } = this;
    const engine = /** @type {Engine} */ (this._engine);
    const { native } = engine.border();
    const isTaken = sockets.count > 0 && this._listen.isCalled;
    const descriptor = isTaken ? native.takeDescriptor(sockets.first) : undefined;
    this.dropSockets(isTaken ? 1 : 0);
    this._listen.release(descriptor);
    const connections = this._connections;
    this._connections = [];
    const serve = () => {
      if (this._isClosed) return;
      for (const connection of connections) engine.acceptor?.adopt(connection);
      if (this._channel !== undefined) native.takeHandover(this._channel.number);
    };
    if (httpServer.listening) serve();
    else httpServer.once("listening", serve);
  }

  /**
   * @param {number} [from] the first of the listening sockets that nobody needs
   * @private
   */
  dropSockets(from = 0) {
    const { _engine: engine, _sockets: sockets } = this;
    for (let i = from; i < sockets.count; i++)
      engine?.border().native.dropStream(sockets.first + i);
    this._sockets = { first: 0, count: 0 };
  }

  /**
   * Nobody comes: the server listens as the program has said.
   *
   * @param {string} reason
   * @private
   */
  goAlone(reason) {
    debug("nobody comes: %s", reason);
    this._isOver = true;
    this._verdicts = undefined;
    this._reason = reason;
    this.dropSockets();
    this._listen.retry(AGAIN, reason === NOBODY ? LONGEST_ENDING : LONGEST_TRYING);
    this.finish({ clients: 0, sockets: 0, refused: 0 });
    this.endChannel();
  }

  /**
   * Nothing more is to come. The channel stays, as long as the server is there: with it, the other process would be let serve.
   *
   * @param {TakenOver} result
   * @private
   */
  finish(result) {
    if (this._reason !== undefined) result.reason = this._reason;
    this.leaveChannel();
    this._arrivals = [];
    this._states = new StateReader();
    this.isUnderWay = false;
    this._resolve(result);
  }

  /** Nobody comes by it any more. @private */
  leaveChannel() {
    if (this._channel === undefined) return;
    const engine = /** @type {Engine} */ (this._engine);
    engine.border().unref();
    engine.adopter = undefined;
  }

  /** @private */
  endChannel() {
    this._channel?.end(this._reason ?? CLOSED);
    this._channel = undefined;
  }
}

/**
 * @param {import("../border/border").Border} border
 * @param {string} path
 * @returns {number} that of the hand-over; below 0: nobody offers one
 * @throws {Error} when it can't be asked there
 */
function askAt({ native }, path) {
  const what = "option takeOver";
  /** @type {number} */
  let number;
  try {
    number = native.askHandover(path, writeHello());
  } catch (error) {
    throw handoverPath(what, path, error);
  }
  if (number === Returned.OTHER_USER)
    throw handoverPath(
      what,
      path,
      "the process there is another user's: run both as one, or give another path",
    );
  if (number === Returned.TOO_MANY_FILES)
    throw handoverPath(
      what,
      path,
      "this process may open no more files: raise its limit (ulimit -n)",
    );
  if (number === Returned.NO_HANDING) throw handoverUnsupported("that takes Linux");
  return number;
}

/**
 * Places a socket in its namespace and its rooms, or ends it.
 *
 * @param {Verdict} verdict
 * @returns {Socket | undefined} undefined: it is not there
 */
function place({ arrival, nsp, socket }) {
  const { client } = arrival;
  if (socket !== undefined) {
    if (client.conn.readyState === "open" && nspOf(socket)._enter(socket, client)) return socket;
    socket._cleanup();
  }
  if (client.conn.readyState === "open") client._packet({ type: PacketType.DISCONNECT, nsp });
  return undefined;
}

/** @param {Socket} socket @returns {Namespace} */
function nspOf({ nsp }) {
  return /** @type {Namespace} */ (nsp);
}

/** @param {Socket | undefined} socket the program hears of it, in a tick of its own, as it may throw */
function announce(socket) {
  if (socket !== undefined) loop.nextTick(() => nspOf(socket)._announce(socket));
}

/** @param {Arrival} arrival what its client has sent, and sends, is read from now on */
function readOn({ conn, client, state }) {
  if (conn.readyState !== "open") return;
  conn.readOn();
  try {
    for (const [nsp, auth] of state.connecting) client.connect(nsp, auth);
  } catch (error) {
    client.onerror(error); // thrown by the program, as for one that asks here
  }
}

module.exports = { TakeOver };
