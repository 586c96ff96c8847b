"use strict";

/**
 * A client that pipelines: requests of all kinds written behind each other by one connection, cut anywhere, without waiting for
 * answers, or with; and then it goes, in one of the ways in which clients go. What it says follows from a seed.
 *
 * A calm one has at most one poll and one POST of its session under way, as Engine.IO asks for, and gets all answers. A wild one
 * does not care: its session may end for that, and with it its connection.
 */

const assert = require("node:assert/strict");
const net = require("node:net");
const tls = require("node:tls");
const { KeptConnection } = require("./kept-connection");
const { OPCODE, frame } = require("./raw-websocket");
const { eventually, turns, until } = require("./waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const MOST_REQUESTS = 8;
/** Turns of the event loop after which a poll that waits is answered. */
const NUDGE = 10;

const bytesOf = (method, path, lines = [], body = "") =>
  `${[`${method} ${path} HTTP/1.1`, "Host: a", ...lines].join("\r\n")}\r\n\r\n${body}`;

const chunked = (body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** Whether an answer has a status, and a body that matches. */
const answers = (status, body) => (answer) =>
  answer.head.startsWith(`HTTP/1.1 ${status} `) && body.test(answer.body);

const literally = (text) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);

/**
 * A request, or what is left of one.
 *
 * @typedef {object} Step
 * @property {string} bytes
 * @property {string} kind "poll" and "post" are about the session, "half" has no end, "upgrade" ends the requests, of a "silent" one nothing is heard, all others: "other"
 * @property {(answer: { head: string, body: string }) => boolean} [isAnswer] none: there is none
 * @property {string} [tag] what is echoed for it
 */

/**
 * What is asked for. The numbers are of the client and of the request.
 *
 * @type {Record<string, (client: PipeliningClient, tag: string) => Step>}
 */
const REQUESTS = {
  foreign: (_client, tag) => foreign("GET", tag),
  foreignWithBody: (_client, tag) => foreign("POST", tag, ["Content-Length: 4"], "body"),
  foreignInChunks: (_client, tag) =>
    foreign("POST", tag, ["Transfer-Encoding: chunked"], chunked("body"), 4),
  foreignExpecting: (_client, tag) =>
    foreign("POST", tag, ["Content-Length: 4", "Expect: 100-continue"], "body"),
  handshake: () => ({
    kind: "other",
    bytes: bytesOf("GET", POLLING),
    isAnswer: answers(200, /^0\{"sid":"/),
  }),
  unknownSession: () => ({
    kind: "other",
    bytes: bytesOf("GET", `${POLLING}&sid=nobody`),
    isAnswer: answers(400, /^\{"code":1,/),
  }),
  unknownTransport: () => ({
    kind: "other",
    bytes: bytesOf("GET", "/socket.io/?EIO=4&transport=pigeon"),
    isAnswer: answers(400, /^\{"code":0,/),
  }),
  wrongMethod: () => ({
    kind: "other",
    bytes: bytesOf("POST", POLLING, ["Content-Length: 2"], "40"),
    isAnswer: answers(400, /^\{"code":2,/),
  }),
  poll: (client) => ({
    kind: "poll",
    bytes: bytesOf("GET", client.url),
    isAnswer: (answer) => client.takePoll(answer),
  }),
  post: (client, tag) => post(client, tag, (body) => [`Content-Length: ${body.length}`]),
  postInChunks: (client, tag) => {
    const { kind, isAnswer } = post(client, tag, () => []);
    const lines = ["Transfer-Encoding: chunked"];
    return { kind, isAnswer, tag, bytes: bytesOf("POST", client.url, lines, chunked(echo(tag))) };
  },
  postExpecting: (client, tag) =>
    post(client, tag, (body) => [`Content-Length: ${body.length}`, "Expect: 100-continue"]),
};

/** What is not asked for to its end, or by which the connection stops being one of requests. */
const LAST = {
  halfAHead: (client) => half(client, bytesOf("GET", client.url)),
  halfAForeignHead: (client) => half(client, bytesOf("GET", "/app/never")),
  halfABody: (client) => half(client, post(client, "never", () => ["Content-Length: 90"]).bytes),
  halfAForeignBody: (client) =>
    half(client, foreign("POST", "never", ["Content-Length: 90"], "body").bytes),
  nobody: () => ({ kind: "silent", bytes: bytesOf("GET", "/nobody") }),
  websocket: () => upgrade(WEBSOCKET),
  probe: (client) => upgrade(`${WEBSOCKET}&sid=${client.sid}`),
};

/** The same on our server only: upstream may not hear what comes with an upgrade request, and keeps such connections for ever. */
const EAGER = {
  websocket: () => ({ ...upgrade(WEBSOCKET, ["40", "3", "41"]), kind: "silent" }),
  probe: (client) => ({
    ...upgrade(`${WEBSOCKET}&sid=${client.sid}`, ["2probe", "5", '42["echo","late"]']),
    kind: "silent",
  }),
};

const echo = (tag) => `42["echo","${tag}"]`;

function foreign(method, tag, lines, body = "", length = body.length) {
  const isAnswer = answers(200, literally(`${method} /app/${tag} ${length}`));
  return { kind: "other", bytes: bytesOf(method, `/app/${tag}`, lines, body), isAnswer };
}

function post(client, tag, linesOf) {
  const body = echo(tag);
  const isAnswer = (answer) => client.takeOk(answer, tag);
  return { kind: "post", bytes: bytesOf("POST", client.url, linesOf(body), body), isAnswer, tag };
}

function half(client, bytes) {
  return { kind: "half", bytes: bytes.slice(0, 1 + client.random.int(bytes.length - 1)) };
}

function upgrade(path, messages = []) {
  const lines = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  const frames = messages.map((text) => frame(OPCODE.text, text).toString("latin1"));
  return { kind: "upgrade", bytes: bytesOf("GET", path, lines) + frames.join("") };
}

/** The ways in which a client goes. */
const LEAVING = {
  end: ({ socket }) => socket.end(),
  destroy: ({ socket }) => socket.destroy(),
  reset: ({ tcp }) => tcp.resetAndDestroy(),
};

/** A connection, with its socket of TCP. */
class Dialled extends KeptConnection {
  constructor(tcp, socket) {
    super(socket);
    this.tcp = tcp;
  }

  /** @param {string} way in which it ends */
  async leave(way) {
    const { socket, tcp } = this;
    if (!tcp.destroyed) LEAVING[way](this);
    if (!socket.closed) await until(socket, "close");
  }
}

/**
 * What such clients come to.
 *
 * @typedef {object} Target
 * @property {number} port
 * @property {boolean} secure
 * @property {boolean} hearsAll what comes with an upgrade request, too
 * @property {Map<string, any>} sockets those of "/", by the ids of their sessions
 */

class PipeliningClient {
  /**
   * @param {Target} target
   * @param {import("../../fuzz/stateful/random").Random} random
   * @param {string} name
   */
  constructor(target, random, name) {
    this.target = target;
    this.random = random;
    this.name = name;
    this.isCalm = random.once(2);
    this.sid = "";
    /** @type {Step[]} what has been asked for and not been answered */
    this.waiting = [];
    /** @type {string[]} tags of POSTs whose answer was "ok", and those that have come back */
    this.posted = [];
    this.echoed = [];
    /** whether the server may end its session, and with that the connection */
    this.isAtFault = false;
    /** whether it has gone, or said something behind which nothing is looked at */
    this.isOver = false;
    /** @type {string[]} what it has said, for who looks at a failure */
    this.said = [];
  }

  get url() {
    return `${POLLING}&sid=${this.sid}`;
  }

  async play() {
    await this.join();
    this.connection = await this.dial();
    const { random } = this;
    for (let left = random.int(MOST_REQUESTS + 1); left > 0 && !this.connection.ended; left--) {
      const make = REQUESTS[random.pick(Object.keys(REQUESTS))];
      await this.say(make(this, `${this.name}-${left}`));
      if (random.once(4)) await this.allAnswered();
    }
    const how = random.int(4);
    if (how < 2) await this.sayLast();
    else if (how === 2) await this.allAnswered();
    if (this.isCalm && !this.isOver) await this.drain();
    this.isOver = true;
    this.said.push("(goes)");
    await this.connection.leave(random.pick(Object.keys(LEAVING)));
  }

  /** Opens its session, by a connection of its own, and joins "/". */
  async join() {
    const own = await this.dial();
    const { body } = await own.ask(POLLING);
    this.sid = JSON.parse(body.slice(1)).sid;
    assert.equal((await own.ask(this.url, { body: "40" })).body, "ok");
    assert.match((await own.ask(this.url)).body, /^40\{"sid":"/);
    await own.leave(this.random.pick(["end", "destroy"]));
  }

  /** @returns {Promise<Dialled>} */
  async dial() {
    const { port, secure } = this.target;
    const tcp = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const socket = secure ? tls.connect({ socket: tcp, rejectUnauthorized: false }) : tcp;
    tcp.on("error", () => {}); // it may be reset
    socket.on("end", () => socket.end());
    const connection = new Dialled(tcp, socket);
    await until(socket, secure ? "secureConnect" : "connect");
    return connection;
  }

  /** @param {Step} step */
  async say(step) {
    const { kind } = step;
    if (kind === "poll" || kind === "post") {
      const others = () => this.waiting.some((other) => other.kind === kind);
      if (this.isCalm) await this.hear(() => !others(), `one ${kind} at a time`);
      else if (others()) this.isAtFault = true;
    }
    this.said.push(step.bytes);
    if (step.isAnswer !== undefined) this.waiting.push(step);
    await this.write(Buffer.from(step.bytes, "latin1"));
    this.look();
  }

  /** Writes bytes in pieces. */
  async write(bytes) {
    const { random, connection } = this;
    for (let cuts = random.once(2) ? random.int(4) : 0; cuts > 0 && bytes.length > 0; cuts--) {
      const at = random.int(bytes.length + 1);
      connection.write(bytes.subarray(0, at));
      bytes = bytes.subarray(at);
      await turns(random.int(3));
    }
    connection.write(bytes);
  }

  async sayLast() {
    const { random } = this;
    const all = Object.values(LAST);
    const make = random.pick(this.target.hearsAll ? [...all, ...Object.values(EAGER)] : all);
    if (random.once(2)) await this.allAnswered();
    const isQuiet = this.waiting.length === 0;
    const step = make(this);
    if (step.kind !== "half") this.isOver = true; // what comes now is looked at by nobody else
    await this.say(step);
    // an upgrade overtakes the answers to what stands before it
    if (step.kind === "upgrade" && isQuiet && !this.connection.ended) await this.upgraded(step);
    this.isOver = true;
    if (random.once(2)) await turns(random.int(5));
  }

  /** Talks by what has become a WebSocket. @param {Step} step */
  async upgraded({ bytes }) {
    const { connection } = this;
    const hear = (text) =>
      eventually(() => connection.bytes.includes(text) || connection.ended, `"${text}"`);
    const say = (text) => connection.write(frame(OPCODE.text, text));
    if (bytes.includes("&sid=")) {
      await hear("HTTP/1.1 101 ");
      say("2probe");
      await hear("3probe");
    } else {
      await hear('0{"sid":"');
      say("40");
      await hear('40{"sid":"');
      say(echo("framed"));
      await hear(echo("framed"));
    }
    assert.ok(!connection.ended || this.isAtFault);
  }

  /** Waits until something is so of what has come, and has polls answered that wait. */
  async hear(condition, what) {
    let turn = 0;
    const isSo = () => {
      this.look();
      if (this.connection.ended && !this.isAtFault && this.waiting.length > 0)
        assert.fail("the connection has ended");
      if (this.connection.ended || condition()) return true;
      if (++turn % NUDGE === 0) this.target.sockets.get(this.sid)?.emit("tick");
      return false;
    };
    await eventually(isSo, what);
  }

  allAnswered() {
    return this.hear(() => this.waiting.length === 0, "all answers");
  }

  /** All that was acknowledged is echoed, once and in order. */
  async drain() {
    await this.allAnswered();
    while (!this.connection.ended && this.echoed.length < this.posted.length) {
      await this.say(REQUESTS.poll(this, ""));
      await this.allAnswered();
    }
    assert.deepEqual(this.echoed, this.posted);
  }

  /** Looks at the answers that have come: they are to the requests, in their order. */
  look() {
    const { connection, waiting } = this;
    if (this.isOver) return;
    for (let answer; (answer = connection.take()) !== undefined;) {
      if (answer.head.startsWith("HTTP/1.1 100 ")) {
        assert.ok(waiting.some(({ bytes }) => bytes.includes("Expect:")));
        continue;
      }
      const step = waiting.shift();
      assert.ok(step?.isAnswer?.(answer), `${answer.head}\n\n${answer.body}\n\nto ${step?.bytes}`);
    }
  }

  /** An answer to a poll. */
  takePoll({ head, body }) {
    if (this.isAtFault && head.startsWith("HTTP/1.1 400 ")) return true;
    if (!head.startsWith("HTTP/1.1 200 ")) return false;
    for (const packet of body.split("\x1e")) {
      const [, tag] = /^42\["echo","([^"]*)"\]$/.exec(packet) ?? [];
      if (tag !== undefined) this.echoed.push(tag);
      else if (packet !== '42["tick"]' && packet !== "6" && packet !== "1") return false;
    }
    return true;
  }

  /** An answer to a POST. */
  takeOk({ head, body }, tag) {
    if (this.isAtFault && head.startsWith("HTTP/1.1 400 ")) return true;
    this.posted.push(tag);
    return head.startsWith("HTTP/1.1 200 ") && body === "ok";
  }
}

module.exports = { PipeliningClient };
