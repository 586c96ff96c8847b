"use strict";

const { EventEmitter } = require("node:events");
const debug = require("debug")("socket.io-redis");
const { clearInterval, nextTick, setInterval } = require("../base/loop");

const LONGEST_TIMER = 2 ** 30; // ms

/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("../../native").LinkConfig} LinkConfig */
/** @typedef {import("../../native").ClusterConfig} ClusterConfig */

/**
 * Whether Redis can be reached: it is tried for the first time, it can, it is tried again, the program wants it no more.
 *
 * @typedef {"connecting" | "ready" | "reconnecting" | "closed"} State
 */

/** The kinds of messages. */
const ORDERED = 0;

/** Records that have a buffer beside them. */
const WITH_BYTES = new Set(["message", "entry", "restored"]);

/**
 * Who is told of the messages of a cluster.
 *
 * @typedef {object} Member
 * @property {(channel: string, bytes: Buffer, isOrdered: boolean) => void} onmessage `isOrdered`: broadcasts must not overtake it
 * @property {(entry: EntryRecord, bytes: Buffer) => void} [onentry]
 * @property {(found: Found) => void} [onlate] somebody could come back for whom nobody waits any more
 * @property {() => void} settle all messages of a batch have been told
 */

/** An entry of a stream. @typedef {{ id: string, type: number, uid: string, token: number, isOrdered: boolean }} EntryRecord */

/** What is known of a client that comes back. @typedef {{ number: number, left: number, after: string, bytes: Buffer }} Found */

/**
 * A question of how many servers there are.
 *
 * @typedef {object} Count
 * @property {string} channel that each of them has subscribed
 * @property {boolean} sharded
 * @property {number} asked on which connection, by its number; 0: on none yet
 * @property {boolean} waits whether Redis was not asked then, or has refused it
 * @property {(count: number) => void} done
 * @property {NodeJS.Timeout} timer
 */

/**
 * The connection to Redis of a server, which has a thread of its own, in Rust: what others publish and concerns clients here goes
 * from there to the workers. Only what JavaScript has to see comes up.
 *
 * Emits "state" (state, message).
 */
class Link extends EventEmitter {
  /**
   * @param {Border} border
   * @param {LinkConfig} config
   */
  constructor(border, config) {
    super();
    /** @type {State} */
    this.state = "connecting";
    /** @private */
    this._border = border;
    /** @private @type {Map<number, Member>} by the numbers of their clusters */
    this._members = new Map();
    /** @private @type {Map<number, Count>} */
    this._counts = new Map();
    /** @private @type {Map<number, (found: Found | undefined) => void>} who wants to come back */
    this._restorations = new Map();
    /** @private of both kinds of questions */
    this._lastCount = 0;
    /** @private how many connections there have been */
    this._connections = 0;
    /** @private @type {Map<string, number>} how many servers there were when it was asked last, by channel */
    this._known = new Map();
    /** Whether its last member has left: it is for no other one. */
    this.isEnding = false;
    /** @private */
    this._malformed = 0;
    /** @private @type {((value?: unknown) => void)[]} */
    this._closing = [];
    /** @private */
    this._number = border.native.openLink(config, () => this.take());
    /** @private keeps the process alive, as the connection of a client of Redis does */
    this._timer = setInterval(noop, LONGEST_TIMER);
  }

  /** @returns {Record<string, unknown>} what it has counted */
  stats() {
    const { malformed = 0, ...counts } = JSON.parse(this._border.native.linkStats(this._number));
    return { ...counts, malformed: malformed + this._malformed };
  }

  /** A message that JavaScript has looked at was none. */
  countMalformed() {
    this._malformed++;
  }

  /**
   * @param {ClusterConfig} config
   * @returns {number} of the cluster: nothing comes for it before `attach()`
   */
  openCluster(config) {
    return this._border.native.openCluster(this._number, config);
  }

  /**
   * @param {number} cluster
   * @param {Member} member
   */
  attach(cluster, member) {
    this._members.set(cluster, member);
  }

  /**
   * Leaves a cluster. With the last one it closes: what has been published before is sent, if that is soon.
   *
   * @param {number} cluster
   * @returns {Promise<unknown>}
   */
  async detach(cluster) {
    if (!this._members.delete(cluster)) return;
    this._border.operations.flush(); // what was published before
    this._border.native.closeCluster(cluster);
    if (this._members.size > 0) return;
    this.isEnding = true;
    if (this.state === "closed") return;
    await new Promise((resolve) => {
      this._closing.push(resolve);
      this._border.native.closeLink(this._number);
    });
  }

  /**
   * Asks how many servers have subscribed a channel. Without Redis that can't be known: then it gives what was known last.
   *
   * @param {string} channel
   * @param {boolean} sharded
   * @param {number} timeout ms
   * @returns {Promise<number>} at least 1, this one
   */
  count(channel, sharded, timeout) {
    if (this.state === "closed") return Promise.resolve(this.lastCount(channel));
    return new Promise((resolve) => {
      const request = ++this._lastCount;
      const done = (/** @type {number} */ count) => {
        clearTimeout(timer);
        this._counts.delete(request);
        this._known.set(channel, count);
        resolve(Math.max(count, 1));
      };
      const timer = setTimeout(() => done(this.lastCount(channel)), timeout);
      this._counts.set(request, { channel, sharded, asked: 0, waits: false, done, timer });
      this.askCount(request);
    });
  }

  /**
   * @param {string} channel
   * @private
   */
  lastCount(channel) {
    return this._known.get(channel) ?? 1;
  }

  /**
   * @param {number} request
   * @private
   */
  askCount(request) {
    const count = this._counts.get(request);
    if (count === undefined) return;
    count.asked = this._connections;
    count.waits = false;
    this._border.native.countSubscribers(this._number, request, count.channel, count.sharded);
  }

  /**
   * Asks who it is that wants to come back, and what it has missed.
   *
   * @param {number} cluster
   * @param {string} pid
   * @param {string | undefined} offset
   * @param {number} timeout ms
   * @returns {Promise<Found | undefined>} nothing when it is not known in time
   */
  restore(cluster, pid, offset, timeout) {
    if (this.state === "closed") return Promise.resolve(undefined);
    const { native } = this._border;
    return new Promise((resolve) => {
      const request = ++this._lastCount;
      const done = (/** @type {Found | undefined} */ found) => {
        clearTimeout(timer);
        this._restorations.delete(request);
        resolve(found);
      };
      const timer = setTimeout(() => {
        native.forgoRestoration(cluster, request);
        done(undefined);
      }, timeout);
      this._restorations.set(request, done);
      native.restoreFromStream(cluster, request, pid, offset);
    });
  }

  /**
   * Takes what waits.
   *
   * @private
   */
  take() {
    const { text, buffers } = this._border.native.takeLink(this._number);
    /** @type {Set<Member>} */
    const told = new Set();
    let taken = 0;
    for (const record of JSON.parse(text)) {
      const bytes = WITH_BYTES.has(record[0]) ? buffers[taken++] : undefined;
      try {
        const member = this.dispatch(record, bytes);
        if (member !== undefined) told.add(member);
      } catch (error) {
        nextTick(rethrow, error); // of the program
      }
    }
    for (const member of told) member.settle();
  }

  /**
   * @param {[string, ...unknown[]]} record
   * @param {Buffer} [bytes]
   * @returns {Member | undefined} whom a message was for
   * @private
   */
  dispatch([kind, first, second, third, ...more], bytes) {
    switch (kind) {
      case "message": {
        const member = this._members.get(Number(first));
        if (bytes !== undefined) member?.onmessage(String(second), bytes, third === ORDERED);
        return member;
      }
      case "entry": {
        const member = this._members.get(Number(first));
        const [uid, token, count] = more;
        const entry = {
          id: String(second),
          type: Number(third),
          uid: String(uid),
          token: Number(token),
          isOrdered: count === ORDERED,
        };
        if (bytes !== undefined) member?.onentry?.(entry, bytes);
        return member;
      }
      case "restored":
        if (bytes !== undefined)
          this.onrestored(Number(first), Number(more[1]), {
            number: Number(second),
            left: Number(third),
            after: String(more[0]),
            bytes,
          });
        break;
      case "subscribed":
        // while the channels of a new namespace are not there, nobody is asked: "ready" does not come again
        for (const [request, { waits }] of this._counts) if (waits) this.askCount(request);
        break;
      case "state":
        this.onstate(/** @type {State} */ (first), /** @type {string | undefined} */ (second));
        break;
      case "count":
        this.oncount(Number(first), Number(second));
        break;
    }
    return undefined;
  }

  /**
   * @param {State} state
   * @param {string} [message]
   * @private
   */
  onstate(state, message) {
    debug("%s: %s", state, message ?? "");
    const isNew = state === "ready" && this.state !== "ready";
    this.state = state;
    if (isNew) {
      this._connections++;
      for (const request of this._counts.keys()) this.askCount(request);
    }
    if (state === "closed") this.onclosed();
    this.emit("state", state, message);
  }

  /** @private */
  onclosed() {
    clearInterval(this._timer);
    for (const { channel, done } of this._counts.values()) done(this.lastCount(channel));
    for (const done of this._restorations.values()) done(undefined);
    for (const resolve of this._closing) resolve();
  }

  /**
   * @param {number} request
   * @param {number} cluster
   * @param {Found} found its number is 0 when nothing is known
   * @private
   */
  onrestored(request, cluster, found) {
    const isFound = found.number !== 0;
    const done = this._restorations.get(request);
    if (done !== undefined) done(isFound ? found : undefined);
    else if (isFound) this._members.get(cluster)?.onlate?.(found);
  }

  /**
   * @param {number} request
   * @param {number} count -1: Redis could not be asked; then it is, when the link is ready, or a new namespace's channels are there
   * @private
   */
  oncount(request, count) {
    const asked = this._counts.get(request);
    if (count >= 0) asked?.done(count);
    // Redis may refuse it, each time: so it is asked once on each connection
    else if (asked !== undefined && asked.asked !== this._connections) this.askCount(request);
    else if (asked !== undefined) asked.waits = true;
  }
}

/** @param {unknown} error */
function rethrow(error) {
  throw error;
}

function noop() {}

module.exports = { Link };
