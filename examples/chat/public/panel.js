// The panel "What the server does": what carries this page, and what happens while the server's JavaScript stands still.

import { ask, socket } from "./connection.js";
import { byId } from "./make.js";

/** How often the server is asked while the panel is open, and how often what runs is shown. */
const LOOK_EVERY = 1_000;
const TICK = 100;

/** How often somebody new comes in while the server is blocked. */
const NEWCOMER_EVERY = 2_000;

const DOORS = {
  takeover: "a worker in Rust has the connection",
  polling: "workers in Rust answer the requests",
  bridge: "JavaScript passes the bytes to a worker in Rust",
};

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

/**
 * @param {object} page
 * @param {{ waiting: number }} page.outbox messages on their way
 * @param {() => boolean} page.isIn whether the server knows us
 * @returns {{ close: () => void, joined: () => void }} `joined`: to be called when the server knows us (again)
 */
export function startPanel({ outbox, isIn }) {
  const panel = byId("panel");
  const toggle = byId("panel-toggle");
  let lastHeartbeat = 0;
  /** When the question that is not answered yet was asked; 0: none is. */
  let asked = 0;
  let ticking = null;
  /** @type {Block | null} */
  let block = null;

  function open() {
    panel.hidden = false;
    toggle.setAttribute("aria-expanded", "true");
    ticking ??= setInterval(tick, TICK);
    look();
  }

  function close() {
    panel.hidden = true;
    toggle.setAttribute("aria-expanded", "false");
    clearInterval(ticking);
    ticking = null;
  }

  function closeByHand() {
    close();
    toggle.focus();
  }

  /** Asks the server once a second; an answer that is late because it is blocked is just late. */
  async function look() {
    if (asked !== 0 || panel.hidden || !isIn()) return;
    asked = performance.now();
    const answer = await ask("look");
    const trip = performance.now() - asked;
    asked = 0;
    if (answer.ok) show(answer, trip);
    setTimeout(look, LOOK_EVERY);
  }

  function show(answer, trip) {
    byId("panel-server").textContent = answer.server;
    byId("panel-door").textContent = answer.door ?? "none";
    byId("panel-door-hint").textContent =
      (DOORS[answer.door] ?? "all is done in JavaScript") +
      (answer.doorReason ? ` (${answer.doorReason})` : "");
    byId("panel-transport").textContent = answer.transport;
    byId("panel-trip").textContent = `${trip.toFixed(1)} ms`;
    byId("panel-clients").textContent = answer.clients;
    byId("panel-rate").textContent =
      `${answer.messages.toFixed(1)} in, ${answer.deliveries.toFixed(1)} out`;
    byId("panel-block").disabled = !answer.mayBlock || block !== null;
    byId("panel-why-not").textContent = answer.whyNot;
  }

  function tick() {
    const now = performance.now();
    // Also the loop starts again here, when it ended because we were not in.
    if (asked === 0) look();
    else if (now - asked > LOOK_EVERY) {
      byId("panel-trip").textContent = `no answer for ${seconds(now - asked)}`;
    }
    if (lastHeartbeat) byId("panel-heartbeat").textContent = `${seconds(now - lastHeartbeat)} ago`;
    if (block) byId("panel-progress").textContent = block.progress(outbox.waiting);
  }

  async function begin(event) {
    block?.end();
    block = new Block(event.seconds);
    byId("panel-block").disabled = true;
    byId("panel-outcome").textContent = "";
    byId("panel-progress").hidden = false;
    // Only a page whose panel is open sends newcomers: a hundred pages would send hundreds.
    if (!panel.hidden) block.sendNewcomers();
  }

  async function end() {
    const over = block;
    if (!over) return;
    const waited = outbox.waiting;
    await over.allIn();
    const answer = await ask("look");
    if (block !== over) return;
    over.end();
    block = null;
    byId("panel-progress").hidden = true;
    if (answer.ok && answer.block)
      byId("panel-outcome").textContent = over.outcome(answer.block, waited);
  }

  socket.io.on("ping", () => {
    lastHeartbeat = performance.now();
    block?.heartbeat();
  });
  socket.on("block", begin);
  socket.on("block:over", end);

  byId("panel-block").addEventListener("click", async () => {
    const answer = await ask("block");
    if (!answer.ok) byId("panel-outcome").textContent = answer.error;
  });
  toggle.addEventListener("click", () => {
    if (!panel.hidden) return closeByHand();
    open();
    byId("panel-close").focus();
  });
  byId("panel-close").addEventListener("click", closeByHand);
  panel.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") closeByHand();
  });

  // Who was lost does not hear that it is over: they learn it when they are back.
  return { close, joined: end };
}

/** What happens while the server is blocked. */
class Block {
  #seconds;
  #start = performance.now();
  #heartbeats = 0;
  /** @type {Newcomer[]} */
  #newcomers = [];
  #timer = null;

  constructor(seconds) {
    this.#seconds = seconds;
  }

  heartbeat() {
    this.#heartbeats++;
  }

  /** From now on somebody new comes in every other second. */
  sendNewcomers() {
    this.#timer = setInterval(() => this.#newcomers.push(new Newcomer()), NEWCOMER_EVERY);
  }

  /** It is over: resolves when the newcomers know what became of them. */
  async allIn() {
    clearInterval(this.#timer);
    await Promise.all(this.#newcomers.map(({ settled }) => settled));
  }

  /** The newcomers go home. */
  end() {
    clearInterval(this.#timer);
    for (const newcomer of this.#newcomers) newcomer.leave();
  }

  /** The line that is shown meanwhile. @param {number} waiting messages of this page */
  progress(waiting) {
    const time = Math.min(this.#seconds, (performance.now() - this.#start) / 1000);
    const waits = waiting > 0 ? `, ${count(waiting, "message waits", "messages wait")}` : "";
    return (
      `JavaScript stands still: ${time.toFixed(1)} s of ${this.#seconds} s. ` +
      `Meanwhile: ${this.#meanwhile()}${waits}.`
    );
  }

  /**
   * The line that is shown afterwards.
   * @param {{ seconds: number, before: number, there: number }} block what the server says
   * @param {number} waited messages of this page
   */
  outcome({ before, there }, waited) {
    const all = before === 1 ? "the one client is" : `all ${before} clients are`;
    const first =
      there === before
        ? `Nobody was lost: ${all} still connected.`
        : `${before - there} of ${count(before, "client", "clients")} were lost.`;
    const arrived =
      waited > 0
        ? ` ${count(waited, "message waited and has", "messages waited and have")} arrived.`
        : "";
    return `${first} Meanwhile: ${this.#meanwhile()}.${arrived}`;
  }

  #meanwhile() {
    const heartbeats = count(this.#heartbeats, "heartbeat", "heartbeats");
    const times = this.#newcomers.flatMap(({ time }) => time ?? []);
    if (this.#newcomers.length === 0) return heartbeats;
    const inside = `${times.length} of ${count(this.#newcomers.length, "newcomer", "newcomers")} let in`;
    const slowest = times.length > 0 ? ` (slowest after ${Math.ceil(Math.max(...times))} ms)` : "";
    return `${heartbeats}, ${inside}${slowest}`;
  }
}

/** Somebody who comes to the server while it is blocked. */
class Newcomer {
  /** Milliseconds until the server has let them in; undefined as long as it has not. */
  time = undefined;
  #socket = globalThis.io({ forceNew: true, reconnection: false, transports: ["websocket"] });

  constructor() {
    const start = performance.now();
    this.#socket.io.on("open", () => (this.time = performance.now() - start));
    /** Resolves when JavaScript has welcomed them, too, or when they have gone. @type {Promise<void>} */
    this.settled = new Promise((resolve) => {
      for (const event of ["connect", "connect_error", "disconnect"]) {
        this.#socket.on(event, () => resolve());
      }
    });
  }

  leave() {
    this.#socket.disconnect();
  }
}
