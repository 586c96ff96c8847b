"use strict";

// Says what a Redis would say to a server that has subscribed to its namespace, as fast as that takes it: a Redis itself ends before.

const { once } = require("node:events");
const net = require("node:net");

/** How much is written at once. */
const PIECE = 1 << 20;

const bulk = (/** @type {Buffer | string} */ text) =>
  Buffer.concat([
    Buffer.from(`$${Buffer.byteLength(text)}\r\n`),
    Buffer.from(text),
    Buffer.from("\r\n"),
  ]);

/** Reads commands: arrays of texts. */
class Commands {
  #rest = "";

  /** @returns {string[][]} those that are whole now */
  read(chunk) {
    this.#rest += chunk.toString("latin1");
    const commands = [];
    for (let command; (command = this.#next());) commands.push(command);
    return commands;
  }

  #next() {
    const lines = this.#rest.split("\r\n");
    const count = 2 * Number(lines[0].slice(1));
    if (lines.length < count + 2) return undefined;
    this.#rest = lines.slice(count + 1).join("\r\n");
    return lines.slice(1, count + 1).filter((_, index) => index % 2 === 1);
  }
}

class FakeRedis {
  #server = net.createServer((socket) => this.#serve(socket));
  #sockets = new Set();
  #onHeard = () => {};
  #heard = new Promise((resolve) => (this.#onHeard = resolve));

  /** @returns {Promise<FakeRedis>} */
  static async start() {
    const redis = new FakeRedis();
    redis.#server.listen(0, "127.0.0.1");
    await once(redis.#server, "listening");
    return redis;
  }

  get port() {
    return this.#server.address().port;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket) {
    socket.setNoDelay();
    this.#sockets.add(socket);
    socket.on("error", () => {}); // the server under measurement has ended
    socket.once("close", () => this.#sockets.delete(socket));
    const commands = new Commands();
    let push = "*"; // as in the older version of the protocol
    const answer = ([name, ...args]) => {
      const kind = name.toLowerCase();
      if (kind === "hello") {
        push = ">";
        socket.write(`%2\r\n${bulk("proto")}:3\r\n${bulk("version")}${bulk("7.0.0")}`);
      } else if (kind.endsWith("subscribe")) {
        for (const channel of args) socket.write(`${push}3\r\n${bulk(kind)}${bulk(channel)}:1\r\n`);
        if (kind === "psubscribe") this.#onHeard({ socket, push, pattern: args[0] });
      } else if (kind === "pubsub") {
        socket.write(`*2\r\n${bulk(args[1])}:1\r\n`);
      } else {
        socket.write(kind === "ping" ? "+PONG\r\n" : "+OK\r\n");
      }
    };
    socket.on("data", (chunk) => {
      for (const command of commands.read(chunk)) answer(command);
    });
  }

  /** A server has subscribed: gives what says `payload` in a channel to it, so many times. */
  async publisher() {
    const { socket, push, pattern } = await this.#heard;
    return async (channel, payload, times = 1) => {
      const head = Buffer.from(`${push}4\r\n`);
      const parts = [head, bulk("pmessage"), bulk(pattern), bulk(channel), bulk(payload)];
      const message = Buffer.concat(parts);
      const most = Math.max(1, Math.floor(PIECE / message.length));
      const piece = Buffer.concat(Array.from({ length: Math.min(times, most) }, () => message));
      for (let left = times; left > 0; left -= most) {
        const bytes = left >= most ? piece : piece.subarray(0, left * message.length);
        if (!socket.write(bytes)) await once(socket, "drain");
      }
    };
  }
}

module.exports = { FakeRedis };
