"use strict";

/**
 * Engine.IO by itself, in scenes made up by a generator: what one client and one program do to each other, by turns. Each scene is played
 * on npm `engine.io` and on `ferrosocket/engine.io`, and both must tell the same to either side.
 *
 * `ENGINE_SEED=7` plays one scene, `ENGINE_SCENES=1000` so many; `PARITY_TRACE=1` prints what was traced.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { selected } = require("./support/implementations");
const { randomNumbers, randomString } = require("./support/random-strings");
const { start } = require("./support/raw-http");
const { OPCODE, RawWebSocket, frame } = require("./support/raw-websocket");
const { deferred, eventually, turns, until, within } = require("./support/waiting");

const load = { oracle: () => require("engine.io"), ours: () => require("../engine.io.js") };

const SCENES = Number(process.env.ENGINE_SCENES ?? 120);
const MOST_STEPS = 8;
const PATH = "/engine.io/?EIO=4";
/** Begins a message that asks for itself: when it is back, all that was sent before has been handled. */
const MARK = "mark ";
/** Begins a message at which the program does something. */
const ORDER = "order ";

/** No deadline of the protocol comes in a scene, however busy the machine is. */
const PATIENT = { pingInterval: 300_000, pingTimeout: 300_000, upgradeTimeout: 300_000 };

/** The most that one client may send at once; larger than what it says while it behaves. */
const LARGEST = 100_000;

/** How a program ends a session. */
const ENDS = ["close", "discard", "error", "engine"];

const isMark = (data) => typeof data === "string" && data.startsWith(MARK);

/** Enough of a value to tell it from others. */
function brief(data) {
  if (data === undefined || typeof data === "object") {
    return data === undefined
      ? data
      : `bytes ${Buffer.from(data).toString("hex").slice(0, 40)} ${data.byteLength}`;
  }
  return data.length > 60 ? `${data.slice(0, 60)}… ${data.length}` : data;
}

/** The client's side of a session over long-polling. */
class PollingGuest {
  constructor(scene) {
    this.scene = scene;
    this.parked = undefined;
  }

  async open() {
    const { body } = await this.request("GET", `${PATH}&transport=polling`);
    const [open, ...more] = body.split("\x1e");
    const { sid, ...handshake } = JSON.parse(open.slice(1));
    this.scene.sid = sid;
    this.url = `${PATH}&transport=polling&sid=${sid}`;
    this.scene.got("open", handshake, ...more);
  }

  request(method, url, options) {
    const { port, agent } = this.scene;
    return start(port, method, url, { agent, ...options }).response;
  }

  send(packets) {
    const text = packets.map((it) => (typeof it === "string" ? it : `b${it.toString("base64")}`));
    return this.request("POST", this.url, { body: text.join("\x1e") });
  }

  /** Leaves a request for what there is to be sent. */
  park() {
    if (this.parked !== undefined) return;
    this.isAnswered = false;
    this.parked = this.request("GET", this.url).finally(() => (this.isAnswered = true));
    this.parked.catch(() => {});
  }

  /** The next answer, traced without what only tells how packets were put together. */
  async poll() {
    this.park();
    const { status, body } = await this.parked;
    this.parked = undefined;
    const packets = body
      .split("\x1e")
      .map((it) => (it.startsWith("b") ? Buffer.from(it.slice(1), "base64") : it));
    if (status !== 200) this.scene.got(status, body);
    return { status, packets };
  }

  async readTo(mark) {
    for (;;) {
      const { status, packets } = await this.poll();
      if (status !== 200) return;
      for (const packet of packets)
        if (packet !== "6" && !isMark(packet.slice(1))) this.scene.got(brief(packet));
      if (packets.includes(`4${mark}`)) return;
    }
  }

  /** The session has ended, or is about to: all that comes until it is unknown. */
  async readRest() {
    for (let polls = 0; polls < 4; polls++) {
      const { status, packets } = await this.poll();
      if (status !== 200) return;
      for (const packet of packets)
        if (packet !== "6" && !isMark(packet.slice(1))) this.scene.got(brief(packet));
    }
    this.scene.got("it goes on");
  }
}

/** The client's side of a session over a WebSocket. */
class WebSocketGuest {
  constructor(scene) {
    this.scene = scene;
  }

  async open(target = `${PATH}&transport=websocket`) {
    this.raw = await RawWebSocket.open(this.scene.port, target);
    this.scene.defer(() => this.raw.destroy());
    if (target.includes("sid=")) return;
    const { sid, ...handshake } = JSON.parse((await this.raw.next()).slice(1));
    this.scene.sid = sid;
    this.scene.got("open", handshake);
  }

  async send(packets) {
    const bytes = packets.map((it) =>
      typeof it === "string" ? frame(OPCODE.text, Buffer.from(it)) : frame(OPCODE.binary, it),
    );
    this.raw.socket.write(Buffer.concat(bytes));
    return { status: 200, body: "ok" };
  }

  park() {}

  async readTo(mark) {
    for (;;) {
      const packet = await this.raw.next();
      if (packet === `4${mark}`) return;
      this.scene.got(
        packet?.close === undefined ? brief(packet ?? "end") : { close: packet.close },
      );
      if (packet?.close !== undefined) this.raw.socket.end();
      if (packet === null || packet.close !== undefined) return;
    }
  }

  async readRest() {
    for (;;) {
      const packet = await this.raw.next();
      if (packet === null) return this.scene.got("end");
      this.scene.got(packet.close === undefined ? brief(packet) : { close: packet.close });
      if (packet.close !== undefined) this.raw.socket.end();
    }
  }
}

class Scene {
  constructor(lib, seed) {
    this.lib = lib;
    this.random = randomNumbers(seed);
    this.client = [];
    this.program = [];
    this.answers = [];
    this.callbacks = [];
    this.counted = [];
    this.marks = 0;
    this.sent = 0;
    /** whether the session has ended, or something has been sent that ends it */
    this.over = false;
    this.ending = false;
    this.cleanups = [];
  }

  one(...of) {
    return of[this.random(of.length)];
  }

  maybe() {
    return this.random(2) === 1;
  }

  /** What the client is told. */
  got(...values) {
    this.client.push(values);
  }

  /** What the program is told. */
  told(...values) {
    this.program.push(values);
  }

  defer(fn) {
    this.cleanups.push(fn);
  }

  async play() {
    const { lib } = this;
    this.agent = this.maybe() ? new http.Agent({ keepAlive: true }) : false;
    const kind = this.one("polling", "websocket", "polling");
    this.got(kind, this.agent ? "kept" : "one each");
    const httpServer = http.createServer();
    const more = this.one({}, { httpCompression: false }, { initialPacket: "first" });
    const options = { ...PATIENT, maxHttpBufferSize: LARGEST, ...more };
    this.engine = lib.attach(httpServer, options);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    this.port = httpServer.address().port;
    this.closed = deferred("the end of the session");
    this.engine.on("connection", (conn) => this.watch(conn));
    this.guest = kind === "polling" ? new PollingGuest(this) : new WebSocketGuest(this);
    try {
      await this.guest.open();
      await this.guest.readTo(await this.mark());
      const steps = 1 + this.random(MOST_STEPS);
      for (let i = 0; i < steps && !this.over; i++) await this.step();
      if (!this.over) await this.end();
      await turns(2);
      this.told(
        this.engine.clientsCount,
        Object.keys(this.engine.clients).length,
        this.conn.readyState,
      );
    } finally {
      for (const cleanup of this.cleanups) cleanup();
      if (this.agent) this.agent.destroy();
      this.engine.close();
      httpServer.closeAllConnections();
      httpServer.close();
      await until(httpServer, "close");
    }
    return {
      client: this.client,
      program: this.program,
      answers: this.answers,
      callbacks: this.counted,
    };
  }

  watch(conn) {
    this.conn = conn;
    this.told("connection", conn.readyState, conn.transport.name, conn.protocol);
    conn.on("packet", ({ type, data }) => {
      if (!isMark(data)) this.told("packet", type, brief(data));
    });
    conn.on("data", (data) => {
      if (!isMark(data)) this.told("data", brief(data));
    });
    conn.on("message", (data) => {
      // behind what other messages of this turn have it send in a later tick
      if (isMark(data)) return setImmediate(() => conn.send(data));
      this.told("message", brief(data));
      if (typeof data === "string" && data.startsWith(ORDER))
        this.obey(JSON.parse(data.slice(ORDER.length)));
    });
    conn.on("heartbeat", () => this.told("heartbeat"));
    conn.on("upgrading", ({ name }) => this.told("upgrading", name));
    conn.on("upgrade", ({ name }) => this.told("upgrade", name, conn.upgraded));
    conn.on("close", (reason, description) => {
      this.told("close", reason, description?.message, conn.readyState);
      this.over = true;
      this.closed.resolve();
    });
  }

  async mark() {
    const mark = `${MARK}${++this.marks}`;
    await this.guest.send([`4${mark}`]);
    return mark;
  }

  /** All that was done before has reached the other side. */
  async settle() {
    if (this.ending) return this.rest();
    await this.guest.readTo(await this.mark());
    const { conn, sent } = this;
    await eventually(() => this.callbacks.length >= sent, `${sent} callbacks`);
    this.counted = [...this.callbacks];
    this.told(conn.readyState, conn.transport.name, conn.upgrading, conn.upgraded);
  }

  async rest() {
    await Promise.all([this.closed.promise, this.guest.readRest()]);
  }

  /** A text that is one packet over long-polling, too. */
  text() {
    const text = randomString(this.random, this.one(0, 1, 5, 40, 300, 1_500));
    return text.toWellFormed().replaceAll("\x1e", "");
  }

  bytes() {
    return Buffer.from(Array.from({ length: this.one(0, 1, 5, 300) }, () => this.random(256)));
  }

  /** Packets of a client that behaves. */
  packets() {
    return Array.from({ length: 1 + this.random(4) }, () => {
      const text = `4${this.text()}`;
      return this.one(text, text, this.bytes(), "3", "6", "6x", "5", "0");
    });
  }

  /** What a program sends before it ends the session: upstream drops some of it, unless it is to end in order. */
  texts(end) {
    return end === null || end === "close"
      ? Array.from({ length: this.random(4) }, () => this.text())
      : [];
  }

  /** What a program does at a message. */
  obey({ sends, tick, close }) {
    const act = () => {
      for (const text of sends) this.send(text);
      if (close !== null) this.shut(close);
    };
    if (tick) process.nextTick(act);
    else act();
  }

  send(data, options) {
    if (this.conn.readyState !== "open") return;
    const number = ++this.sent;
    this.conn[this.sent % 2 ? "send" : "write"](data, options, () => this.callbacks.push(number));
  }

  shut(how) {
    const { conn, engine } = this;
    if (how === "close") conn.close();
    else if (how === "discard") conn.close(true);
    else if (how === "error") conn.onError(new Error("mine"));
    else engine.close();
    this.over = true;
  }

  isPolling() {
    return this.guest instanceof PollingGuest;
  }

  async step() {
    const kinds = ["say", "say", "tell", "tell", "both"];
    if (this.isPolling()) kinds.push("upgrade", "upgrade", "giveUp", "ask");
    else if (this.conn.upgraded) kinds.push("ask");
    if (this.random(6) === 0) return this.end();
    const kind = this.one(...kinds);
    this.got(kind);
    await this[kind]();
    await this.settle();
  }

  async say(mayEnd = true) {
    await this.park();
    const packets = this.packets();
    const end = mayEnd && this.random(8) === 0 ? this.one(...ENDS) : null;
    this.ending = end !== null;
    const orders = Array.from({ length: this.random(3) + (this.ending ? 1 : 0) }, () => ({
      sends: this.texts(end),
      tick: this.maybe(),
      close: null,
    }));
    if (this.ending) this.one(...orders).close = end;
    for (const order of orders) {
      // it depends on the network whether a tick comes before the next message
      if (orders.length > 1) order.tick = false;
      packets.splice(this.random(packets.length + 1), 0, `4${ORDER}${JSON.stringify(order)}`);
    }
    await this.post(packets);
    // ours answers a POST before the program has seen it: a poll must not overtake what ends the session
    if (this.ending) await eventually(() => this.over, "the end that was ordered");
  }

  async post(packets) {
    const { status, body } = await this.guest.send(packets);
    if (this.isPolling()) this.answers.push([status, body]);
  }

  async tell() {
    await this.park();
    this.sendSome();
  }

  /** Leaves a request for what there is to be sent, or does not. */
  async park() {
    if (!this.maybe()) return;
    this.guest.park();
    if (!this.isPolling()) return;
    await eventually(() => this.conn.transport.writable || this.guest.isAnswered, "a poll");
  }

  sendSome() {
    for (let i = 1 + this.random(4); i > 0; i--)
      this.send(
        this.one(this.text(), this.text(), this.bytes()),
        this.one(undefined, { compress: false }),
      );
  }

  async both() {
    const said = this.say(false);
    this.sendSome();
    await said;
  }

  /** A WebSocket becomes the transport. */
  async upgrade() {
    const polling = this.guest;
    if (this.maybe()) polling.park();
    const next = new WebSocketGuest(this);
    await next.open(`${PATH}&transport=websocket&sid=${this.sid}`);
    next.raw.text("2probe");
    this.got(await next.raw.next());
    if (this.maybe()) for (let i = this.random(3); i > 0; i--) this.send(this.text());
    if (polling.parked !== undefined) {
      const { packets } = await polling.poll();
      for (const packet of packets) if (packet !== "6") this.got(brief(packet));
    }
    next.raw.text("5");
    this.guest = next;
  }

  /** A WebSocket asks to become the transport, and does not. */
  async giveUp() {
    const next = new WebSocketGuest(this);
    await next.open(`${PATH}&transport=websocket&sid=${this.sid}`);
    const first = this.one("2probe", "2", "4hi", "5", "x", "3probe");
    next.raw.text(first);
    if (first === "2probe") {
      this.got(await next.raw.next());
      next.raw.text(this.one("4x", "6", "2", "zzz", "2x"));
    }
    if (first !== "5") this.got(await next.raw.rest());
    else this.guest = next; // to upstream, who does not ask is not refused
  }

  /** A request that does not fit. */
  async ask() {
    const { sid, port } = this;
    const request = (method, query, options) =>
      start(port, method, `${PATH}&${query}`, options).response;
    const { status, body } = await this.one(
      // to upstream, a session with a WebSocket does not mind, and leaves the request without an answer
      () => request("GET", `transport=${this.isPolling() ? "websocket" : "polling"}&sid=${sid}`),
      () => request("GET", `transport=polling&sid=${sid}x`),
      () =>
        request(
          "PUT",
          `transport=polling&sid=${this.conn.transport.name === "polling" ? sid : "x"}`,
        ),
      () => request("POST", "transport=polling", { body: "4a" }),
      () => request("GET", `transport=other&sid=${sid}`),
      () => start(port, "GET", `/engine.io/?EIO=3&transport=polling&sid=${sid}`).response,
    )();
    this.got(status, body);
  }

  /** Whatever ends the session. */
  async end() {
    const kind = this.one("leave", "leave", "break", "shut");
    this.got(kind);
    await this.park();
    if (kind === "shut") {
      const how = this.one(...ENDS);
      for (const text of this.texts(how)) this.send(text);
      this.shut(how);
    } else if (kind === "break") {
      const broken = ["9", "", "abc", "2", "2probe"];
      // over long-polling, it depends on the moment whether the client gets the answer to what it is still writing
      if (!this.isPolling()) broken.push(`4${"x".repeat(LARGEST)}`);
      const packets = [...this.packets(), this.one(...broken), "4behind"];
      await this.post(packets);
    } else if (this.isPolling()) {
      await this.post([...this.packets(), "1", "4behind"]);
    } else {
      await this.guest.send(this.packets());
      if (this.maybe()) this.guest.raw.send(OPCODE.close, Buffer.from([3, 232]));
      else this.guest.raw.socket.end();
    }
    await this.rest();
  }
}

const sides = selected();
const first = Number(process.env.ENGINE_SEED ?? 1);
const count = process.env.ENGINE_SEED ? 1 : SCENES;

/** Plays a scene on each side. */
async function play(seed) {
  const traces = [];
  for (const { name } of sides) {
    const scene = new Scene(load[name](), seed);
    try {
      traces.push(await within(scene.play(), `scene ${seed} on ${name}`, 60_000));
    } catch (error) {
      error.message += `\n${name}: ${JSON.stringify([scene.client, scene.program], null, 1)}`;
      throw error;
    }
  }
  return traces;
}

for (let seed = first; seed < first + count; seed++) {
  test(`scene ${seed}`, async () => {
    const traces = await play(seed);
    if (process.env.PARITY_TRACE)
      for (const [i, trace] of traces.entries())
        for (const [channel, lines] of Object.entries(trace))
          for (const line of lines) console.log(sides[i].name, channel, JSON.stringify(line));
    if (traces.length === 2) assert.deepEqual(traces[1], traces[0]);
  });
}
