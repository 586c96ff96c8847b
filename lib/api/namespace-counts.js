"use strict";

const { Counts, MOST, OTHERS } = require("../base/counts");

/** The label of namespaces that are made when a client asks for them: clients choose their names. */
const DYNAMIC = "(dynamic)";

/** What is counted of a namespace, or of some together. */
class NamespaceCounts {
  constructor() {
    /** sockets that have been let in */
    this.connected = 0;
    /** sockets that were not */
    this.refused = 0;
    /** sockets that have left, by the reason */
    this.disconnected = new Counts();
    this.left = 0;
    /** events that have come */
    this.received = 0;
    /** events that were emitted to one socket */
    this.emitted = 0;
    /** sockets that got their state back, and those that asked for it in vain */
    this.recovered = 0;
    this.unrecovered = 0;
  }

  /** @param {string} reason */
  countLeft(reason) {
    this.left++;
    this.disconnected.add(reason);
  }
}

/** The counts of all namespaces of a server. They outlive a namespace, as one of the same name goes on with them. */
class NamespacesCounts {
  constructor() {
    /** @type {Map<string, NamespaceCounts>} by the label */
    this.byLabel = new Map();
    /** clients that have asked for a namespace that there is not */
    this.unknown = 0;
  }

  /**
   * @param {string} name of a namespace that the program has made
   * @returns {NamespaceCounts}
   */
  of(name) {
    const label = this.byLabel.has(name) || this.byLabel.size < MOST ? name : OTHERS;
    let counts = this.byLabel.get(label);
    if (counts === undefined) this.byLabel.set(label, (counts = new NamespaceCounts()));
    return counts;
  }

  /** @returns {NamespaceCounts} of those that are made on demand, all together */
  ofDynamic() {
    return this.of(DYNAMIC);
  }
}

module.exports = { DYNAMIC, NamespaceCounts, NamespacesCounts };
