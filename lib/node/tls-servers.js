"use strict";

// What a server has been told of TLS.

const https = require("node:https");
const tls = require("node:tls");
const { noop } = require("./inside");
const { declare } = require("./parts");

/** @typedef {import("./inside").HttpServer} HttpServer */
/** @typedef {import("./inside").TlsServer} TlsServer */

/**
 * @typedef {object} TlsParts
 * @property {unknown} _sharedCreds
 * @property {unknown[]} _contexts
 */

/** @typedef {TlsServer & TlsParts & Record<string | symbol, unknown>} TlsInside */

/**
 * What an HTTPS server has been told of TLS; more than has a type here.
 *
 * @typedef {import("node:tls").SecureContextOptions & { ALPNProtocols?: Buffer, handshakeTimeout: number }} TlsTold
 */

/** @param {HttpServer | TlsServer} server @returns {TlsInside} */
function tlsInside(server) {
  return /** @type {TlsInside} */ (/** @type {unknown} */ (server));
}

/** The symbols by which an HTTPS server has what it has been told once. */
const TLS_SYMBOLS = new Map(
  Object.getOwnPropertySymbols(https.createServer()).map((symbol) => [symbol.description, symbol]),
);

/** What an HTTPS server has been told of TLS, as far as it is a property by its own name. */
const TLS_NAMES = [
  "ALPNCallback",
  "ALPNProtocols",
  "ca",
  "cert",
  "ciphers",
  "clientCertEngine",
  "crl",
  "dhparam",
  "ecdhCurve",
  "honorCipherOrder",
  "key",
  "maxVersion",
  "minVersion",
  "passphrase",
  "pfx",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "requestCert",
  "secureOptions",
  "secureProtocol",
  "sessionTimeout",
  "sigalgs",
  "ticketKeys",
];

const SHOWS_TLS = declare(
  "TLS of a server",
  "`_sharedCreds`, `_contexts`, the options of TLS and three symbols of an HTTPS server",
  'Node.js speaks TLS, although `tls: "native"` is given',
  () => {
    const options = { SNICallback: noop, handshakeTimeout: 12345, requestCert: true };
    const server = tlsInside(https.createServer(options));
    const before = server._sharedCreds;
    server.addContext("a", {});
    server.setSecureContext({ minVersion: "TLSv1.3" });
    /** @type {Record<string, unknown>} */
    const told = { ...tlsOptions(server) };
    return (
      typeof before === "object" &&
      before !== server._sharedCreds &&
      server._contexts.length === 1 &&
      told.handshakeTimeout === 12345 &&
      told.minVersion === "TLSv1.3" &&
      told.requestCert === true &&
      told.SNICallback === noop &&
      TLS_SYMBOLS.has("pskcallback")
    );
  },
);

/**
 * @param {TlsServer} server
 * @returns {TlsTold} what it has been told of TLS, by the names of its options
 */
function tlsOptions(server) {
  const inner = tlsInside(server);
  /** @type {Record<string, unknown>} */
  const told = {};
  for (const name of TLS_NAMES) told[name] = inner[name];
  for (const [name, description] of [
    ["handshakeTimeout", "handshake-timeout"],
    ["pskCallback", "pskcallback"],
    ["SNICallback", "snicallback"],
  ])
    told[name] = inner[/** @type {symbol} */ (TLS_SYMBOLS.get(description))];
  return /** @type {TlsTold} */ (/** @type {unknown} */ (told));
}

/** @param {HttpServer} server @returns {boolean} whether it is an HTTPS server */
function speaksTls(server) {
  return server instanceof tls.Server;
}

/** @param {HttpServer | TlsServer} server @returns {unknown} another object each time that `setSecureContext()` has been called */
function secureContextOf(server) {
  return tlsInside(server)._sharedCreds;
}

/**
 * @param {HttpServer | TlsServer} server
 * @param {"ALPNCallback" | "ALPNProtocols" | "requestCert"} name of what Node.js looks at for each connection
 * @returns {unknown}
 */
function tlsSetting(server, name) {
  const inner = tlsInside(server);
  // each by its name: this is asked in each turn of the event loop
  if (name === "requestCert") return inner.requestCert;
  return name === "ALPNProtocols" ? inner.ALPNProtocols : inner.ALPNCallback;
}

/** @param {HttpServer | TlsServer} server @returns {number} how often `addContext()` has been called */
function countContexts(server) {
  return tlsInside(server)._contexts.length;
}

module.exports = {
  countContexts,
  secureContextOf,
  SHOWS_TLS,
  speaksTls,
  tlsOptions,
  tlsSetting,
};
