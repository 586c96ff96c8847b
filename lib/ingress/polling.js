"use strict";

const { pipeline } = require("node:stream");
const accepts = require("accepts");
const debug = require("debug")("engine:polling");
const { abortRequest, dialectOf, ENCODERS, isWorthIt, protocolOf } = require("../http");
const { BodyFault, BodyKind, RecordKind } = require("../border");
const { reasonOf, TAKES_POLLING } = require("./reasons");
const { relayedRequest } = require("./relayed");
const { Door } = require("./door");
const { ENGINE_ERRORS, rejectUnhandled } = require("../base/errors");
const { awaitAnswer, httpServerOf, leaveUnanswered } = require("../node");
const { clearTimeout, setTimeout } = require("../base/loop");
const { LONGEST_MESSAGE, maxChunks, milliseconds } = require("../base/options");

/**
 * What is asked of an engine here.
 *
 * @typedef {object} Answering
 * @property {number} receiving requests that bring packets, and have not been answered
 * @property {boolean} isLeaving whether another process is about to take its place
 * @property {Map<string, PollingDoor>} polls requests that wait for something to be sent, by session id
 * @property {import("./takeover").PollingTakeover} takeover
 * @property {(headers: Headers, req: Request, sid: string) => void} showHeaders lets programs change those of an answer
 * @property {(req: Request, code: number, context: { sid: string }) => void} refuse tells the program that a request is refused
 */

/** @typedef {import("./door").Engine & Answering} Engine */
/** @typedef {import("../http/query").Request} Request */
/** @typedef {import("node:http").OutgoingHttpHeaders} Headers */
/** @typedef {import("../../native/border").AnyBodyFault} AnyBodyFault */
/** @typedef {import("../../native/border").AnyBodyKind} AnyBodyKind */

const TEXT = "text/plain; charset=UTF-8";
const BYTES = "application/octet-stream";
/** The type of a body, by its kind. */
const CONTENT_TYPES = {
  [BodyKind.TEXT]: TEXT,
  [BodyKind.COMPRESSIBLE_TEXT]: TEXT,
  [BodyKind.OK]: "text/html",
  [BodyKind.BYTES]: BYTES,
  [BodyKind.COMPRESSIBLE_BYTES]: BYTES,
};

/**
 * Gathers the body of a request in one buffer: each chunk, however small, would keep a whole read buffer of Node.js alive.
 */
class Body {
  constructor() {
    /** @type {Buffer | null} */
    this.buffer = null;
    this.length = 0;
    this.chunks = 0;
  }

  /** @param {Buffer} chunk */
  append(chunk) {
    const length = this.length + chunk.length;
    if (this.buffer === null) {
      this.buffer = Buffer.from(chunk);
    } else {
      if (length > this.buffer.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(length, this.buffer.length * 2));
        this.buffer.copy(grown, 0, 0, this.length);
        this.buffer = grown;
      }
      chunk.copy(this.buffer, this.length);
    }
    this.length = length;
    this.chunks++;
  }

  /** @returns {Buffer} */
  take() {
    return this.buffer === null ? Buffer.alloc(0) : this.buffer.subarray(0, this.length);
  }
}

/**
 * One polling request on its way through a worker: it goes down as plain values, its answer comes up as a record.
 *
 *     open() ──► waiting ──record──► answered
 *                   └──the peer goes──► requestClosed
 *
 * npm's server answers in the tick in which it has read the request, or not before there is something to send. So a peer that
 * has ended its half of the connection meanwhile gets the answer that is under way, and one whose poll waits gets none.
 *
 * @extends {Door<Engine>}
 */
class PollingDoor extends Door {
  /**
   * @param {Engine} engine
   * @param {Request} req
   * @param {import("node:http").ServerResponse} res
   * @param {string} sid
   */
  constructor(engine, req, res, sid) {
    super(engine, "polling", "polling", req);
    this.req = req;
    this.res = res;
    this.sid = sid;
    this.answered = false;
    /** @private what is known of the request, if a worker has its connection and relays it */
    this.relayed = relayedRequest(req);
    /** @private @type {NodeJS.Timeout | undefined} while the body of a POST comes */
    this.timer = undefined;
    /** @private whether it is counted among those that bring packets */
    this.receives = false;
    /** @private whether the worker has all of a POST */
    this.isPosted = false;
    /** bytes of that body which have come, and which the worker has not */
    this.gathered = 0;
    this.onclose = this.onclose.bind(this);
    res.once("close", this.onclose);
    if (req.httpVersionMajor === 1) awaitAnswer(req.socket, this);
  }

  /** The handshake: makes the session. */
  openSession() {
    const { engine, req } = this;
    const { j } = req._query; // JSONP
    // a socket that is relayed is none of TCP, which is no reason, but a consequence
    const socket = this.relayed === undefined ? req.socket : undefined;
    this.reason = reasonOf(engine, "polling", httpServerOf(req.socket), TAKES_POLLING, socket);
    this.border.native.openPolling(
      this.engine.nativeId(),
      this.token,
      this.sid,
      dialectOf(req),
      typeof j === "string" ? j : undefined,
      this.clientAddress(),
    );
  }

  /** A request for what there is to be sent. */
  poll() {
    debug("setting request");
    if (this.hasBeenAnswered()) return;
    this.req.once("close", this.onclose); // as upstream: a response behind one that is not answered hears nothing
    if (!this.engine.polls.has(this.sid)) this.engine.polls.set(this.sid, this);
    const known = this.border.native.pollGet(this.engine.nativeId(), this.token, this.sid);
    if (!known) this.refuse();
    else this.engine.sessions.get(this.sid)?.flush();
  }

  /**
   * Looks whether a worker has answered it meanwhile. If so, the program has seen it, and nothing more comes of it; else it has
   * begun to be the session's.
   *
   * @returns {boolean}
   * @private
   */
  hasBeenAnswered() {
    if (this.relayed === undefined || this.relayed.enter(this.token, this.sid)) return false;
    debug("a worker has answered");
    this.finish();
    this.req.resume();
    this.res.end(); // goes nowhere
    return true;
  }

  /** A request that brings packets. */
  receive() {
    const { req, token, sid } = this;
    const { native } = this.border;
    const server = this.engine.nativeId();
    if (this.hasBeenAnswered()) return;
    if (!native.pollPost(server, token, sid)) {
      this.refuse();
      return;
    }
    const binary = req.headers["content-type"] === "application/octet-stream";
    if (binary && protocolOf(req) === 4) {
      // only revision 3 of the protocol has binary payloads
      native.pollFault(server, token, sid, BodyFault.INVALID_CONTENT);
      return;
    }
    const { maxHttpBufferSize, maxBufferedChunks, httpRequestBodyTimeout } = this.engine.opts;
    const chunks = maxChunks(maxBufferedChunks);
    this.receives = true;
    this.engine.receiving++;
    const body = new Body();
    const stop = (/** @type {AnyBodyFault} */ fault) => {
      if (fault === BodyFault.TIMED_OUT && this.border.bodies.isHeldBack(this)) {
        this.timer?.refresh(); // it is this side that does not read
        return;
      }
      clearTimeout(this.timer);
      req.removeListener("close", this.onclose);
      req.removeListener("data", ondata);
      req.removeListener("end", onend);
      req.pause(); // the connection ends with the answer
      native.pollFault(server, token, sid, fault);
    };
    const ondata = (/** @type {Buffer} */ chunk) => {
      const length = body.length + chunk.length;
      if (length > maxHttpBufferSize || length > LONGEST_MESSAGE) stop(BodyFault.TOO_LARGE);
      else if (body.chunks >= chunks) stop(BodyFault.TOO_MANY_CHUNKS);
      else {
        body.append(chunk);
        this.gathered += chunk.length;
        if (!this.border.bodies.gather(this, chunk.length)) req.pause();
      }
    };
    const onend = () => {
      req.removeListener("close", this.onclose); // each is closed when it has been read
      clearTimeout(this.timer);
      // when the session has gone meanwhile, its answer to this request is on the way
      if (this.answered) return;
      const bytes = body.take();
      if (debug.enabled) debug('received "%s"', bytes);
      native.pollBody(server, token, sid, bytes, binary);
      this.isPosted = true;
      this.uncountBody();
    };
    this.timer = setTimeout(stop, milliseconds(httpRequestBodyTimeout), BodyFault.TIMED_OUT);
    req.once("close", this.onclose);
    req.on("data", ondata);
    req.on("end", onend);
  }

  /** The body is read on, after it was not read for want of room: until now it could not come. */
  readOn() {
    this.timer?.refresh();
    this.req.resume();
  }

  /**
   * What was gathered of the body is not kept here any more.
   *
   * @private
   */
  uncountBody() {
    if (this.gathered > 0) this.border.bodies.gather(this, -this.gathered);
    this.gathered = 0;
  }

  /**
   * The session has gone since the request was let through.
   *
   * @private
   */
  refuse() {
    this.onrecord(RecordKind.REQUEST_REFUSED, ENGINE_ERRORS.UNKNOWN_SID, undefined, undefined);
  }

  /**
   * @param {import("./door").DoorRecord} kind
   * @param {number | undefined} first status or error code
   * @param {number | undefined} second a BodyKind
   * @param {Buffer | undefined} payload
   * @override
   */
  onrecord(kind, first = 0, second, payload) {
    if (this.answered) return;
    this.finish();
    const body = /** @type {AnyBodyKind} */ (second);
    if (kind === RecordKind.DROP_REQUEST) {
      debug("request overlap");
      this.req.destroy();
      // if the request has been read to its end, its connection is still open; one of HTTP/2 serves other requests
      if (this.req.httpVersionMajor === 1) this.req.socket?.destroy();
    } else if (kind === RecordKind.REQUEST_REFUSED) {
      this.engine.refuse(this.req, first, { sid: this.sid });
      abortRequest(this.res, first);
    } else if (body === BodyKind.NONE) {
      this.res.writeHead(first);
      this.res.end();
      // nobody waits for the rest of a body that is refused
      if (first === 413 || first === 408) (this.req.socket ?? this.req).destroy();
    } else {
      this.answer(first, CONTENT_TYPES[body], payload, isCompressible(body));
    }
  }

  /**
   * @param {number} status
   * @param {string} type
   * @param {Buffer} [payload] "ok" when there is none
   * @param {boolean} [compress] whether it may be compressed
   */
  answer(status, type, payload, compress) {
    /** @type {Headers} */
    const headers = { "Content-Type": type };
    const encoding = compress ? this.encodingOf(/** @type {Buffer} */ (payload)) : undefined;
    if (encoding) headers["Content-Encoding"] = encoding;
    else headers["Content-Length"] = payload === undefined ? 2 : payload.length;
    const agent = this.req.headers["user-agent"];
    // Internet Explorer takes some payloads for an attack
    if (agent && (agent.includes(";MSIE") || agent.includes("Trident/")))
      headers["X-XSS-Protection"] = "0";
    headers["cache-control"] = "no-store";
    // the next request goes to another process
    if (this.engine.isLeaving && this.req.httpVersionMajor === 1) headers.Connection = "close";
    if (debug.enabled && payload !== undefined) debug('writing "%s"', payload);
    if (!this.showHeaders(headers)) return;
    this.relayed?.noteHeaders(this.sid);
    // as upstream: Node.js writes the headers in one string with a text, and so in UTF-8
    const isText = type !== BYTES;
    if (status === 200 && !this.engine.isLeaving)
      this.engine.takeover.offer(this.req, this.res, this.sid);
    this.res.writeHead(status, headers);
    if (encoding) this.compress(encoding, /** @type {Buffer} */ (payload));
    else this.res.end(payload === undefined ? "ok" : isText ? payload.toString() : payload);
    // not yet while it is compressed, or a middleware holds it back
    if (this.res.writableFinished) this.relayed?.settle();
  }

  /**
   * @param {Headers} headers
   * @returns {boolean} false: a listener has thrown at the answer by which the session opens. Upstream does not open it
   *   then, never answers, and its program hears of it as of a rejection
   * @private
   */
  showHeaders(headers) {
    const { engine, req, sid } = this;
    if (req._query.sid) {
      engine.showHeaders(headers, req, sid);
      return true;
    }
    try {
      engine.showHeaders(headers, req, sid);
      return true;
    } catch (error) {
      engine.sessions.get(sid)?.close(true);
      if (req.socket?.readableEnded) req.socket.destroy(); // it was to end behind the answer
      rejectUnhandled(error);
      return false;
    }
  }

  /**
   * @param {Buffer} payload
   * @returns {string | false | undefined} how to compress it; nothing when it is too short or the client wants none
   * @private
   */
  encodingOf(payload) {
    if (!isWorthIt(this.engine.opts.httpCompression, payload.length)) return undefined;
    return accepts(this.req).encodings(Object.keys(ENCODERS));
  }

  /**
   * @param {string} encoding
   * @param {Buffer} payload
   * @private
   */
  compress(encoding, payload) {
    debug("compressing");
    const encoder = ENCODERS[encoding](this.engine.opts.httpCompression);
    // if the client goes before all is sent, this ends the encoder
    pipeline(encoder, this.res, (error) => {
      if (error) debug("the answer was not taken: %s", error.message);
    });
    encoder.end(payload);
  }

  /** Ends the life of the token. */
  finish() {
    this.answered = true;
    if (this.receives) this.engine.receiving--;
    this.relayed?.leave(this.token);
    clearTimeout(this.timer);
    this.uncountBody();
    this.res.removeListener("close", this.onclose);
    this.req.removeListener("close", this.onclose);
    if (this.req.httpVersionMajor === 1) leaveUnanswered(this.req.socket, this);
    const { polls } = this.engine;
    if (polls.get(this.sid) === this) polls.delete(this.sid);
    this.leave();
  }

  /**
   * The peer has ended its half of the connection. A poll that waits is dropped then, if it is not answered before, and so is a POST
   * that is there as a whole and waits, as its client has sent too much (`limits`).
   */
  onhalfEnd() {
    const { border, engine, isPosted, req, sid, token } = this;
    if (req._query.sid && (req.method === "GET" || isPosted))
      border.native.requestClosed(engine.nativeId(), token, sid);
  }

  onclose() {
    if (this.answered) return;
    this.border.native.requestClosed(this.engine.nativeId(), this.token, this.sid);
    this.finish();
  }
}

/** @param {AnyBodyKind} body */
function isCompressible(body) {
  return body === BodyKind.COMPRESSIBLE_TEXT || body === BodyKind.COMPRESSIBLE_BYTES;
}

module.exports = { PollingDoor };
