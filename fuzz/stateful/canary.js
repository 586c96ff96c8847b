"use strict";

// Clients that must keep working while others attack: each asks on and on, and must get its own answers, in order, and
// nothing else.

const https = require("node:https");
const { io: connect } = require("socket.io-client");
const { io: connectOld } = { io: require("socket.io-client-2") };

/** A canary that hears nothing for so long has been harmed. */
const PATIENCE = 30_000; // ms

class Canary {
  /**
   * @param {string} name
   * @param {string} secret in all that is for it
   * @param {any} client of npm's socket.io-client
   * @param {(why: string) => void} fail
   */
  constructor(name, secret, client, fail) {
    this.name = name;
    this.client = client;
    this.asked = 0;
    this.ticks = 0;
    const own = `${secret} ${name}`;
    const say = (why) => fail(`canary ${name}: ${why}`);
    this.heard = Date.now();
    const beat = () => {
      this.heard = Date.now();
      clearTimeout(this.late);
      this.late = setTimeout(() => say("hears nothing any more"), PATIENCE);
    };
    const ask = () => {
      if (this.stopped) return;
      const nonce = this.asked++;
      client.emit("canary", own, nonce, (...answer) => {
        beat();
        if (answer[0] !== own || answer[1] !== nonce) say(`got the answer ${answer} for ${nonce}`);
        setTimeout(ask, 5);
      });
    };
    client.on("tick", (to, nonce) => {
      if (to !== own) say("got an event of another");
      if (nonce !== this.ticks++) say(`got event ${nonce} in the place of ${this.ticks - 1}`);
    });
    client.on("said", () => say("got an event for guests"));
    client.on("asked", () => say("got a question for guests"));
    client.on("disconnect", (reason) => {
      if (!this.stopped) say(`was disconnected: ${reason}`);
    });
    this.ready = new Promise((resolve) => client.once("connect", resolve));
    this.ready.then(ask);
    beat();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.late);
    this.client.disconnect();
  }
}

/** One for each way in. */
function canaries({ port, tlsPort, nativePort, secret, fail }) {
  const options = { forceNew: true, reconnection: false, rejectUnauthorized: false };
  const ways = {
    websocket: connect(`http://127.0.0.1:${port}`, { ...options, transports: ["websocket"] }),
    polling: connect(`http://127.0.0.1:${port}/chat`, { ...options, transports: ["polling"] }),
    upgrade: connect(`http://127.0.0.1:${port}/dyn-1`, options),
    tls: connect(`https://127.0.0.1:${tlsPort}`, { ...options, transports: ["websocket"] }),
    native: connect(`https://127.0.0.1:${nativePort}`, { ...options, transports: ["websocket"] }),
    "native polling": connect(`https://127.0.0.1:${nativePort}/dyn-2`, {
      ...options,
      transports: ["polling"],
      agent: new https.Agent({ keepAlive: true }),
    }),
    "protocol 3": connectOld(`http://127.0.0.1:${port}`, { ...options, transports: ["websocket"] }),
  };
  return Object.entries(ways).map(([name, client]) => new Canary(name, secret, client, fail));
}

module.exports = { canaries };
