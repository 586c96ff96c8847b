"use strict";

// One socket's visit: from the nickname to the goodbye. Every event is answered through its ack.

const { randomUUID } = require("node:crypto");
const {
  LIMITS,
  Refusal,
  asImageHeader,
  asNickname,
  asRoomName,
  asText,
  asToken,
  imageType,
} = require("./checks");

/** Messages, room switches and uploads that one person may start within one window. */
const PACE = { count: 30, window: 10_000 };

/**
 * One visitor. States:
 *
 *     connected --join--> in a room --switch--> in another room
 *         \___________________|____________________/
 *                             v
 *                      disconnecting: the room is told
 */
class Visit {
  #io;
  #socket;
  #chat;
  #person = null;
  #room = null;
  /**
   * Chunks are kept as they come: announcing a large image costs the server nothing yet.
   * @type {{ name: string, size: number, chunks: Buffer[], received: number } | null}
   */
  #upload = null;
  #paceStart = 0;
  #paceCount = 0;

  /**
   * @param {import("socket.io").Server} io
   * @param {import("socket.io").Socket} socket
   * @param {{ rooms: import("./rooms").Rooms, visits: Map<string, Visit> }} chat shared by all; visits by nickname
   */
  constructor(io, socket, chat) {
    this.#io = io;
    this.#socket = socket;
    this.#chat = chat;

    this.#answer("join", (request) => this.#join(request));
    this.#answer("switch", (room) => this.#switch(room));
    this.#answer("message", (text) => this.#say({ text: asText(text) }));
    this.#answer("image:start", (header) => this.#startImage(header));
    this.#answer("image:chunk", (bytes) => this.#addChunk(bytes));
    this.#answer("image:cancel", () => this.#cancelImage());
    socket.on("typing", (typing) => this.#typing(typing));
    socket.on("disconnecting", () => this.#goodbye());
  }

  /**
   * Registers a handler of which the client gets the result, or the reason of the refusal.
   * @param {string} event
   * @param {(value: unknown) => object | void} handler
   */
  #answer(event, handler) {
    this.#socket.on(event, (...args) => {
      const ack = args.at(-1);
      if (typeof ack !== "function") return; // Our page always asks for an answer.
      try {
        if (event !== "join" && !this.#room) throw new Refusal("Choose a nickname first.");
        ack({ ok: true, ...handler(args[0]) });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        ack({ ok: false, error: error.message });
      }
    });
  }

  #join(request) {
    if (this.#room) throw new Refusal("You are in already.");
    if (typeof request !== "object" || request === null) throw new Refusal("That is no request.");
    const nickname = asNickname(request.nickname);
    const roomName = asRoomName(request.room);
    const token = asToken(request.token);
    const key = nickname.toLowerCase();
    const other = this.#chat.visits.get(key);
    if (other) {
      // A page that was reloaded or lost its network comes back before the server notices that it was gone.
      if (!token || other.#person.token !== token) throw new Refusal("That nickname is taken.");
      other.#goodbye();
      other.#socket.disconnect(true);
    }
    const person = { id: this.#socket.id, nickname, token };
    this.#enter(roomName, person);
    this.#person = person;
    this.#chat.visits.set(key, this);
    return { id: person.id, limits: LIMITS, ...this.#look() };
  }

  #switch(value) {
    const name = asRoomName(value);
    if (name !== this.#room.name) {
      this.#keepPace();
      this.#upload = null;
      const before = this.#room;
      this.#enter(name, this.#person); // Throws when there are too many rooms: then nothing has changed.
      this.#leave(before);
    }
    return this.#look();
  }

  #enter(name, { id, nickname }) {
    const room = this.#chat.rooms.enter(name, { id, nickname });
    this.#socket.join(socketRoom(room));
    this.#room = room;
    this.#tellPeople(room);
  }

  #leave(room) {
    this.#socket.leave(socketRoom(room));
    this.#chat.rooms.leave(room, this.#socket.id);
    this.#tellPeople(room);
  }

  /** What someone sees who enters. */
  #look() {
    const { name, people, history } = this.#room;
    return { room: name, people: [...people.values()], rooms: this.#chat.rooms.list(), history };
  }

  #tellPeople(room) {
    this.#io
      .to(socketRoom(room))
      .emit("people", { room: room.name, people: [...room.people.values()] });
    this.#io.emit("rooms", this.#chat.rooms.list());
  }

  #say(content) {
    this.#keepPace();
    const { id, nickname } = this.#person;
    const message = { id: randomUUID(), at: Date.now(), from: { id, nickname }, ...content };
    this.#room.remember(message);
    this.#io.to(socketRoom(this.#room)).emit("message", { room: this.#room.name, message });
    return { id: message.id };
  }

  #typing(value) {
    if (!this.#room || typeof value !== "boolean") return;
    const { id, nickname } = this.#person;
    // Volatile: a notice that comes late is worse than none.
    this.#socket
      .to(socketRoom(this.#room))
      .volatile.emit("typing", { id, nickname, typing: value });
  }

  #startImage(value) {
    if (this.#upload) throw new Refusal("One image at a time, please.");
    const header = asImageHeader(value);
    this.#keepPace();
    this.#upload = { ...header, chunks: [], received: 0 };
    return { chunk: LIMITS.chunk };
  }

  #addChunk(bytes) {
    const upload = this.#upload;
    if (!upload) throw new Refusal("No image has been started.");
    if (!Buffer.isBuffer(bytes) || bytes.length === 0 || bytes.length > LIMITS.chunk) {
      return this.#failImage("A part of the image has a wrong size.");
    }
    if (upload.received + bytes.length > upload.size) {
      return this.#failImage("The image is larger than announced.");
    }
    upload.chunks.push(bytes);
    upload.received += bytes.length;
    if (upload.received < upload.size) return { received: upload.received };

    this.#upload = null;
    const { name, chunks } = upload;
    const data = Buffer.concat(chunks);
    return {
      received: data.length,
      ...this.#say({ image: { name, type: imageType(data), data } }),
    };
  }

  #cancelImage() {
    this.#upload = null;
  }

  #failImage(reason) {
    this.#upload = null;
    throw new Refusal(reason);
  }

  #keepPace() {
    const now = Date.now();
    if (now - this.#paceStart > PACE.window) {
      this.#paceStart = now;
      this.#paceCount = 0;
    }
    if (++this.#paceCount > PACE.count) throw new Refusal("That was a lot; wait a few seconds.");
  }

  #goodbye() {
    if (!this.#room) return;
    const room = this.#room;
    this.#room = null;
    this.#upload = null;
    this.#chat.visits.delete(this.#person.nickname.toLowerCase());
    this.#leave(room);
  }
}

/** Apart from the rooms that every socket has: nobody can enter one by naming a chat room after a socket's id. */
const socketRoom = (room) => `room:${room.name}`;

module.exports = { Visit };
