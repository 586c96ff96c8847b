"use strict";

/** @typedef {import("socket.io-adapter").Room} Room */

const NONE = Object.freeze(/** @type {number[]} */ ([]));
const FEW = 1024; // with fewer rooms than this it is not worth asking which are unused

/**
 * Numbers for rooms: programs name rooms as they like, the recovery log knows them by number. A room keeps its number as
 * long as the log refers to it, even when it has no members.
 */
class RoomNumbers {
  constructor() {
    /** @private @type {Map<Room, number>} */
    this._numbers = new Map();
    /** @private @type {(Room | undefined)[]} by number; undefined: it is free */
    this._names = [];
    /** @private @type {number[]} numbers without a room */
    this._free = [];
    /** @private */
    this._limit = FEW;
  }

  /** Whether it is time to ask which are unused: there are twice as many as the last time. */
  get crowded() {
    return this._numbers.size >= this._limit;
  }

  /**
   * @param {Iterable<Room> & { size?: number }} rooms
   * @returns {readonly number[]}
   */
  of(rooms) {
    if (rooms.size === 0) return NONE;
    const numbers = [];
    for (const name of rooms) numbers.push(this._numbers.get(name) ?? this.add(name));
    return numbers;
  }

  /**
   * @param {number} number
   * @returns {Room} the room
   */
  name(number) {
    return /** @type {Room} */ (this._names[number]);
  }

  /**
   * @param {Room} name
   * @returns {number}
   * @private
   */
  add(name) {
    const number = this._free.pop() ?? this._names.length;
    this._names[number] = name;
    this._numbers.set(name, number);
    return number;
  }

  /** @param {number[]} unused numbers that the log does not refer to; some may be free already */
  release(unused) {
    for (const number of unused) {
      const name = this._names[number];
      if (name === undefined || this._numbers.get(name) !== number) continue;
      this._numbers.delete(name);
      this._names[number] = undefined;
      this._free.push(number);
    }
    this._limit = Math.max(FEW, 2 * this._numbers.size);
  }
}

module.exports = { RoomNumbers };
