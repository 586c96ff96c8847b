"use strict";

const net = require("node:net");
const debug = require("debug")("engine:door");
const { crossOriginLines } = require("../http");
const { Dialect, Returned } = require("../border");
const { invalidOption } = require("../base/errors");
const {
  anyListeningDescriptor,
  countConnection,
  listeningDescriptor,
  listensOnTcp,
  longestHead,
  showAccepted,
  socketOf,
  speaksTls,
} = require("../node");
const { clearTimeout, setTimeout } = require("../base/loop");
const { onNewListener } = require("../base/new-listeners");
const {
  ACCEPT,
  ACCEPT_POLLING,
  ACCEPT_WEBSOCKET,
  INTRODUCE,
  LEND,
  LISTEN,
  OPEN_POLLING,
  reasonAgainst,
} = require("./reasons");
const { nativeTls } = require("./native-tls");
const { TakenWebSocket } = require("./websocket");
const { AcceptedRequest } = require("./accepted-request");
const { WorkerListener } = require("./worker-listener");

/**
 * What is asked of an engine here.
 *
 * @typedef {object} Accepting
 * @property {import("./takeover").PollingTakeover} takeover
 * @property {(sid: string) => { protocol: number } | undefined} find
 * @property {(req: undefined) => string | Promise<string>} generateId
 * @property {() => boolean} isClosed
 * @property {Set<WorkerListener>} workerListeners
 * @property {object | undefined} gate undefined: there are no limits
 */

/** @typedef {import("./door").Engine & Accepting} Engine */

/**
 * An HTTP connection that another process has had.
 *
 * @typedef {object} Given
 * @property {number} token by which its descriptor is taken
 * @property {Buffer} unanswered what has come by it, and nobody has answered
 * @property {Buffer} unwritten what is still to be written to it
 */

/** ms that a kept connection may be idle, where Node.js ends none. */
const LONGEST_IDLE = 5000;
/** ms that a last request by such a one may take. */
const LAST_REQUEST = 1000;

/** How long the kernel may keep a connection by which nothing comes: the least that it knows, in seconds. */
const LONGEST_SILENCE = 1;

/**
 * Takes connections from an HTTP server as they are accepted: those whose first request is for a WebSocket, or is one of a
 * polling session. Otherwise Node.js would make a socket of each and read its request, which is most of the work that a new
 * connection means for this thread.
 *
 *     accepted ──a plain request is there──► a worker
 *        └──anything else, or nothing yet──► Node.js
 *
 * The addon only looks at the bytes, so Node.js finds everything as it was. Nothing is waited for here: on Linux, the kernel
 * is asked to hold a connection back until something has come by it. On other systems, connections of a busy server wait
 * to be accepted, so their requests are there by then; and if it is not busy, Node.js may as well read them.
 */
class Acceptor {
  /**
   * @param {Engine} engine
   * @param {import("../node/inside").HttpServer} server one that the engine is attached to
   * @param {string} path the beginning of the paths that are ours
   */
  constructor(engine, server, path) {
    this.engine = engine;
    this.server = server;
    this.path = path;
    /** connections that have been taken */
    this.taken = 0;
    /** @private @type {string | undefined} an id that has been made and not been used */
    this._id = undefined;
    /** @private what the server shows its connections to */
    this._take = (/** @type {number} */ fd) => {
      if (this._listener.introduced !== undefined) {
        this._listener.receive(fd);
        return true; // what it begins with is not for Node.js
      }
      return !speaksTls(server) && this.reasonAgainst(ACCEPT) === undefined && this.take(fd);
    };
    /** @private has a worker accept the connections, as long as nothing stands against it */
    this._listener = new WorkerListener(engine, server, () => this.taken++);
    /** @private the descriptor that the event loop does not look at while another process takes our place; -1: there is none */
    this._paused = -1;
    onNewListener(server, (name) => {
      if (name === "connection") this.defer(0); // somebody wants to hear of connections, of silent ones too
    });
    this.checkIntroduced(false);
    this.intercept();
  }

  /**
   * Refuses a server for which no worker can take the header of the PROXY protocol off the connections: nobody else would.
   *
   * @param {boolean} listens whether it does by now
   * @throws {TypeError} naming what stands against it
   * @private
   */
  checkIntroduced(listens) {
    if (this._listener.introduced === undefined) return;
    const { engine, server } = this;
    let reason = this.reasonAgainst(INTRODUCE);
    if (listens && !listensOnTcp(server)) reason = "no TCP socket";
    else if (listens && !this._listener.isLent)
      reason ??= "another engine, or no descriptor is left";
    if (reason === undefined) return;
    const fix = `a worker reads its header, and can't here (${reason}): have the proxy write X-Forwarded-For, and give trustProxy`;
    throw invalidOption("option proxyProtocol", engine.opts.proxyProtocol, fix);
  }

  /** To be called when the server listens: it may do so more than once. */
  intercept() {
    const { server } = this;
    if (debug.enabled && server.listening && nativeTls.has(server)) {
      const reason = this.reasonAgainst(LISTEN | LEND);
      if (reason !== undefined) debug('tls is "native", and Node.js speaks it: %s', reason);
    }
    const isIntroduced = this._listener.introduced !== undefined;
    if (!isIntroduced && this.reasonAgainst(LISTEN) !== undefined) return;
    const isShown = showAccepted(server, this._take);
    if (isShown && this.reasonAgainst(ACCEPT) === undefined) this.defer(LONGEST_SILENCE);
    this._listener.prepare();
    if (isIntroduced && server.listening) this.checkIntroduced(true);
  }

  /** @returns {number[]} what the server listens with */
  descriptors() {
    const descriptor = anyListeningDescriptor(this.server);
    return descriptor >= 0 ? [descriptor] : [];
  }

  /**
   * Accepts nobody any more, until `resume()`: who connects waits in the queue of the kernel.
   *
   * @returns {Promise<void>} resolved when all that a worker has accepted has been handed over
   */
  async pause() {
    await this._listener.pause();
    const [descriptor = -1] = this.descriptors();
    if (descriptor < 0 || this._paused >= 0) return;
    // where that can't be, the two processes accept beside each other for a moment
    if (this.engine.border().native.leaveLoop(descriptor)) this._paused = descriptor;
  }

  /** Accepts again. */
  resume() {
    const paused = this._paused;
    this._paused = -1;
    if (!this.server.listening) return;
    if (paused >= 0) this.engine.border().native.joinLoop(paused);
    this._listener.prepare();
  }

  /**
   * Listens no more, and leaves kept connections to themselves: http.Server#close() would end them, also one by which a request
   * is on its way.
   *
   * @returns {Promise<boolean>} whether none is left, when they had the time to be idle for too long
   */
  end() {
    const { server } = this;
    if (!server.listening) return Promise.resolve(true);
    const { keepAliveTimeout } = server;
    return new Promise((resolve) => {
      const done = (isOver = true) => {
        clearTimeout(timer);
        resolve(isOver);
      };
      const timer = setTimeout(
        () => done(false),
        (keepAliveTimeout || LONGEST_IDLE) + LAST_REQUEST,
      );
      net.Server.prototype.close.call(server, () => done());
    });
  }

  /**
   * A connection that another process has had is this server's now, as if it had just been accepted.
   *
   * @param {Given} connection
   */
  adopt({ token, unanswered, unwritten }) {
    const { server } = this;
    const { native } = this.engine.border();
    if (!server.listening) {
      native.dropStream(token);
      return;
    }
    try {
      const socket = socketOf(server, native.takeDescriptor(token));
      countConnection(server); // its end takes it off
      server.emit("connection", socket);
      if (unwritten.length > 0) socket.write(unwritten);
      if (unanswered.length > 0 && !socket.destroyed) socket.emit("data", unanswered);
    } catch (error) {
      debug("a connection is lost: %s", error); // nothing can be read from it
    }
  }

  /** The server is closed, and has no connections any more. */
  forget() {
    this._listener.forget();
  }

  /**
   * @param {number} seconds how long the kernel may keep connections by which nothing has come
   * @private
   */
  defer(seconds) {
    const fd = listeningDescriptor(this.server);
    if (fd >= 0) this.engine.border().native.deferAccept(fd, seconds);
  }

  /**
   * @param {number} ways
   * @returns {string | undefined} what stands against them on this server
   * @private
   */
  reasonAgainst(ways) {
    return reasonAgainst(this.engine, this.server, ways);
  }

  /**
   * @param {number} fd the descriptor of a connection
   * @returns {boolean} whether it is Node's no more
   * @private
   */
  take(fd) {
    const { engine, server } = this;
    const maxHead = longestHead(server);
    const compresses = engine.takeover.compresses();
    const text = engine.border().native.peekRequest(fd, this.path, maxHead, compresses);
    if (text === "") return false;
    const request = new AcceptedRequest(text);
    try {
      const isTaken =
        request.key === "" ? this.takePolling(request, fd) : this.takeWebSocket(request, fd);
      if (!isTaken) return false;
    } catch {
      return false; // there is no descriptor left; Node.js already has one for this connection
    } finally {
      if (engine.gate !== undefined) engine.border().native.dropPlace();
    }
    if (request.sid === "") this._id = undefined;
    this.taken++;
    return true;
  }

  /**
   * @param {AcceptedRequest} request
   * @param {number} fd
   * @returns {boolean} whether it is Node's no more
   * @private
   */
  takeWebSocket(request, fd) {
    const { engine, server } = this;
    if (this.reasonAgainst(ACCEPT_WEBSOCKET) !== undefined) return false;
    const isNew = request.sid === "";
    if (!isNew && engine.find(request.sid)?.protocol !== 4) return false;
    const answer = this.answer(request);
    if (answer === undefined) return false;
    if (isNew && !this.admits(fd)) return false;
    const sid = isNew ? this.id() : request.sid;
    const dialect = Dialect.PLAIN;
    new TakenWebSocket(engine, request).accept(fd, server, { sid, isNew, dialect, answer });
    return true;
  }

  /**
   * @param {AcceptedRequest} request
   * @param {number} fd
   * @returns {boolean} whether it is Node's no more
   * @private
   */
  takePolling(request, fd) {
    const { engine, server } = this;
    const isNew = request.sid === "";
    const ways = isNew ? ACCEPT_POLLING | OPEN_POLLING : ACCEPT_POLLING;
    if (this.reasonAgainst(ways) !== undefined) return false;
    if (!isNew && engine.sessions.get(request.sid)?.transportName !== "polling") return false;
    if (isNew && !this.admits(fd)) return false;
    return engine.takeover.accept(server, fd, request, isNew ? this.id() : request.sid);
  }

  /**
   * @param {number} fd
   * @returns {boolean} whether the limits let its session in; else Node.js reads its request, which is refused then
   * @private
   */
  admits(fd) {
    const { engine } = this;
    if (engine.gate === undefined) return true;
    return engine.border().native.admitDescriptor(engine.nativeId(), fd);
  }

  /** @private @returns {string} the id of the next session */
  id() {
    return (this._id ??= String(this.engine.generateId(undefined)));
  }

  /**
   * @param {AcceptedRequest} request
   * @returns {import("../http/upgrade-answer").UpgradeAnswer | undefined} nothing when it is to be refused
   * @private
   */
  answer(request) {
    const { engine } = this;
    const { cors, perMessageDeflate } = engine.opts;
    let lines = "";
    /** @type {number} */
    let deflate = Returned.NO_AGREEMENT;
    const offers = perMessageDeflate ? request.header("sec-websocket-extensions") : "";
    const agreed = offers
      ? engine.border().native.negotiateDeflate(engine.nativeId(), offers)
      : null;
    if (agreed) {
      if (agreed.agreement === Returned.NO_AGREEMENT) return undefined;
      deflate = agreed.agreement;
      lines = `Sec-WebSocket-Extensions: ${agreed.value}\r\n`;
    }
    if (cors) lines += crossOriginLines(engine.middlewares[0], request.header("origin"));
    return { text: request.key + lines, keyOnly: true, deflate };
  }
}

module.exports = { Acceptor };
