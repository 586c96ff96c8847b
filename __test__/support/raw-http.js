"use strict";

/** HTTP spoken by hand: one request, its answer with status, headers and body, nothing interpreted. */

const http = require("node:http");
const { within } = require("./waiting");

// These depend on the moment or on Node's HTTP server alone.
const VOLATILE_HEADERS = ["date", "connection", "keep-alive"];

/**
 * Starts a request and hands back its handle, for tests that abort it or watch it wait.
 *
 * @returns {{ request: http.ClientRequest, response: Promise<{status, headers, body, raw}>, abort(): void }}
 */
function start(port, method, path, { headers = {}, body, agent = false, encoding = "utf8" } = {}) {
  const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent });
  const answer = new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks = [];
      response.on("error", reject);
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const kept = { ...response.headers };
        for (const name of VOLATILE_HEADERS) delete kept[name];
        const raw = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: kept, body: raw.toString(encoding), raw });
      });
    });
  });
  // An aborted request rejects: whoever wants to know awaits it, nobody else has to.
  answer.catch(() => {});
  const response = within(answer, `the answer to ${method} ${path}`);
  response.catch(() => {});
  // `null` leaves the body open for the caller to write.
  if (body !== null) request.end(body);
  return { request, response, abort: () => request.destroy() };
}

/** One request and its answer. */
function fetch(port, method, path, options) {
  return start(port, method, path, options).response;
}

/** An Engine.IO session over long-polling, one request at a time as the caller says. */
class PollingSession {
  /** Performs the opening GET. */
  static async open(
    port,
    { path = "/socket.io/", query = "EIO=4&transport=polling", headers } = {},
  ) {
    const opening = await fetch(port, "GET", `${path}?${query}`, { headers });
    return new PollingSession(port, path, query, opening);
  }

  constructor(port, path, query, opening) {
    this.port = port;
    this.opening = opening;
    const [open, ...rest] = opening.body.split("\x1e");
    this.handshake = JSON.parse(open.slice(1));
    this.sid = this.handshake.sid;
    this.url = `${path}?${query}&sid=${this.sid}`;
    this.unread = rest;
  }

  startGet(options) {
    return start(this.port, "GET", this.url, options);
  }

  startPost(body, options) {
    return start(this.port, "POST", this.url, { body, ...options });
  }

  get(options) {
    return this.startGet(options).response;
  }

  post(body, options) {
    return this.startPost(body, options).response;
  }

  /** The next Engine.IO packet, polling as often as it takes. */
  async next() {
    while (this.unread.length === 0) {
      const { status, body } = await this.get();
      if (status !== 200) throw new Error(`poll answered ${status}`);
      this.unread.push(...body.split("\x1e"));
    }
    return this.unread.shift();
  }

  /** Joins a namespace and hands back the server's answer; a ping that comes before it is answered. */
  async join(packet = "40") {
    await this.post(packet);
    for (;;) {
      const answer = await this.next();
      if (answer !== "2") return answer;
      await this.post("3");
    }
  }
}

module.exports = { PollingSession, fetch, start };
