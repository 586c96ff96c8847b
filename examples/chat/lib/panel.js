"use strict";

// "What the server does": what the panel of the page shows, and its button that blocks the event loop.

const { performance } = require("node:perf_hooks");
const { Refusal } = require("./checks");

/** How long the button blocks, and how long it then rests: whoever hammers it gets no second block at once. */
const BLOCK = 10_000;
const REST = 5_000;

/** Rates are told as the mean of so many whole seconds. */
const SPAN = 5;

/** The panel, one for all pages. */
class Panel {
  #io;
  #server;
  #blocking;
  #messages = new Meter();
  #deliveries = new Meter();
  /**
   * The last block: who was there when it began, and how many of them have not left since.
   * @type {{ seconds: number, before: number, there: Set<string>, over: boolean } | null}
   */
  #block = null;
  #nextBlock = 0;

  /**
   * @param {import("socket.io").Server} io
   * @param {{ server: string, blocking: boolean }} options `server`: name and version
   */
  constructor(io, { server, blocking }) {
    this.#io = io;
    this.#server = server;
    this.#blocking = blocking;
  }

  /** A message goes to so many. */
  count(people) {
    this.#messages.add(1);
    this.#deliveries.add(people);
  }

  /** Someone has left the server. @param {import("socket.io").Socket} socket */
  gone(socket) {
    this.#block?.there.delete(socket.id);
  }

  /** What the panel of this socket shows. @param {import("socket.io").Socket} socket */
  look(socket) {
    const { conn } = socket;
    const { seconds, before, there } = this.#block?.over ? this.#block : {};
    return {
      server: this.#server,
      door: conn.door, // Ours alone: the original has none.
      doorReason: conn.doorReason,
      transport: conn.transport.name,
      clients: this.#io.engine.clientsCount,
      messages: this.#messages.perSecond(),
      deliveries: this.#deliveries.perSecond(),
      mayBlock: this.#reasonAgainst(socket) === "",
      whyNot: this.#reasonAgainst(socket),
      block: there && { seconds, before, there: there.size },
    };
  }

  /** Blocks the event loop, as a handler with too much to compute would. */
  block(socket) {
    const reason = this.#reasonAgainst(socket);
    if (reason) throw new Refusal(reason);
    // A request that has waited through the last block is late: it meant that one.
    if (performance.now() < this.#nextBlock) throw new Refusal("It has just been blocked.");
    this.#nextBlock = Infinity;
    const block = { seconds: BLOCK / 1000, before: 0, there: new Set(), over: false };
    this.#block = block;
    this.#io.emit("block", { seconds: block.seconds });
    // Not at once: first everybody is told, or the pages could not say what is going on.
    setTimeout(() => {
      block.there = new Set(this.#io.sockets.sockets.keys());
      block.before = block.there.size;
      const end = performance.now() + BLOCK;
      while (performance.now() < end); // Nothing else of JavaScript runs in this process.
      block.over = true;
      this.#nextBlock = performance.now() + REST;
      this.#io.emit("block:over");
    }, 100);
    return { seconds: block.seconds };
  }

  /** Why this socket may not block the server; empty when it may. */
  #reasonAgainst({ handshake: { address, headers } }) {
    if (!this.#blocking)
      return "Off on this server. CHAT_BLOCKING=1 allows it; npm start does, too.";
    const local = /^(::1|(::ffff:)?127(\.\d+){3})$/.test(address);
    // All that a proxy passes on comes from this machine; it mostly says for whom.
    const proxied = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].some((h) => h in headers);
    return local && !proxied ? "" : "Only from the machine that the server runs on.";
  }
}

/** Counts what happens in a second. */
class Meter {
  /** So many in each of the last seconds, by the second modulo the length. */
  #counts = new Array(SPAN + 1).fill(0);
  #second = 0;

  add(count) {
    this.#turn();
    this.#counts[this.#second % this.#counts.length] += count;
  }

  /** The mean of the last whole seconds. */
  perSecond() {
    this.#turn();
    const current = this.#counts[this.#second % this.#counts.length];
    return (this.#counts.reduce((sum, count) => sum + count, 0) - current) / SPAN;
  }

  /** Empties the places of the seconds that have begun since the last call. */
  #turn() {
    const now = Math.floor(performance.now() / 1000);
    const { length } = this.#counts;
    for (let second = Math.max(this.#second, now - length); second < now;) {
      this.#counts[++second % length] = 0;
    }
    this.#second = now;
  }
}

module.exports = { Panel };
