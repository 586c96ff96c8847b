"use strict";

const { countConnection } = require("../base/node-internals");
const { kindOf } = require("./bridge-door");
const { WebSocketDoor } = require("./websocket-door");

/** @typedef {import("../engine/engine").Engine} Engine */

/** The dialect of protocol 4 with bytes as they are. */
const PLAIN = 0;

/** The wire of a WebSocket that a worker takes before Node.js has made a socket of the connection. */
class AcceptedDoor extends WebSocketDoor {
  /**
   * @param {Engine} engine
   * @param {import("./accepted-request").AcceptedRequest} request
   */
  constructor(engine, request) {
    super(engine, request, undefined);
    this.kind = /** @type {const} */ ("takeover");
  }

  /**
   * Hands the connection that the addon has looked at last to a worker. If that fails, the door is closed.
   *
   * @param {string} sid
   * @param {boolean} isNew a new session, or an upgrade of an existing one
   * @param {number} descriptor of the connection
   * @param {any} server the HTTP server, which is to count it
   * @param {import("../http/upgrade-answer").UpgradeAnswer} answer
   * @throws {Error} when no descriptor is free; the connection is as it was then
   */
  take(sid, isNew, descriptor, server, answer) {
    const { native } = this.border;
    const id = this.engine.nativeId();
    const kind = kindOf(isNew, PLAIN, answer);
    let taken = false;
    try {
      taken = native.adoptPeeked(id, this.token, sid, kind, descriptor, answer.text);
    } finally {
      if (!taken) this.close();
    }
    if (!taken) return;
    countConnection(server);
    this.server = server;
    this.border.wakeSoon();
  }
}

module.exports = { AcceptedDoor };
