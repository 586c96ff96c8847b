"use strict";

/**
 * Programs made up by a generator: rooms, broadcasts, acks and ends, also from within middlewares, listeners, `toJSON()` and what the
 * adapter tells. Each is played on both servers; what it and its clients see must be equal.
 *
 * `API_SEED=7` plays one program, `API_PROGRAMS=1000` so many.
 */

const { randomNumbers } = require("../support/random-strings");
const { eventually, turns, until } = require("../support/waiting");
const { scenario } = require("./harness");

const PROGRAMS = Number(process.env.API_PROGRAMS ?? 40);
const STEPS = 16;
const MOST_NESTED = 3;

const NAMESPACES = ["/", "/other"];
const ROOMS = ["r0", "r1", "r2"];
const TOLD = ["create-room", "join-room", "leave-room", "delete-room"];

/** Arguments of an event. */
const VALUES = [
  () => "text",
  () => "é😀",
  () => "long".repeat(100),
  () => null,
  () => undefined,
  (n) => Buffer.from([n, 1, 2]),
  (n) => ({ bytes: new Uint16Array([n, 1]), texts: ["Ŀ".repeat(300)] }),
  (n) => Buffer.alloc(17_000, n),
];

class Play {
  constructor(stage, seed) {
    this.stage = stage;
    this.random = randomNumbers(seed);
    this.names = new Map();
    this.members = [];
    this.sent = 0;
    this.depth = 0;
    /** Upstream leaves sockets behind that are ended while they are connected. */
    this.isConnecting = false;
    this.isOver = false;
  }

  one(list) {
    return list[this.random(list.length)];
  }

  /** Whether something happens that does one time in so many. */
  rarely(times) {
    return this.random(times) === 0;
  }

  trace(...values) {
    this.stage.trace("program", ...values);
  }

  name(id) {
    return this.names.get(id) ?? id;
  }

  /** The program. */
  wire() {
    for (const nspName of NAMESPACES) {
      const nsp = this.stage.io.of(nspName);
      for (const event of TOLD)
        nsp.adapter.on(event, (room, id) => {
          this.trace(nspName, event, this.name(room), id && this.name(id));
          if (this.rarely(20)) this.act();
        });
      nsp.use((socket, next) => {
        this.isConnecting = true;
        this.names.set(socket.id, `socket ${this.names.size}`);
        if (this.rarely(4)) socket.join(this.one(ROOMS));
        if (this.rarely(8)) next(Object.assign(new Error("no"), { data: 1 }));
        else next();
      });
      nsp.on("connection", (socket) => this.meet(nspName, socket));
    }
  }

  meet(nspName, socket) {
    const name = this.name(socket.id);
    this.trace(nspName, "connection", name, this.shown(socket.rooms));
    this.isConnecting = false;
    for (const event of ["disconnecting", "disconnect"])
      socket.on(event, (reason) => {
        this.trace(event, name, reason, this.shown(socket.rooms));
        if (this.rarely(4)) this.act();
      });
    socket.on("ask", (times, reply) => {
      this.trace("ask", name, times);
      for (let i = 0; i < times; i++) this.act();
      reply(this.one(VALUES)(1));
    });
    socket.on("rest", (reply) => reply());
    if (this.rarely(3)) this.act();
  }

  shown(ids) {
    return Array.from(ids, (id) => this.name(id));
  }

  connected() {
    return this.members.filter(({ socket }) => socket.connected);
  }

  room() {
    return this.rarely(6) ? this.one(this.members).socket.id : this.one(ROOMS);
  }

  rooms() {
    return this.rarely(3) ? [this.room(), this.room()] : this.room();
  }

  args() {
    const args = ["x", ++this.sent];
    while (this.rarely(2)) args.push(this.one(VALUES)(args.length));
    return args;
  }

  /** The program does something, at whatever moment. */
  act() {
    const members = this.connected();
    if (this.isOver || members.length === 0 || this.depth === MOST_NESTED) return;
    const { socket } = this.one(members);
    this.depth++;
    try {
      this.one(ACTIONS)(this, socket, socket.nsp);
    } catch (error) {
      this.trace("thrown", error.constructor.name);
    } finally {
      this.depth--;
    }
  }

  // --- steps, one after the other: what clients say at the same time comes in any order ---

  async step() {
    const members = this.connected();
    if (members.length < 3 || this.rarely(6)) await this.join(this.one(NAMESPACES));
    else if (this.rarely(10)) await this.leave(this.one(members));
    else if (this.rarely(2)) await this.ask(this.one(members), "ask", 1 + this.random(3));
    else for (let i = this.random(5); i >= 0; i--) this.act();
    await this.rest();
    for (const nspName of NAMESPACES) {
      const { rooms, sids } = this.stage.io.of(nspName).adapter;
      for (const table of [rooms, sids])
        this.trace(
          nspName,
          Array.from(table, ([id, ids]) => [this.name(id), this.shown(ids)]),
        );
    }
  }

  async join(nspName) {
    const { stage } = this;
    const other = this.one(this.members)?.client;
    const client =
      other?.connected && this.rarely(2) ? this.again(other, nspName) : stage.client(nspName);
    if (client === undefined) return;
    const number = this.members.length;
    client.onAny((...args) => {
      const reply = typeof args.at(-1) === "function" ? args.pop() : undefined;
      stage.trace(`client ${number}`, ...args);
      reply?.(args[1]);
    });
    client.on("disconnect", () => {
      if (!this.isOver) stage.trace(`client ${number}`, "disconnect");
    });
    await Promise.race([until(client, "connect"), until(client, "connect_error")]);
    this.isConnecting = false;
    const socket = stage.io.of(nspName).sockets.get(client.id);
    if (client.connected && socket !== undefined) this.members.push({ client, socket });
  }

  /** A socket of the same connection, if it has none in that namespace. */
  again({ io: manager }, nspName) {
    return manager.nsps[nspName] === undefined ? manager.socket(nspName) : undefined;
  }

  async leave({ client, socket }) {
    client.disconnect();
    await eventually(() => !socket.connected, "a socket that has left");
  }

  /** A client asks, and is answered or thrown out. */
  async ask({ client, socket }, ...event) {
    let isAnswered = false;
    client.emit(...event, () => (isAnswered = true));
    await eventually(() => isAnswered || (!socket.connected && !client.connected), "an answer");
  }

  async rest() {
    for (const member of this.members) {
      const { client, socket } = member;
      if (socket.connected) await this.ask(member, "rest");
      else await eventually(() => !client.connected, "the end of a client");
    }
    await turns();
  }
}

const ACTIONS = [
  (play, socket) => socket.join(play.rooms()),
  (play, socket) => socket.join(play.rooms()),
  (play, socket) => socket.leave(play.room()),
  (play, socket) => play.rarely(3) && socket.leaveAll(),
  (play, socket) => socket.emit(...play.args()),
  (play, socket) => socket.compress(false).emit(...play.args()),
  (play, socket) => socket.emit("x", ++play.sent, { toJSON: () => play.act() }),
  (play, socket) => {
    const name = play.name(socket.id);
    socket.emit(...play.args(), (answer) => play.stage.trace(`answers of ${name}`, answer));
  },
  (play, socket) => socket.to(play.rooms()).emit(...play.args()),
  (play, socket) => socket.broadcast.emit(...play.args()),
  (play, _socket, nsp) => nsp.emit(...play.args()),
  (play, _socket, nsp) => nsp.to(play.rooms()).emit(...play.args()),
  (play, _socket, nsp) =>
    nsp
      .to(play.room())
      .except(play.rooms())
      .emit(...play.args()),
  (play, _socket, nsp) => nsp.except(play.rooms()).local.emit(...play.args()),
  (play, _socket, nsp) => nsp.to(play.rooms()).emit("x", ++play.sent, { toJSON: () => play.act() }),
  (play, _socket, nsp) => nsp.in(play.room()).socketsJoin(play.rooms()),
  (play, _socket, nsp) => nsp.in(play.room()).socketsLeave(play.rooms()),
  (play, socket) => !play.isConnecting && play.rarely(3) && socket.disconnect(play.rarely(3)),
  (play, _socket, nsp) =>
    !play.isConnecting && play.rarely(6) && nsp.in(play.room()).disconnectSockets(play.rarely(2)),
  (play, socket) => {
    const listener = (name) => {
      play.trace("outgoing", play.name(socket.id), name);
      if (play.rarely(2)) socket.offAnyOutgoing(listener);
      play.act();
    };
    socket.onAnyOutgoing(listener);
  },
  (play, socket) => {
    const listener = (name) => {
      play.trace("any", play.name(socket.id), name);
      if (play.rarely(2)) socket.offAny(listener);
      play.act();
    };
    socket.onAny(listener);
  },
  (play, socket) => {
    const acts = play.rarely(2);
    socket.use(([name], next) => {
      play.trace("middleware", play.name(socket.id), name);
      if (acts && name !== "rest") play.act();
      next();
    });
  },
];

const first = Number(process.env.API_SEED ?? 1);
const count = process.env.API_SEED ? 1 : PROGRAMS;

for (let seed = first; seed < first + count; seed++) {
  scenario(`program ${seed}`, { modes: ["websocket"] }, async (stage) => {
    const play = new Play(stage, seed);
    play.wire();
    for (let i = 0; i < STEPS; i++) await play.step();
    play.isOver = true;
  });
}
