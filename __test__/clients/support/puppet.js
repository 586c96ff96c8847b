"use strict";

/**
 * A client in another language: a program that obeys commands and tells what it hears, one JSON text per line.
 *
 * The programs say themselves which commands there are (`python/client.py`, `rust/src/main.rs`).
 */

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const readline = require("node:readline");
const { within } = require("../../support/waiting");

/** Bytes as the programs write them, everything else as it is. */
function pack(value) {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString("base64") };
  if (Array.isArray(value)) return value.map(pack);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

/** The inverse of `pack`. */
function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (typeof value !== "object" || value === null) return value;
  if ("$bytes" in value) return Buffer.from(value.$bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}

/** One running program. */
class Puppet {
  /** @param {string[]} command the program and its arguments */
  constructor([program, ...args]) {
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.closed = once(this.child, "close").catch(() => {});
    this.complaints = "";
    this.child.stderr.on("data", (chunk) => (this.complaints += chunk));
    this.child.stdin.on("error", () => {}); // it ended: whoever waits for a reply is told
    this.replies = new Map();
    this.clients = new Map();
    this.count = 0;
    readline.createInterface({ input: this.child.stdout }).on("line", (line) => this.hear(line));
    this.closed.then(() => {
      const error = new Error(`the client program ended: ${this.complaints}`);
      for (const { reject } of this.replies.values()) reject(error);
    });
  }

  /** @private */
  hear(line) {
    const said = JSON.parse(line);
    if ("on" in said) {
      this.clients.get(said.client)?.hear({ ...said, args: unpack(said.args ?? []) });
      return;
    }
    const waiting = this.replies.get(said.re);
    this.replies.delete(said.re);
    if ("error" in said) waiting.reject(new Error(said.error));
    else waiting.resolve(unpack(said.value));
  }

  /** Sends a command; resolves with its value. */
  order(command) {
    const id = ++this.count;
    const reply = new Promise((resolve, reject) => {
      this.replies.set(id, { resolve, reject });
    });
    this.child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
    return within(reply, `a reply to "${command.do}" (${this.complaints})`);
  }

  /** A client that does not connect yet. */
  client() {
    const client = new PuppetClient(this, this.clients.size + 1);
    this.clients.set(client.number, client);
    return client;
  }

  /** Ends the program, without a chance to say goodbye. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.closed;
  }
}

/** One client of a program. What it heard is kept until it is asked for. */
class PuppetClient {
  constructor(puppet, number) {
    this.puppet = puppet;
    this.number = number;
    this.heard = [];
    this.waiting = [];
  }

  /** @private */
  hear(said) {
    const index = this.waiting.findIndex(({ kind }) => kind === said.on);
    if (index === -1) this.heard.push(said);
    else this.waiting.splice(index, 1)[0].resolve(said);
  }

  /** The next thing of one kind that it hears or has heard: "connect", "connect_error", "disconnect" or "event". */
  next(kind) {
    const index = this.heard.findIndex(({ on }) => on === kind);
    if (index !== -1) return Promise.resolve(this.heard.splice(index, 1)[0]);
    const later = new Promise((resolve) => this.waiting.push({ kind, resolve }));
    return within(later, `"${kind}" at the client (${this.puppet.complaints})`);
  }

  /** The name and arguments of the next event, in one array. */
  async event() {
    const { name, args } = await this.next("event");
    return [name, ...args];
  }

  order(command) {
    return this.puppet.order({ client: this.number, ...command });
  }

  emit(name, ...args) {
    return this.order({ do: "emit", namespace: "/", name, args: pack(args) });
  }

  /** Emits and resolves with what the server's ack says. */
  ask(name, ...args) {
    return this.order({ do: "ask", namespace: "/", name, args: pack(args) });
  }

  disconnect() {
    return this.order({ do: "disconnect" });
  }
}

module.exports = { Puppet };
