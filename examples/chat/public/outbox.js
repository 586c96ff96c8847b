// Messages on their way: shown at once, and kept until the server has them, whatever happens in between.

/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} room
 * @property {string} text
 * @property {"sending" | "cut" | "refused"} state "cut": the connection went first; it is sent again when we are back
 * @property {string} error why it was refused
 */

/** The messages of this page that have not arrived. */
export class Outbox {
  /** @type {Map<string, Entry>} in the order they were written */
  #entries = new Map();
  #send;
  #onChange;

  /**
   * @param {object} options
   * @param {(entry: Entry) => Promise<{ ok: boolean, error?: string, cut?: boolean }>} options.send
   * @param {(entry: Entry, arrived: boolean) => void} options.onChange shows what has become of it
   */
  constructor({ send, onChange }) {
    this.#send = send;
    this.#onChange = onChange;
  }

  /** How many wait for an answer of the server. */
  get waiting() {
    return [...this.#entries.values()].filter(({ state }) => state === "sending").length;
  }

  /** @param {{ id: string, room: string, text: string }} message */
  add(message) {
    const entry = { ...message, state: "sending", error: "" };
    this.#entries.set(entry.id, entry);
    return this.#deliver(entry);
  }

  /** Tries once more with one that was refused. @param {string} id */
  retry(id) {
    const entry = this.#entries.get(id);
    return entry && this.#deliver(entry);
  }

  /** Gives one up that was refused. @param {string} id */
  discard(id) {
    this.#entries.delete(id);
  }

  /** Forgets them all: whoever leaves takes nothing along. */
  clear() {
    this.#entries.clear();
  }

  /**
   * We are in this room (again): what the server has is done, what was cut is sent again, the rest is shown.
   * @param {string} room
   * @param {{ id: string }[]} history
   */
  enter(room, history) {
    for (const { id } of history) this.#entries.delete(id);
    for (const entry of this.#entries.values()) {
      if (entry.room !== room) continue;
      if (entry.state === "cut") this.#deliver(entry);
      else this.#onChange(entry, false);
    }
  }

  /** @param {Entry} entry */
  async #deliver(entry) {
    entry.state = "sending";
    this.#onChange(entry, false);
    const { ok, error = "", cut } = await this.#send(entry);
    if (!this.#entries.has(entry.id)) return; // Given up meanwhile.
    if (ok) {
      this.#entries.delete(entry.id);
    } else {
      entry.state = cut ? "cut" : "refused";
      entry.error = error;
    }
    this.#onChange(entry, ok);
  }
}
