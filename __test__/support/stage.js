"use strict";

/** What every scenario works with, whatever its servers and clients are: a trace, and a list of what to close. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { anonymise, snapshot } = require("./normalise");
const { until, within } = require("./waiting");

/** The last resort when a scenario hangs in spite of the deadlines of its waits. */
const LIMIT = 240_000;

class Stage {
  constructor() {
    this.channels = {};
    this.cleanups = [];
    // scenarios take the methods apart from the stage
    for (
      let of = Object.getPrototypeOf(this);
      of !== Object.prototype;
      of = Object.getPrototypeOf(of)
    )
      for (const name of Object.getOwnPropertyNames(of))
        if (name !== "constructor" && !Object.hasOwn(this, name))
          this[name] = this[name].bind(this);
  }

  /** Makes a server by `make(httpServer)`, on a port of its own: `{ io, httpServer, port }`. */
  async listen(make) {
    const httpServer = http.createServer((req, res) => res.writeHead(404).end("not ours"));
    const io = make(httpServer);
    this.defer(() => this.shut(io, httpServer));
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    return { io, httpServer, port: httpServer.address().port };
  }

  /** Closes a server and waits until its port is free, whether or not the scenario has closed it already. */
  async shut(io, httpServer) {
    const closed = httpServer.listening ? until(httpServer, "close") : Promise.resolve();
    io.close();
    httpServer.closeAllConnections();
    await closed;
  }

  /** Appends to one channel of the trace. Order is compared within a channel, not between two of them. */
  trace(channel, ...values) {
    (this.channels[channel] ??= []).push(snapshot(values));
  }

  /** Runs `fn` when the scenario is over, last one first. */
  defer(fn) {
    this.cleanups.push(fn);
  }

  async close() {
    for (const cleanup of this.cleanups.reverse()) await cleanup();
  }

  /** Opens, lets `run` do its work, closes whatever comes of it, and hands back the trace. */
  async perform(run) {
    try {
      await this.open?.();
      await run(this);
    } finally {
      await within(this.close(), "everything to close");
    }
    const trace = anonymise(this.channels, { port: this.port });
    if (process.env.PARITY_TRACE) console.dir(trace, { depth: null });
    return trace;
  }
}

/**
 * Registers one scenario: a test in it for each side, and one that compares with the first what each other traced.
 *
 * @param {string} name
 * @param {{ name: string }[]} sides the oracle first, if it is there
 * @param {(side: any) => Promise<object>} perform resolves with the trace
 * @param {any} [oracle] the side to compare with
 * @param {number} [timeout] for all sides together, in ms
 */
function compare(name, sides, perform, oracle, timeout = LIMIT) {
  test(name, { timeout }, async (t) => {
    const traces = new Map();
    for (const side of sides)
      await t.test(`on ${side.name}`, async () => traces.set(side, await perform(side)));
    if (!traces.has(oracle)) return;
    for (const [side, trace] of traces)
      if (side !== oracle)
        await t.test(`equal traces on ${side.name}`, () =>
          assert.deepStrictEqual(trace, traces.get(oracle)),
        );
  });
}

module.exports = { Stage, compare };
