"use strict";

/** @type {import("../http/query").Query} */
const NO_PARAMETERS = Object.freeze({});
/** @type {import("./door").NoSocket} */
const SOCKET = Object.freeze({ encrypted: false, remoteAddress: undefined, remotePort: undefined });
/** @type {import("./door").NoSocket} */
const ENCRYPTED = Object.freeze({ ...SOCKET, encrypted: true });

/**
 * A request that Node.js has not read, as the addon describes it (src/http/request.rs). It is used in place of an
 * IncomingMessage until a program asks for that.
 */
class AcceptedRequest {
  /**
   * @param {string} text the description
   * @param {boolean} [isEncrypted] whether it came over TLS
   */
  constructor(text, isEncrypted) {
    this.method = "GET";
    const sid = text.indexOf("\n") + 1;
    const version = text.indexOf("\n", sid) + 1;
    const url = version + 2; // behind one digit
    const headers = text.indexOf("\n", url) + 1;
    /** its Sec-WebSocket-Key; empty: it opens a polling session */
    this.key = text.slice(0, sid - 1);
    /** the session that it asks to become the transport of; empty: a new one */
    this.sid = text.slice(sid, version - 1);
    this.httpVersion = text[version] === "1" ? "1.1" : "1.0";
    this.url = text.slice(url, headers - 1);
    /** names and values of the headers, a line each */
    this.raw = text.slice(headers);
    /** what counts before the session is open; the rest is read from the URL on demand */
    this._query = NO_PARAMETERS;
    this.socket = isEncrypted ? ENCRYPTED : SOCKET;
  }

  /**
   * @param {string} name in lower case
   * @returns {string} the value of a header that it has once at most; empty: none
   */
  header(name) {
    const lines = this.raw.split("\n");
    for (let at = 0; at < lines.length; at += 2)
      if (lines[at].toLowerCase() === name) return lines[at + 1];
    return "";
  }
}

module.exports = { AcceptedRequest };
