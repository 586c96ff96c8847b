"use strict";

/** How many labels are told apart, unless it is said. */
const MOST = 50;

/** What all others are counted under. */
const OTHERS = "(others)";

/** Counts by labels. However many there come to be, few are told apart: nobody who chooses them can make it grow. */
class Counts {
  /** @param {number} [most] labels that are told apart */
  constructor(most = MOST) {
    /** @private */
    this._most = most;
    /** @type {Map<string, number>} */
    this.byLabel = new Map();
  }

  /**
   * @param {unknown} label
   * @param {number} [times]
   */
  add(label, times = 1) {
    let name = String(label);
    const count = this.byLabel.get(name);
    if (count === undefined && this.byLabel.size >= this._most) name = OTHERS;
    this.byLabel.set(name, (count ?? this.byLabel.get(name) ?? 0) + times);
  }
}

module.exports = { Counts, MOST, OTHERS };
