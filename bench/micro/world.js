"use strict";

// A server over the stand-in of the addon, and clients that are nothing but records.

const http = require("node:http");
const { RecordKind, SessionFlag } = require("../../native/border");

require("./native.js").install();
const { Server } = require("../../index.js");

/** Waits until all that was begun has been done: records have ticks of their own, operations leave at the end of one. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Handles that have been given out: there is one border in the process, whatever the number of servers. */
let opened = 0;

/** A server without a port. */
class World {
  /** @param {object} [options] of the server */
  constructor(options) {
    this.io = new Server(http.createServer(), options);
    this.server = this.io.engine.nativeId();
    this.border = this.io.engine.border();
    this.native = this.border.native;
  }

  /** @param {number} count @returns {number[]} handles that nobody has */
  handles(count) {
    return Array.from({ length: count }, () => opened++ << 4);
  }

  /** @param {readonly number[]} handles @returns {string} the records of as many clients that join "/" */
  connecting(handles) {
    const records = handles.flatMap((handle) => [
      [RecordKind.OPENED, handle, this.server, `session-${handle}`, SessionFlag.WEBSOCKET, 0, 1],
      [RecordKind.CONNECT, handle, "/", {}],
    ]);
    return JSON.stringify(records);
  }

  /** @param {readonly number[]} handles @returns {string} the records of the end of these clients */
  closing(handles) {
    return JSON.stringify(
      handles.map((handle) => [RecordKind.CLOSED, handle, "transport close", ""]),
    );
  }

  /**
   * @param {number} count
   * @returns {Promise<{ handles: number[], sockets: any[] }>} so many clients, in "/"
   */
  async connect(count) {
    const handles = this.handles(count);
    this.native.give(this.connecting(handles));
    await settled();
    return { handles, sockets: handles.map((handle) => this.border.session(handle)._client.root) };
  }

  /** Ends all clients, so that nothing keeps the process. */
  async close() {
    const open = [...this.border.sessions()];
    this.native.give(this.closing(open.map((session) => session._handle)));
    await settled();
  }
}

module.exports = { World, settled };
