"use strict";

const { Counts } = require("../base/counts");

/**
 * The sessions of an engine that are alike.
 *
 * @typedef {object} Group
 * @property {string} transport
 * @property {number} protocol
 * @property {string} door
 * @property {number} open how many there are
 * @property {number} opened how many have begun so
 */

/**
 * What is told of a session.
 *
 * @typedef {object} Counted
 * @property {string} transportName
 * @property {3 | 4 | number} protocol
 * @property {string} door
 * @property {Group | undefined} _group
 */

/** How many sessions of each kind an engine has and has had. All labels are of ours: there are a handful of groups. */
class SessionCounts {
  constructor() {
    /** @type {Group[]} */
    this.groups = [];
    /** why they have ended */
    this.closed = new Counts();
    /** the codes of requests that were refused */
    this.refused = new Counts();
    this.upgrades = 0;
  }

  /** @param {Counted} conn */
  open(conn) {
    const group = this.groupOf(conn);
    group.open++;
    group.opened++;
    conn._group = group;
  }

  /**
   * It is carried by another transport now.
   *
   * @param {Counted} conn
   */
  upgrade(conn) {
    this.upgrades++;
    if (conn._group === undefined) return;
    conn._group.open--;
    conn._group = this.groupOf(conn);
    conn._group.open++;
  }

  /**
   * @param {Counted} conn
   * @param {string} reason
   */
  close(conn, reason) {
    if (conn._group === undefined) return;
    conn._group.open--;
    conn._group = undefined;
    this.closed.add(reason);
  }

  /** @param {SessionCounts} other whose counts are added to these */
  include({ groups, closed, refused, upgrades }) {
    for (const { open, opened, ...kind } of groups) {
      const group = this.groupOf({ ...kind, transportName: kind.transport });
      group.open += open;
      group.opened += opened;
    }
    for (const [reason, count] of closed.byLabel) this.closed.add(reason, count);
    for (const [code, count] of refused.byLabel) this.refused.add(code, count);
    this.upgrades += upgrades;
  }

  /**
   * @param {Pick<Counted, "transportName" | "protocol" | "door">} kind
   * @returns {Group}
   * @private
   */
  groupOf({ transportName: transport, protocol, door }) {
    for (const group of this.groups)
      if (group.transport === transport && group.protocol === protocol && group.door === door)
        return group;
    const group = { transport, protocol, door, open: 0, opened: 0 };
    this.groups.push(group);
    return group;
  }
}

module.exports = { SessionCounts };
