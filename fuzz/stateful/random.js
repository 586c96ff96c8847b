"use strict";

/** Numbers that look random and follow from a seed (mulberry32). */
class Random {
  /** @param {number} seed a whole one */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** @returns {number} from 0 to `n` - 1 */
  int(n) {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }

  /** Whether something happens that does once in `n` times. */
  once(n) {
    return this.int(n) === 0;
  }

  pick(list) {
    return list[this.int(list.length)];
  }

  bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.int(256)));
  }

  /** Another seed. */
  fork() {
    return this.int(0x7fffffff);
  }
}

module.exports = { Random };
