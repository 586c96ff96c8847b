"use strict";

// The rooms of the chat: who is in, and what was said, as much of it as memory is meant to hold.

const { Refusal } = require("./checks");

/** Rooms that are always there. */
const FIXED = ["lobby", "music", "random"];

/** Rooms at one time; an empty one makes place for a new one. */
const MAX_ROOMS = 50;

/** What a late joiner gets: messages, and bytes of images among them. */
const HISTORY_LENGTH = 100;
const HISTORY_IMAGE_BYTES = 8 * 1024 * 1024;

/** One room. */
class Room {
  constructor(name) {
    this.name = name;
    /** @type {Map<string, { id: string, nickname: string }>} by their ids, in the order they came */
    this.people = new Map();
    this.history = [];
    this.imageBytes = 0;
    /** Messages since the room is there: pages count by it what they have not read. */
    this.said = 0;
    /** Counts up when the room was last left: the one with the lowest number has been empty longest. */
    this.leftAt = 0;
  }

  /** Whether this message has come already. @param {string} id */
  knows(id) {
    return this.history.some((message) => message.id === id);
  }

  /** Appends a message and forgets the oldest ones beyond the limits. */
  remember(message) {
    this.said++;
    this.history.push(message);
    this.imageBytes += message.image?.data.length ?? 0;
    while (this.history.length > HISTORY_LENGTH || this.imageBytes > HISTORY_IMAGE_BYTES) {
      this.imageBytes -= this.history.shift().image?.data.length ?? 0;
    }
  }
}

/** All rooms. */
class Rooms {
  #rooms = new Map(FIXED.map((name) => [name, new Room(name)]));
  #departures = 0;

  /** The room of that name, made when it is new. */
  enter(name, person) {
    let room = this.#rooms.get(name);
    if (!room) {
      this.#makePlace();
      room = new Room(name);
      this.#rooms.set(name, room);
    }
    room.people.set(person.id, person);
    return room;
  }

  /** Takes someone out of a room; the room and its history stay for those who come later. */
  leave(room, id) {
    room.people.delete(id);
    if (room.people.size === 0) room.leftAt = ++this.#departures;
  }

  /** What the list of rooms shows. @returns {{ name: string, people: number, said: number }[]} */
  list() {
    return Array.from(this.#rooms.values(), ({ name, people, said }) => ({
      name,
      people: people.size,
      said,
    }));
  }

  #makePlace() {
    if (this.#rooms.size < MAX_ROOMS) return;
    const empty = [...this.#rooms.values()].filter(
      ({ name, people }) => people.size === 0 && !FIXED.includes(name),
    );
    if (empty.length === 0) throw new Refusal("There are too many rooms; join one of them.");
    const oldest = empty.reduce((a, b) => (a.leftAt <= b.leftAt ? a : b));
    this.#rooms.delete(oldest.name);
  }
}

module.exports = { Rooms };
