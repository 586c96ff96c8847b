"use strict";

// A connection to the server that is attacked, over TCP or TLS, in pieces of any size. Over TLS it may be damaged on its way.

const net = require("node:net");
const { Duplex } = require("node:stream");
const tls = require("node:tls");
const { Random } = require("./random");

/** A server that answers nothing for so long has been asked nothing that it answers. */
const PATIENCE = 150; // ms
/** Bytes of an answer that are looked at. */
const LOOKED_AT = 64 << 10;
/** A handshake is about half of that. */
const DAMAGED_WITHIN = 1_500; // bytes

/**
 * What is attacked.
 * @typedef {object} Attacked
 * @property {number} port
 * @property {number} tlsPort where Node.js speaks TLS
 * @property {number} nativePort where the workers do
 * @property {string} secret what no stranger must hear
 * @property {(why: string) => void} fail
 * @property {Buffer} [session] of TLS, to go on with
 */

/** What carries the bytes of TLS: it cuts them into pieces, and may damage them. */
class Cable extends Duplex {
  /** @param {net.Socket} socket @param {Random} random of its own: how often it is asked differs each time */
  constructor(socket, random) {
    super();
    this.socket = socket;
    this.random = random;
    this.damage = random.once(3) ? random.pick(["end", "reset", "stop", "flip", "add"]) : undefined;
    this.left = this.damage ? random.int(DAMAGED_WITHIN) : Infinity;
    socket.on("data", (chunk) => this.push(chunk));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error)).on("close", () => this.destroy());
  }

  _read() {}

  _write(/** @type {Buffer} */ chunk, _encoding, done) {
    const { random, socket } = this;
    const bytes = this.left < chunk.length ? this._damaged(chunk) : chunk;
    this.left -= chunk.length;
    if (!random.once(3)) return void socket.write(bytes, () => done());
    const at = random.int(bytes.length + 1);
    socket.write(bytes.subarray(0, at), () =>
      setImmediate(() => socket.write(bytes.subarray(at), () => done())),
    );
  }

  /** @private */
  _damaged(chunk) {
    const at = Math.max(this.left, 0);
    const { random, socket } = this;
    switch (this.damage) {
      case "flip":
        this.left = Infinity;
        chunk = Buffer.from(chunk);
        chunk[at] ^= 1 << random.int(8);
        return chunk;
      case "add":
        this.left = Infinity;
        return Buffer.concat([chunk.subarray(0, at), random.bytes(9), chunk.subarray(at)]);
      case "end":
        setImmediate(() => socket.end());
        break;
      case "reset":
        setImmediate(() => socket.resetAndDestroy());
        break;
    }
    return chunk.subarray(0, this.left > 0 ? at : 0);
  }

  _final(done) {
    this.socket.end(done);
  }

  _destroy(error, done) {
    this.socket.destroy();
    done(error);
  }
}

/** Begins TLS with the workers, in one of the ways in which clients do. */
function speakTls(target, random) {
  const version = random.pick([undefined, undefined, undefined, "TLSv1.2", "TLSv1.3", "TLSv1.1"]);
  const socket = net.connect(target.nativePort, "127.0.0.1");
  socket.setNoDelay(true);
  const secured = tls.connect({
    socket: /** @type {any} */ (new Cable(socket, new Random(random.fork()))),
    servername: random.pick([undefined, "localhost", "a.other.example", "x".repeat(200)]),
    ALPNProtocols: random.pick([undefined, undefined, ["http/1.1"], ["h2", "http/1.1"], ["h2"]]),
    minVersion: version,
    maxVersion: version,
    ciphers: version === "TLSv1.1" ? "DEFAULT@SECLEVEL=0" : undefined,
    session: random.once(2) ? target.session : undefined,
    rejectUnauthorized: false,
  });
  return secured.on("session", (session) => (target.session = session));
}

class Wire {
  /**
   * @param {Attacked & { pids: { nsp: string, pid: string }[] }} target
   * @param {Random} random
   * @param {string} [way] "bare": by TCP where the server speaks TLS
   */
  constructor(target, random, way = random.pick(["", "", "", "tls", "native", "native"])) {
    this.random = random;
    this.isBare = way === "bare";
    /** what it says by this connection can refer to this */
    this.knowledge = { pids: target.pids, joined: [] };
    const port = { bare: target.nativePort, tls: target.tlsPort }[way] ?? target.port;
    this.socket =
      way === "native"
        ? speakTls(target, random)
        : way === "tls"
          ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false })
          : net.connect(port, "127.0.0.1");
    this.read = "";
    this.ended = false;
    this.wake = (_why) => {};
    this.socket.on("data", (chunk) => {
      const come = chunk.toString("latin1");
      if (come.includes(target.secret)) target.fail("a secret has reached a stranger");
      this.read = (this.read + come).slice(-LOOKED_AT);
      this.wake();
    });
    const end = () => {
      this.ended = true;
      this.wake();
    };
    this.socket.on("error", end).on("close", end);
  }

  /** Writes bytes, in pieces of any size. */
  write(bytes) {
    let rest = Buffer.from(bytes);
    for (let cuts = this.random.once(3) ? 1 + this.random.int(3) : 0; cuts > 0; cuts--) {
      const at = this.random.int(rest.length + 1);
      this.socket.write(rest.subarray(0, at));
      rest = rest.subarray(at);
    }
    this.socket.write(rest);
  }

  /** What has come once it matches; null when it does not, soon. */
  async until(pattern) {
    const late = setTimeout(() => this.wake("late"), PATIENCE);
    try {
      for (;;) {
        const match = pattern.exec(this.read);
        if (match !== null) {
          this.read = this.read.slice(match.index + match[0].length);
          return match;
        }
        if (this.ended) return null;
        const why = await new Promise((resolve) => (this.wake = resolve));
        if (why === "late") return null;
      }
    } finally {
      clearTimeout(late);
      this.wake = () => {};
    }
  }

  /** Goes, in one of the ways in which clients go. */
  go() {
    this.random.pick([
      () => this.socket.destroy(),
      () => this.socket.end(() => this.socket.destroy()),
      () => {
        if (this.socket.encrypted || this.socket.connecting) this.socket.destroy();
        else this.socket.resetAndDestroy();
      },
      () => {
        this.socket.pause();
        setTimeout(() => this.socket.destroy(), PATIENCE);
      },
    ])();
    // one whose last bytes can't leave never finishes
    setTimeout(() => this.socket.destroy(), 2 * PATIENCE);
  }
}

module.exports = { Wire };
