"use strict";

const debug = require("debug")("socket.io:recovery");

/** @typedef {import("socket.io-adapter").Room} Room */
/** @typedef {{ sid: string, pid: string, rooms: Room[], data: unknown }} State */
/** @typedef {{ on(name: "decoded", done: (packet: { data?: unknown[] }) => void): unknown, add(message: unknown): unknown }} Decoder */
/** @typedef {{ Decoder: new () => Decoder }} Parser */

/**
 * What is asked of a client.
 *
 * @typedef {object} Receiver
 * @property {boolean} _native whether a worker has its connection
 * @property {import("../engine/conn").Conn} conn
 * @property {(encoded: unknown[]) => void} sendEncoded
 */

/**
 * @typedef {object} Place where to find what the session has missed
 * @property {import("../border/border").Border} border
 * @property {Parser} parser of the server
 * @property {number} log
 * @property {number} key of the session
 * @property {number} last the number of the last packet that the client has got, in the log
 */

/** The state of a socket that comes back. */
class RestoredSession {
  #place;

  /**
   * @param {State} state
   * @param {Place} place
   */
  constructor({ sid, pid, rooms, data }, place) {
    this.sid = sid;
    this.pid = pid;
    this.rooms = rooms;
    this.data = data;
    /** @type {{ client: object } | undefined} the socket that it has become */
    this.socket = undefined;
    this.#place = place;
  }

  /**
   * Sends what was missed, as it was sent the first time. The packets stay in the addon, unless somebody watches what is
   * sent, or the connection is one of a foreign engine.
   *
   * @param {Receiver} client
   */
  sendMissed(client) {
    const { border, log, key, last } = this.#place;
    const { conn } = client;
    if (client._native && border.observers === 0) {
      if (conn.readyState === "open") border.operations.replay(conn, log, key, last);
      return;
    }
    const missed = this.#missed();
    if (missed === null) {
      debug("packets of %s are gone meanwhile, close the connection", this.sid);
      conn.close();
      return;
    }
    for (const encoded of missed) client.sendEncoded(encoded);
  }

  /** What was missed, decoded, as other adapters give it. */
  get missedPackets() {
    return (this.#missed() ?? []).map((encoded) => decode(this.#place.parser, encoded));
  }

  /** @returns {unknown[][] | null} the messages of each packet; null when some have been dropped meanwhile */
  #missed() {
    const { border, log, key, last } = this.#place;
    border.operations.flush();
    return border.native.missedPackets(log, key, last);
  }
}

/**
 * @param {Parser} parser
 * @param {unknown[]} encoded the messages that the packet is made of
 * @returns {unknown[]} the data of the packet
 */
function decode(parser, encoded) {
  const decoder = new parser.Decoder();
  /** @type {unknown[] | undefined} */
  let data;
  decoder.on("decoded", (packet) => (data = packet.data));
  for (const message of encoded) decoder.add(message);
  return /** @type {unknown[]} */ (data);
}

module.exports = { RestoredSession };
