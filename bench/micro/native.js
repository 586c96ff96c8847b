"use strict";

// Stands for the class of the addon: no threads, no sockets. What goes down is dropped, what comes up is what a
// case gives it. So only the JavaScript of the border is measured.

const { CONTRACT, RecordSentinel } = require("../../native/border");

const BUFFERS_BESIDE = String.fromCharCode(RecordSentinel.BUFFERS_BESIDE);

/** A stand-in for `DataPlane` in native/index.d.ts, with what a server calls that has no HTTP requests. */
class StubNative {
  constructor() {
    /** called by {@link give} as the workers would */
    this.wake = () => {};
    this.workers = 1;
    this.text = "";
    /** @type {Buffer[]} */
    this.buffers = [];
    /** batches and bytes that came down */
    this.batches = 0;
    this.bytes = 0;
    this.servers = 0;
  }

  /** It is of the same sources as what it stands for. */
  static contract() {
    return CONTRACT;
  }

  /**
   * Lets records come up.
   *
   * @param {string} text a JSON array of records
   * @param {Buffer[]} [buffers] that they refer to
   */
  give(text, buffers = []) {
    this.text = buffers.length > 0 ? text + BUFFERS_BESIDE : text;
    this.buffers = buffers;
    this.wake();
  }

  functions() {
    const take = () => {
      const { text } = this;
      this.text = "";
      return text;
    };
    const flush = (operations, length) => {
      this.batches++;
      this.bytes += length;
    };
    return { take, flush };
  }

  /** @param {() => void} wake */
  setWaker(wake) {
    this.wake = wake;
  }

  removeWaker() {}

  settle() {}

  reachesLoop() {
    return false;
  }

  takeBuffers() {
    return this.buffers;
  }

  openServer() {
    return ++this.servers;
  }

  configureServer() {}

  closeServer() {}
}

/** Puts the stand-in into the place of the addon, which must not have been loaded. */
function install() {
  const id = require.resolve("../../native");
  if (require.cache[id]) throw new Error("the addon has been loaded before");
  const stub = new module.constructor(id, module);
  stub.exports = { DataPlane: StubNative };
  stub.loaded = true;
  require.cache[id] = stub;
}

module.exports = { install };
