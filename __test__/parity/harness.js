"use strict";

/**
 * The parity harness: one scenario, two servers, one trace.
 *
 * A scenario first runs on npm `socket.io`, where its own assertions must hold; then on this library, where the same
 * assertions must hold; and what it traced on the way must be equal. `PARITY_ONLY=oracle` or `=ours` runs one half,
 * `PARITY_TRACE=1` prints what was traced.
 *
 *     scenario("name", { modes: ALL, options: { pingTimeout: 50 } }, async ({ io, pair, trace }) => { … });
 *
 * Modes are how the client library connects: "polling", "websocket", or "upgrade" (polling first, and `pair` waits for
 * the upgrade to be over). A scenario without modes speaks the wire itself and runs once.
 */

const { io: connect } = require("socket.io-client");

const { oracle, selected } = require("../support/implementations");
const { PollingSession, fetch, start } = require("../support/raw-http");
const { RawWebSocket } = require("../support/raw-websocket");
const { Stage, compare } = require("../support/stage");
const { until, within } = require("../support/waiting");

/** What clients are told, by mode. */
const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

const ALL = Object.keys(TRANSPORTS);
const DIRECT = ["polling", "websocket"];

/**
 * Upstream keeps a timer of 30 s for a polling session that ends while no GET waits, even after the server is closed, and
 * with it the process: a test run should not wait for that.
 */
function shortenCloseTimeout(engine) {
  engine.on("connection", ({ transport }) => {
    if ("closeTimeout" in transport) transport.closeTimeout = 3_000;
  });
}

/** Whether a client begins with one transport and goes on with another. */
const upgrades = (client) =>
  client.io.opts.transports.length > 1 && client.io.opts.upgrade !== false;

/** The transport that a client of this mode ends with. */
const lastOf = (mode) => TRANSPORTS[mode].at(-1);

/** What a scenario works with; closes everything it handed out. */
class ParityStage extends Stage {
  constructor(implementation, mode, { options = {}, server = true }) {
    super();
    this.implementation = implementation;
    this.mode = mode;
    this.options = typeof options === "function" ? options() : { ...options };
    this.server = server;
    this.lib = implementation.load();
  }

  async open() {
    if (!this.server) return;
    const make = (httpServer) => new this.lib.Server(httpServer, this.options);
    Object.assign(this, await this.listen(make));
    if (this.implementation === oracle) shortenCloseTimeout(this.io.engine);
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** What is expected where we differ on purpose: the first of upstream, the second of ours. */
  either(upstream, here) {
    return this.implementation === oracle ? upstream : here;
  }

  /** A socket of the client library, connecting now. */
  client(namespace = "/", options = {}) {
    if (typeof namespace === "object") return this.client("/", namespace);
    const { url = this.url, ...rest } = options;
    const client = connect(url + (namespace === "/" ? "" : namespace), {
      forceNew: true,
      reconnection: false,
      transports: TRANSPORTS[this.mode],
      ...rest,
    });
    this.defer(() => client.disconnect());
    return client;
  }

  /** Waits until a client has joined its namespace, and in mode "upgrade" until its transport has changed. */
  async connected(client) {
    if (!client.connected) {
      await within(
        new Promise((resolve, reject) => {
          client.once("connect", resolve);
          client.once("connect_error", reject);
        }),
        `"connect" of ${client.nsp}`,
      );
    }
    const { engine } = client.io;
    if (upgrades(client) && engine.transport.name === "polling") await until(engine, "upgrade");
    return client;
  }

  /** A client and the server's socket for it: `{ client, socket }`. */
  async pair(namespace = "/", options = {}) {
    if (typeof namespace === "object") return this.pair("/", namespace);
    const { io = this.io } = options;
    const of = io.of(namespace.split("?")[0]);
    const client = this.client(namespace, options);
    await this.connected(client);
    const socket = of.sockets.get(client.id);
    if (upgrades(client) && socket.conn.transport.name !== "websocket")
      await until(socket.conn, "upgrade");
    return { client, socket };
  }

  /** One HTTP request to the server. */
  http(method, path, options) {
    return fetch(this.port, method, path, options);
  }

  /** A request that is left waiting; aborted at the end if it still is. */
  startHttp(method, path, options) {
    const handle = start(this.port, method, path, options);
    this.defer(() => handle.abort());
    return handle;
  }

  /** A raw long-polling session. */
  polling(options) {
    return PollingSession.open(this.port, options);
  }

  /** A raw WebSocket, upgraded or refused. Its target defaults to a new Engine.IO session. */
  async webSocket(target = "/socket.io/?EIO=4&transport=websocket", options) {
    const raw = await RawWebSocket.open(this.port, target, options);
    this.defer(() => raw.destroy());
    return raw;
  }
}

/**
 * Registers a scenario, one test for each of its modes.
 *
 * @param {string} name
 * @param {{ modes?: string[], options?: object | (() => object), server?: boolean, trace?: boolean }} settings
 *   `server: false` leaves the server to the scenario; `trace: false` for scenarios whose asserts say it all
 * @param {(stage: ParityStage) => Promise<void>} run
 */
function scenario(name, settings, run) {
  if (typeof settings === "function") return scenario(name, {}, settings);
  for (const mode of settings.modes ?? [undefined]) {
    compare(
      mode ? `${name} [${mode}]` : name,
      selected(),
      (implementation) => new ParityStage(implementation, mode, settings).perform(run),
      oracle,
    );
  }
}

/**
 * Has errors that nobody catches end nothing until the end of a scenario.
 *
 * @returns {string[]} their messages, as they come
 */
function catchUncaught(stage) {
  const thrown = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error.message));
  stage.defer(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  return thrown;
}

module.exports = { ALL, catchUncaught, DIRECT, lastOf, scenario, shortenCloseTimeout, TRANSPORTS };
