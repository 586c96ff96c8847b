"use strict";

// Connections as a server accepts them.

const net = require("node:net");
const { inside, insideOf } = require("./inside");
const { declare } = require("./parts");
const { addressOf, isTcp } = require("./sockets");

/** @typedef {import("./inside").Accept} Accept */
/** @typedef {import("./inside").Handle} Handle */
/** @typedef {import("./inside").HttpServer} HttpServer */

declare(
  "accepting",
  "`_handle` of a server, its `onconnection`, `fd` and `close()`, and those of a connection's handle",
  "Node.js reads the first request of each connection",
);

/** @type {WeakMap<object, WeakSet<Function>>} by the handle of a server, those to whom it shows what it accepts */
const showing = new WeakMap();

/** @type {WeakMap<Handle, Accept>} by the handle of a server, what Node.js does with a connection */
const originals = new WeakMap();

/**
 * Shows the connections that a server accepts before Node.js makes sockets of them. To be called each time the server begins to
 * listen. Several may look at them: the last first.
 *
 * A caller that takes connections must first look at HAS_DESCRIPTORS, MOVES_CONNECTIONS and REBUILDS_REQUESTS.
 *
 * @param {HttpServer} server one of class http.Server itself
 * @param {(descriptor: number) => boolean} take returns whether somebody has a duplicate: then Node.js never hears of it
 * @returns {boolean} whether connections are shown to it from now on; false if they already were
 */
function showAccepted(server, take) {
  const listener = listeningHandle(server);
  if (!isTcp(listener)) return false;
  const takers = showing.get(listener) ?? new WeakSet();
  if (takers.has(take)) return false;
  const next = listener.onconnection;
  if (typeof next !== "function" || !(listener.fd >= 0)) return false;
  const first = (/** @type {number} */ status, /** @type {Handle | undefined} */ handle) => {
    if (status === 0 && handle && handle.fd >= 0 && take(handle.fd)) handle.close();
    else next.call(listener, status, handle);
  };
  if (!Reflect.set(listener, "onconnection", first)) return false;
  if (!originals.has(listener)) originals.set(listener, next);
  showing.set(listener, takers.add(take));
  return true;
}

/** @param {HttpServer} server @returns {Handle | null} what it listens with; nothing when it does not listen */
function listeningHandle(server) {
  return inside(server)._handle;
}

/** @type {WeakMap<object, () => void>} by the handle of a server, what is called before it is closed */
const closing = new WeakMap();

/**
 * Has a function called right before a server stops to listen.
 *
 * @param {Handle} handle what it listens with
 * @param {() => void} done the last one that is given counts
 * @returns {boolean} whether it is
 */
function beforeClose(handle, done) {
  const isKnown = closing.has(handle);
  closing.set(handle, done);
  if (isKnown) return true;
  const { close } = handle;
  return Reflect.set(handle, "close", function (/** @type {[]} */ ...args) {
    closing.get(handle)?.();
    return Reflect.apply(close, handle, args);
  });
}

/**
 * Has a server accept a connection that somebody else has accepted for it, as if it had done so itself.
 *
 * @param {Handle} listener what the server listens with, or did when the connection came; it was given to `showAccepted()`
 * @param {number} descriptor of the connection; it is the server's now
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} [addresses] what its socket is to show, in place
 *   of its own
 * @throws {Error} when nothing can be read from it
 */
function acceptDescriptor(listener, descriptor, addresses) {
  // this makes a handle of the descriptor, and reads nothing
  const maker = insideOf(new net.Socket({ fd: descriptor, readable: false, writable: false }));
  const handle = maker._handle ?? undefined;
  maker._handle = null;
  if (handle !== undefined && addresses !== undefined) showAddresses(handle, addresses);
  const accept = /** @type {Accept} */ (originals.get(listener));
  accept.call(listener, 0, handle);
}

/**
 * Has the sockets of a handle, TLS sockets too, show other addresses than those of the handle.
 *
 * @param {Handle} handle
 * @param {{ address: string, port: number, localAddress: string, localPort: number }} addresses
 */
function showAddresses(handle, { address, port, localAddress, localPort }) {
  Object.assign(handle, {
    getpeername(/** @type {object} */ out) {
      Object.assign(out, addressOf(address, port));
      return 0;
    },
    getsockname(/** @type {object} */ out) {
      Object.assign(out, addressOf(localAddress, localPort));
      return 0;
    },
  });
}

/** @param {HttpServer} server @returns {boolean} whether it listens on a TCP port */
function listensOnTcp(server) {
  return isTcp(listeningHandle(server));
}

/** @param {HttpServer} server @returns {number} the descriptor that it listens on, if it shows what it accepts; else -1 */
function listeningDescriptor(server) {
  const listener = listeningHandle(server);
  return listener !== null && showing.has(listener) && listener.fd >= 0 ? listener.fd : -1;
}

/** @param {HttpServer} server @returns {number} the descriptor that it listens on; -1: there is none */
function anyListeningDescriptor(server) {
  return listeningHandle(server)?.fd ?? -1;
}

module.exports = {
  acceptDescriptor,
  anyListeningDescriptor,
  beforeClose,
  listeningDescriptor,
  listeningHandle,
  listensOnTcp,
  showAccepted,
};
