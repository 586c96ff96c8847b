"use strict";

const { bare } = require("./bare");
const tls = require("node:tls");
const net = require("node:net");
const { nextTick } = require("./loop");

/**
 * What a handshake has come to, which a worker has made.
 *
 * @typedef {object} TlsDetails
 * @property {string} version "TLSv1.2" or "TLSv1.3"
 * @property {string} cipher as OpenSSL names it
 * @property {string} standardCipher as the standard names it
 * @property {boolean} isResumed
 * @property {string | false} alpn
 * @property {string | false} serverName
 * @property {import("node:crypto").X509Certificate | undefined} certificate that was shown to the client
 */

/**
 * @param {string} text as the addon tells it (src/net/tls.rs)
 * @param {(number: number) => TlsDetails["certificate"]} certificateOf the certificate that has been given that number
 * @returns {TlsDetails}
 */
function parseTlsDetails(text, certificateOf) {
  const [version, cipher, standardCipher, resumed, number, alpn, serverName] = text.split(" ");
  const isResumed = resumed === "1";
  return {
    version,
    cipher,
    standardCipher,
    isResumed,
    alpn: alpn || false,
    serverName: serverName || false,
    certificate: certificateOf(Number(number)),
  };
}

/** @type {WeakMap<object, TlsDetails>} */
const detailsOf = new WeakMap();

/**
 * What the methods of a TLSSocket tell of a connection whose TLS a worker speaks, and that has shown no certificate. All others
 * tell what they tell when the connection has ended: nothing.
 *
 * @type {Record<string, Function>}
 */
const METHODS = {
  /** @this {any} */
  getCipher() {
    const { cipher, standardCipher, version } = /** @type {TlsDetails} */ (detailsOf.get(this));
    return { name: cipher, standardName: standardCipher, version };
  },
  /** @this {any} */
  getProtocol() {
    return detailsOf.get(this)?.version;
  },
  /** @this {any} */
  isSessionReused() {
    return detailsOf.get(this)?.isResumed;
  },
  /** @this {any} */
  getCertificate() {
    if (this.destroyed) return null;
    return detailsOf.get(this)?.certificate?.toLegacyObject() ?? null;
  },
  /** @this {any} */
  getX509Certificate() {
    return this.destroyed ? undefined : detailsOf.get(this)?.certificate;
  },
  getPeerCertificate: () => ({}),
  getPeerX509Certificate: () => undefined,
  getSharedSigalgs: () => [],
  getFinished: () => undefined,
  getPeerFinished: () => undefined,
  getSession: () => undefined,
  getTLSTicket: () => undefined,
  setMaxSendFragment: () => false,
  disableRenegotiation() {},
  enableTrace() {},
  renegotiate(/** @type {any} */ _options, /** @type {any} */ callback) {
    const error = new Error(
      "TLS of this connection is spoken by a worker, which does not renegotiate",
    );
    if (typeof callback === "function") nextTick(callback, error);
    return false;
  },
  exportKeyingMaterial() {
    throw new Error("TLS of this connection is spoken by a worker, which exports no keys");
  },
};

/** What a socket is that shows a connection as TLSSocket does, while its bytes are decrypted already. */
const prototype = Object.create(tls.TLSSocket.prototype);
for (const name of Object.getOwnPropertyNames(tls.TLSSocket.prototype)) {
  if (name === "constructor") continue;
  const ofSocket = /** @type {any} */ (net.Socket.prototype)[name];
  const value = METHODS[name] ?? ofSocket ?? (() => null);
  Object.defineProperty(prototype, name, bare({ value, writable: true, configurable: true }));
}

/**
 * Makes a socket look like one of TLS.
 *
 * @param {any} socket a net.Socket
 * @param {TlsDetails} details
 * @returns {any} the same
 */
function showDecrypted(socket, details) {
  Object.setPrototypeOf(socket, prototype);
  detailsOf.set(socket, details);
  return Object.assign(socket, {
    encrypted: true,
    authorized: false,
    authorizationError: null,
    alpnProtocol: details.alpn,
    secureConnecting: false,
    servername: details.serverName,
  });
}

/** @param {object} socket @returns {TlsDetails | undefined} what it shows, if it only looks like one of TLS */
function decryptedDetails(socket) {
  return detailsOf.get(socket);
}

module.exports = { decryptedDetails, parseTlsDetails, showDecrypted };
