// How many messages of other rooms nobody here has read. The server numbers the messages of each room.

export class Unread {
  /** @type {Map<string, number>} the number of the last message that was read, by room */
  #read = new Map();
  #run = "";

  /**
   * We have joined: what was said before is not news. After a restart all rooms count from zero again.
   * @param {string} run of the server
   * @param {{ name: string, said: number }[]} rooms
   */
  start(run, rooms) {
    if (this.#run === run) return;
    if (this.#run === "") for (const { name, said } of rooms) this.#read.set(name, said);
    else this.#read.clear();
    this.#run = run;
  }

  /** All of this room has been read. */
  readAll({ name, said }) {
    this.#read.set(name, said);
  }

  /** @returns {number} */
  of({ name, said }) {
    return Math.max(0, said - (this.#read.get(name) ?? 0));
  }
}
