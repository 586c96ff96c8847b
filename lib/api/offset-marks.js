"use strict";

/** @typedef {import("socket.io-adapter").Room} Room */

/** How many marks are kept: enough to find what a client saw last, few enough to search through. */
const MAX_MARKS = 4096;

/** How many rooms a mark may name; an event for more of them counts as sent to everybody. */
const MAX_ROOMS = 8;

/** How many characters of a text are hashed, at each end. */
const SAMPLE = 256;

/**
 * Where events that are not stored, and that end with a text, stand among those that are stored.
 *
 * A client takes the last argument of each event for its offset if it is a text, even that of a volatile event, which is
 * not stored and so has no offset. When a client sends such a text, it is looked up here: the client has got what was stored
 * before that event, and nothing that was stored after it.
 *
 * Only a hash of each text is kept. If two texts have the same one, a client that sends the one may get events of its own
 * twice, or miss some; those of others are not touched.
 */
class OffsetMarks {
  /** @private @type {Float64Array | undefined} hashes of the texts, a ring */
  _hashes = undefined;
  /** @private the numbers of the packets stored last before each */
  _numbers = new Float64Array(0);
  /** @private @type {(ReadonlySet<Room> | undefined)[]} the rooms of each; undefined: sent to everybody */
  _rooms = [];
  /** @private the number of the first packet that was stored here, if another process has stored others before */
  _first = -Infinity;
  /** @private how many have been noted */
  _count = 0;

  /**
   * @param {string} text the last argument of an event
   * @param {number} number of the packet that was stored last
   * @param {ReadonlySet<Room>} [rooms] that it was for; none: everybody
   */
  note(text, number, rooms) {
    const named = rooms !== undefined && rooms.size > 0 && rooms.size <= MAX_ROOMS;
    this._hashes ??= new Float64Array(MAX_MARKS);
    if (this._numbers.length === 0) this._numbers = new Float64Array(MAX_MARKS);
    const hash = hashOf(text);
    const before = (this._count + MAX_MARKS - 1) % MAX_MARKS;
    if (this._hashes[before] === hash && this._numbers[before] === number && this._count > 0) {
      const known = this._rooms[before];
      if (known === undefined) return;
      const both = named ? new Set([...known, .../** @type {ReadonlySet<Room>} */ (rooms)]) : known;
      this._rooms[before] = named && both.size <= MAX_ROOMS ? both : undefined;
      return;
    }
    const at = this._count++ % MAX_MARKS;
    this._hashes[at] = hash;
    this._numbers[at] = number;
    this._rooms[at] = named ? rooms : undefined;
  }

  /**
   * @param {string} text
   * @param {number} from
   * @param {number} to
   * @param {boolean} first whether the first such event counts, not the last
   * @param {readonly Room[]} [rooms] those of the client; events for other rooms don't count. Without it, all count
   * @returns {number | undefined} the number of the packet stored last before an event with this text, between `from` and `to`;
   *   undefined when none is known
   */
  find(text, from, to, first, rooms) {
    if (this._hashes === undefined) return undefined;
    const hash = hashOf(text);
    /** @type {number | undefined} */
    let found;
    const oldest = Math.max(this._count - MAX_MARKS, 0);
    for (let i = this._count - 1; i >= oldest; i--) {
      const at = i % MAX_MARKS;
      const number = this._numbers[at];
      if (number < from) break; // they only grow
      if (number > to || this._hashes[at] !== hash) continue;
      const of = this._rooms[at];
      if (rooms !== undefined && of !== undefined && !rooms.some((room) => of.has(room))) continue;
      found = number;
      if (!first) break;
    }
    return found;
  }

  /**
   * Another process has stored the packets before that number, and knows of events between them that are not known here.
   *
   * @param {number} first
   */
  goOn(first) {
    this._first = first;
  }

  /**
   * @param {number} from
   * @returns {boolean} whether events that came after the packet `from` may have been forgotten
   */
  hasForgotten(from) {
    if (from < this._first) return true;
    return this._count > MAX_MARKS && this._numbers[this._count % MAX_MARKS] >= from;
  }
}

/**
 * @param {string} text
 * @returns {number} 52 bits; the middle of a long text does not count
 */
function hashOf(text) {
  const { length } = text;
  let a = 0x9e3779b9 ^ length;
  let b = 0x85ebca6b;
  const tail = Math.max(length - SAMPLE, SAMPLE);
  for (let i = 0; i < length; i = i === SAMPLE - 1 ? tail : i + 1) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 15);
  }
  return (a >>> 0) * 0x100000 + ((b >>> 0) & 0xfffff);
}

module.exports = { OffsetMarks };
