"use strict";

const { crossOriginLines, variesByOrigin } = require("../http");

/** @typedef {import("./door").Engine & { nativeId(): number }} Engine */

/** As many are known to the workers at most: a page can make any number of them up. */
const MAX_ORIGINS = 4096;

/** An origin that the workers may be told of: what is read alike by all, and not too long. */
const PLAIN_ORIGIN = /^[\x21-\x7e]{0,256}$/;

/** Origins that no browser sends: whether headers depend on the origin in any other way than by repeating it shows with these. */
const STRANGERS = ["https://a.invalid", "http://b.invalid:81"];

/** In lines for the addon, it stands for the origin of the request. */
const ORIGIN_MARK = "\0";

/** The origin at the beginning of a URL. */
const ORIGIN_OF_URL = /^https?:\/\/[^/?#]+/i;

/**
 * The headers that the option `cors` gives to answers, as the workers know them. Where they depend on the `Origin` of a request,
 * the workers are told of them for each that has been seen, and for those that are to be expected: a browser does not name the
 * origin with the GETs of a page of the same origin, and names it with its POSTs.
 */
class Origins {
  /** @param {Engine} engine */
  constructor(engine) {
    /** @private */
    this._engine = engine;
    /** @private the number of the engine for which `_known` holds */
    this._server = -1;
    /** @private @type {Map<string, string>} what the workers know: the headers by the origin, the longest unused first */
    this._known = new Map();
  }

  /**
   * What the worker of a connection has to know. It is told of all origins that may be expected there.
   *
   * @param {(name: string) => string} header gives a header of its first request, or of one before; empty: it has none
   * @returns {{ lines: string, byOrigin: boolean }} the headers of its first answer, and whether those of others may be others
   */
  forConnection(header) {
    const { cors } = this._engine.opts;
    if (!cors) return { lines: "", byOrigin: false };
    const origin = header("origin");
    if (!variesByOrigin(cors)) return { lines: this.lines(origin), byOrigin: false };
    const lines = this.note(origin);
    if (origin === "") {
      const host = header("host");
      this.expect(`http://${host}`);
      this.expect(`https://${host}`); // behind a proxy that does TLS
      const [page] = ORIGIN_OF_URL.exec(header("referer")) ?? [];
      if (page !== undefined) this.expect(page); // …and names another host to us than the browser does to it
    } else {
      this.expect("");
    }
    return { lines, byOrigin: true };
  }

  /**
   * What a worker has to know that accepts connections by itself. It is told of all origins that the option lists.
   *
   * @returns {{ lines: string, byOrigin: boolean }} the headers, unless they depend on the origin
   */
  forAll() {
    const { cors } = this._engine.opts;
    if (!cors) return { lines: "", byOrigin: false };
    if (!variesByOrigin(cors)) return { lines: this.lines(""), byOrigin: false };
    this.note("");
    for (const origin of [cors.origin].flat()) if (typeof origin === "string") this.note(origin);
    return { lines: "", byOrigin: true };
  }

  /**
   * The option has changed: the workers, which ask nobody about an origin that they know, are told of all of them again. None is
   * unknown to them meanwhile, as that would make it one of the others.
   */
  renew() {
    const origins = [...this._known.keys()]; // a copy: noting one puts it last
    for (const origin of origins) this.note(origin);
  }

  /**
   * @returns {string | undefined} the headers for origins of which the workers have not been told, with ORIGIN_MARK in place of it;
   *   undefined: they are made by JavaScript
   */
  others() {
    const { cors } = this._engine.opts;
    if (!cors || !variesByOrigin(cors)) return undefined;
    const isListed = [cors.origin].flat().every((one) => typeof one !== "object");
    const [one, other] = STRANGERS.map((origin) =>
      this.lines(origin).replaceAll(origin, ORIGIN_MARK),
    );
    return isListed && one === other ? one : undefined;
  }

  /**
   * @param {string} origin
   * @returns {string}
   * @private
   */
  lines(origin) {
    return crossOriginLines(this._engine.middlewares[0], origin);
  }

  /**
   * @param {string} origin one that may come
   * @private
   */
  expect(origin) {
    this.refresh();
    if (!this._known.has(origin)) this.note(origin);
  }

  /**
   * Tells the workers of the headers for an origin, if that is news to them.
   *
   * @param {string} origin
   * @returns {string} the headers
   * @private
   */
  note(origin) {
    this.refresh();
    const { _known: known, _server: server } = this;
    const lines = this.lines(origin);
    if (!PLAIN_ORIGIN.test(origin)) return lines;
    const { native } = this._engine.border();
    const before = known.get(origin);
    known.delete(origin);
    known.set(origin, lines);
    if (before !== lines) native.noteOrigin(server, origin, lines);
    if (known.size > MAX_ORIGINS) {
      const [oldest] = known.keys();
      known.delete(oldest);
      native.noteOrigin(server, oldest);
    }
    return lines;
  }

  /**
   * An engine that has been closed and is opened again is a new one to the workers.
   *
   * @private
   */
  refresh() {
    const server = this._engine.nativeId();
    if (server === this._server) return;
    this._server = server;
    this._known.clear();
  }
}

module.exports = { Origins };
