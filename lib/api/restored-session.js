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
 * @typedef {object} Missed what the session has missed
 * @property {(conn: import("../engine/conn").Conn) => void} replay sends it, past this thread
 * @property {() => unknown[][] | null} take the messages of each packet; null when some are gone meanwhile
 * @property {() => boolean} isShown whether somebody wants to see what is sent
 */

/** The state of a socket that comes back. */
class RestoredSession {
  #missed;
  #parser;

  /**
   * @param {State} state
   * @param {Missed} missed
   * @param {Parser} parser of the server
   */
  constructor({ sid, pid, rooms, data }, missed, parser) {
    this.sid = sid;
    this.pid = pid;
    this.rooms = rooms;
    this.data = data;
    /** @type {{ client: object } | undefined} the socket that it has become */
    this.socket = undefined;
    this.#missed = missed;
    this.#parser = parser;
  }

  /**
   * Sends what was missed, as it was sent the first time. The packets stay in the addon, unless somebody watches what is
   * sent, or the connection is one of a foreign engine.
   *
   * @param {Receiver} client
   */
  sendMissed(client) {
    const { conn } = client;
    if (client._native && !this.#missed.isShown()) {
      if (conn.readyState === "open") this.#missed.replay(conn);
      return;
    }
    const missed = this.#missed.take();
    if (missed === null) {
      debug("packets of %s are gone meanwhile, close the connection", this.sid);
      conn.close();
      return;
    }
    for (const encoded of missed) client.sendEncoded(encoded);
  }

  /** What was missed, decoded, as other adapters give it. */
  get missedPackets() {
    return (this.#missed.take() ?? []).map((encoded) => decode(this.#parser, encoded));
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

/**
 * Notes that a socket is not coming back any more: it is connected, or never will be.
 *
 * @template {{ session: RestoredSession }} T
 * @param {Map<string, T>} returning those who are coming back, by pid
 * @param {{ pid?: string }} socket
 * @returns {T | undefined} nothing when this socket was not coming back
 */
function takeReturning(returning, socket) {
  const { pid } = socket;
  const found = pid === undefined ? undefined : returning.get(pid);
  if (pid === undefined || found?.session.socket !== socket) return undefined;
  returning.delete(pid);
  return found;
}

module.exports = { decode, RestoredSession, takeReturning };
