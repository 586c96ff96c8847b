"use strict";

const { RecordKind } = require("../../native/border");

/** @typedef {import("./operations").Named} Named */

/** Stands for a session whose server was closed before the session opened: it is closed, and its handle is given back. */
class Orphan {
  /**
   * @param {{ forget(orphan: Orphan): void }} border
   * @param {Named} name
   */
  constructor(border, { _handle, _generation }) {
    this.border = border;
    this._handle = _handle;
    this._generation = _generation;
  }

  onconnect() {}

  onpacket() {}

  onmessage() {}

  /** @param {number} kind a SessionRecord */
  onrecord(kind) {
    if (kind === RecordKind.CLOSED) this.border.forget(this);
  }
}

module.exports = { Orphan };
