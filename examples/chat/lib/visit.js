"use strict";

// One socket's visit: from the nickname to the goodbye. Every event is answered through its ack.

const { createHash, randomUUID } = require("node:crypto");
const {
  LIMITS,
  Refusal,
  asImageHeader,
  asMessageId,
  asNickname,
  asRoomName,
  asText,
  asToken,
  imageType,
} = require("./checks");

/** Messages, room switches, new names and uploads that one person may start within one window. */
const PACE = { count: 30, window: 10_000 };

/**
 * One visitor. States:
 *
 *     connected --join--> in a room --switch--> in another room
 *        ^ \__________________|____________________/
 *        |_________ leave ____|
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
   * @type {{ id: string, name: string, size: number, chunks: Buffer[], received: number } | null}
   */
  #upload = null;
  #paceStart = 0;
  #paceCount = 0;

  /**
   * @param {import("socket.io").Server} io
   * @param {import("socket.io").Socket} socket
   * @param {object} chat shared by all
   * @param {string} chat.run the name of this run of the server
   * @param {import("./rooms").Rooms} chat.rooms
   * @param {Map<string, Visit>} chat.visits by the ids of the people
   * @param {import("./panel").Panel} chat.panel
   */
  constructor(io, socket, chat) {
    this.#io = io;
    this.#socket = socket;
    this.#chat = chat;

    this.#answer("join", (request) => this.#join(request));
    this.#answer("leave", () => this.#goodbye());
    this.#answer("rename", (nickname) => this.#rename(nickname));
    this.#answer("switch", (room) => this.#switch(room));
    this.#answer("message", (message) => this.#write(message));
    this.#answer("image:start", (header) => this.#startImage(header));
    this.#answer("image:chunk", (bytes) => this.#addChunk(bytes));
    this.#answer("image:cancel", () => this.#cancelImage());
    this.#answer("look", () => chat.panel.look(socket));
    this.#answer("block", () => chat.panel.block(socket));
    socket.on("typing", (typing) => this.#typing(typing));
    socket.on("disconnecting", () => {
      this.#goodbye();
      chat.panel.gone(socket);
    });
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
    const person = { id: idOf(asToken(request.token)), nickname };
    this.#refuseTaken(person);
    // A page that was reloaded or lost its network comes back before the server notices that it was gone.
    const other = this.#chat.visits.get(person.id);
    const wasThere = other !== undefined && other.#room.name === roomName;
    if (other) {
      other.#goodbye({ quiet: wasThere });
      other.#socket.disconnect(true);
    }
    this.#person = person;
    this.#enter(roomName, { quiet: wasThere });
    this.#chat.visits.set(person.id, this);
    return { id: person.id, limits: LIMITS, run: this.#chat.run, ...this.#look() };
  }

  /** Throws when someone else has the nickname. @param {{ id: string, nickname: string }} person */
  #refuseTaken({ id, nickname }) {
    const key = nickname.toLowerCase();
    for (const visit of this.#chat.visits.values()) {
      const other = visit.#person;
      if (other.id !== id && other.nickname.toLowerCase() === key) {
        throw new Refusal("That nickname is taken.");
      }
    }
  }

  #rename(value) {
    const nickname = asNickname(value);
    const was = this.#person.nickname;
    if (nickname !== was) {
      this.#refuseTaken({ ...this.#person, nickname });
      this.#keepPace();
      this.#person.nickname = nickname;
      this.#tellPeople(this.#room);
      this.#tell(this.#room, { kind: "renamed", was });
    }
    return { nickname };
  }

  #switch(value) {
    const name = asRoomName(value);
    if (name !== this.#room.name) {
      this.#keepPace();
      this.#upload = null;
      const before = this.#room;
      this.#enter(name); // Throws when there are too many rooms: then nothing has changed.
      this.#leave(before);
    }
    return this.#look();
  }

  #enter(name, { quiet = false } = {}) {
    const room = this.#chat.rooms.enter(name, this.#person);
    this.#socket.join(socketRoom(room));
    this.#room = room;
    this.#tellPeople(room);
    if (!quiet) this.#tell(room, { kind: "joined" });
  }

  #leave(room, { quiet = false } = {}) {
    this.#socket.leave(socketRoom(room));
    this.#chat.rooms.leave(room, this.#person.id);
    this.#tellPeople(room);
    if (!quiet) this.#tell(room, { kind: "left" });
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

  /** Tells the others in a room what this person does. @param {{ kind: string, was?: string }} what */
  #tell(room, what) {
    const line = { ...what, ...this.#person, at: Date.now() };
    this.#socket.to(socketRoom(room)).emit("line", { room: room.name, line });
  }

  #write(message) {
    if (typeof message !== "object" || message === null) throw new Refusal("That is no message.");
    const id = asMessageId(message.id);
    const text = asText(message.text);
    // It may have been written while a request to switch was on its way.
    if (message.room !== this.#room.name) throw new Refusal("You had left this room.");
    // A page whose connection was cut does not know what arrived, and sends it again.
    return id && this.#room.knows(id) ? { id } : this.#say(id, { text });
  }

  #say(id, content) {
    this.#keepPace();
    const room = this.#room;
    const message = {
      id: id || randomUUID(),
      at: Date.now(),
      from: { ...this.#person },
      ...content,
    };
    room.remember(message);
    this.#chat.panel.count(room.people.size);
    const here = socketRoom(room);
    this.#io.to(here).emit("message", { room: room.name, message });
    this.#io.except(here).emit("said", { room: room.name, said: room.said });
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
    const { id, name, chunks } = upload;
    const data = Buffer.concat(chunks);
    const type = imageType(data);
    if (!id || !this.#room.knows(id)) this.#say(id, { image: { name, type, data } });
    return { received: data.length };
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

  #goodbye(how) {
    if (!this.#room) return;
    const room = this.#room;
    this.#room = null;
    this.#upload = null;
    this.#chat.visits.delete(this.#person.id);
    this.#leave(room, how);
  }
}

/** Apart from the rooms that every socket has: nobody can enter one by naming a chat room after a socket's id. */
const socketRoom = (room) => `room:${room.name}`;

/**
 * How all others know a person, whatever connection or nickname they have: made of the secret, which it does not tell.
 * @param {string} token may be empty: then they are new each time
 */
const idOf = (token) =>
  token ? createHash("sha256").update(token).digest("base64url") : randomUUID();

module.exports = { Visit };
