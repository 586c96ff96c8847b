"use strict";

// What an HTTPS server has been told of TLS, as the workers need to know it; or what of it they can't do.

const { constants, createPrivateKey, getFips, X509Certificate } = require("node:crypto");
const https = require("node:https");
const tls = require("node:tls");
const { invalidOption } = require("../base/errors");
const { countContexts, SHOWS_TLS, tlsOptions } = require("../node");

/** @typedef {import("../../native").TlsRules} TlsRules */
/** @typedef {import("../../native").TlsIdentity} TlsIdentity */
/** @typedef {import("../node/inside").TlsServer} TlsServer */
/** @typedef {import("node:tls").SecureContextOptions} ContextOptions */

/**
 * What `addContext()` has been given.
 *
 * @typedef {object} Named
 * @property {string} pattern
 * @property {ContextOptions | import("node:tls").SecureContext} context
 */

/** @typedef {(certificate: X509Certificate) => number} NumberOf by which the workers tell that they have shown it */

const LEAVE_OUT = "leave it out";
const LEAVE_TLS_OUT = "leave tls out";
const KEY_AND_CERT = "give key and cert";

/** Options of an HTTPS server that must not be given, and what to do about them. */
const UNSERVED = Object.freeze({
  ALPNCallback: "give ALPNProtocols",
  clientCertEngine: KEY_AND_CERT,
  crl: LEAVE_OUT,
  dhparam: LEAVE_OUT,
  pfx: KEY_AND_CERT,
  privateKeyEngine: KEY_AND_CERT,
  privateKeyIdentifier: KEY_AND_CERT,
  pskCallback: LEAVE_OUT,
  requestCert: "certificates of clients can't be asked for: leave it out",
  secureOptions: LEAVE_OUT,
  secureProtocol: "give minVersion and maxVersion",
  sessionTimeout: LEAVE_OUT,
  sigalgs: LEAVE_OUT,
  SNICallback: "call addContext() of the HTTPS server when the engine is attached",
  ticketKeys: LEAVE_OUT,
});

/** The versions that there are, from the oldest on. */
const VERSIONS = ["TLSv1.2", "TLSv1.3"];

/** What a context for certain names may be made of. */
const IN_CONTEXT = new Set(["ca", "cert", "key", "passphrase"]);

/** The cipher suites of TLS 1.3, and all that there are here: in the order of Node.js. */
const SUITES_13 = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
];
const SUITES = [
  ...SUITES_13,
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];

/** What no cipher suite of ours has, so to forbid it forbids nothing. */
const IN_NONE =
  /^(a?NULL|eNULL|EXPORT|LOW|MEDIUM|3?DES|RC4|MD5|PSK|SRP|a?DSS|CAMELLIA|IDEA|SEED|ARIA|kRSA|SHA1?|AECDH|ADH|k?DHE?|kEDH)$/;
/** What the name of one of ours looks like. */
const SUITE = /-GCM-|-POLY1305$|_GCM_|_POLY1305_/;

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END [^-]+-----/g;

/**
 * @param {TlsServer} server
 * @param {readonly Named[]} contexts what its `addContext()` has been given, the last one first
 * @param {NumberOf} numberOf
 * @returns {Omit<TlsRules, "tellsFailures">}
 * @throws {TypeError} that names what can't be done
 */
function readRules(server, contexts, numberOf) {
  if (!SHOWS_TLS) throw against("the version of Node.js", process.version, LEAVE_TLS_OUT);
  if (Object.getPrototypeOf(server) !== https.Server.prototype)
    throw against("the class", "another than https.Server", LEAVE_TLS_OUT);
  if (getFips() === 1) throw against("crypto.getFips()", "1", LEAVE_TLS_OUT);
  const options = tlsOptions(server);
  for (const [name, fix] of Object.entries(UNSERVED)) {
    const value = options[/** @type {keyof typeof options} */ (name)];
    if (value) throw against(name, shownOf(value), fix);
  }
  const { ecdhCurve = tls.DEFAULT_ECDH_CURVE, honorCipherOrder, handshakeTimeout } = options;
  if (ecdhCurve !== "auto") throw against("ecdhCurve", ecdhCurve, LEAVE_OUT);
  const oldest = versionOf("minVersion", options.minVersion ?? tls.DEFAULT_MIN_VERSION);
  const newest = versionOf("maxVersion", options.maxVersion ?? tls.DEFAULT_MAX_VERSION);
  if (contexts.length !== countContexts(server))
    throw against("addContext()", "called already", "call it when the engine is attached");
  return {
    identities: readIdentities(options, numberOf),
    contexts: contexts.map((named) => readContext(named, numberOf)),
    ciphers: readCiphers(options.ciphers ?? tls.DEFAULT_CIPHERS),
    clientOrder: !honorCipherOrder,
    tls12: oldest === 0,
    tls13: newest === 1,
    alpn: readAlpn(options.ALPNProtocols),
    handshakeTimeout,
  };
}

/**
 * @param {string} what of the HTTPS server
 * @param {string} value
 * @param {string} fix
 * @returns {Error}
 */
function against(what, value, fix) {
  return invalidOption("option tls", "native", `${what} of the HTTPS server is ${value}: ${fix}`);
}

/**
 * @param {unknown} value of an option
 * @returns {string} what may be told of it: it may be a secret
 */
function shownOf(value) {
  if (typeof value === "function") return "a function";
  return typeof value === "boolean" || typeof value === "number" ? String(value) : "given";
}

/**
 * @param {string} name of the option
 * @param {string} value
 * @returns {number} its place among VERSIONS
 */
function versionOf(name, value) {
  const at = VERSIONS.indexOf(value);
  if (at < 0) throw against(name, value, 'give "TLSv1.2" or "TLSv1.3"');
  return at;
}

/** @param {Named} named @param {NumberOf} numberOf @returns {import("../../native").TlsContext} */
function readContext({ pattern, context }, numberOf) {
  const where = `addContext("${pattern}")`;
  if ("context" in context) throw against(where, "given a SecureContext", "give it key and cert");
  for (const [name, value] of Object.entries(context))
    if (value !== undefined && !IN_CONTEXT.has(name))
      throw against(`${name} of ${where}`, "given", LEAVE_OUT);
  return { pattern, identities: readIdentities(context, numberOf) };
}

/**
 * @param {ContextOptions} options
 * @param {NumberOf} numberOf
 * @returns {TlsIdentity[]} each certificate with its key
 */
function readIdentities({ ca, cert, key, passphrase }, numberOf) {
  const keys = listOf(key).map((one) => readKey(one, passphrase));
  const others = listOf(ca).flatMap((one) => readCertificates("ca", one));
  return listOf(cert).map((one) => {
    const chain = readCertificates("cert", one);
    if (chain.length === 0) throw against("cert", "no certificate", "give it as PEM");
    const own = keys.find((candidate) => chain[0].checkPrivateKey(candidate));
    if (own === undefined) throw against("key", "not that of cert", "give the one of cert");
    complete(chain, others);
    const der = own.export({ type: "pkcs8", format: "der" });
    return { number: numberOf(chain[0]), chain: chain.map(({ raw }) => raw), key: der };
  });
}

/**
 * @template T
 * @param {T | T[] | undefined} option
 * @returns {T[]}
 */
function listOf(option) {
  const list = Array.isArray(option) ? option : [option];
  return /** @type {T[]} */ (list.filter(Boolean));
}

/**
 * Puts those behind a certificate that vouch for it, as OpenSSL does when it is given none.
 *
 * @param {X509Certificate[]} chain
 * @param {X509Certificate[]} others
 */
function complete(chain, others) {
  if (chain.length > 1) return;
  for (;;) {
    const last = chain[chain.length - 1];
    const next = others.find((one) => !chain.includes(one) && last.checkIssued(one));
    if (next === undefined || next.checkIssued(next)) return; // who asks has the root
    chain.push(next);
  }
}

/**
 * @param {string | Buffer | import("node:tls").KeyObject} given
 * @param {string | undefined} passphrase that of keys which come without
 * @returns {import("node:crypto").KeyObject}
 */
function readKey(given, passphrase) {
  const withPassphrase = typeof given === "object" && "pem" in given;
  const key = withPassphrase ? given.pem : given;
  const own = withPassphrase ? (given.passphrase ?? passphrase) : passphrase;
  try {
    return createPrivateKey({ key, passphrase: own });
  } catch (error) {
    throw unreadable("key", error, "give it as PEM, with its passphrase");
  }
}

/**
 * @param {string} name of the option
 * @param {string | Buffer} given
 * @returns {X509Certificate[]}
 */
function readCertificates(name, given) {
  try {
    return Array.from(String(given).matchAll(CERTIFICATE), ([pem]) => new X509Certificate(pem));
  } catch (error) {
    throw unreadable(name, error, "give it as PEM");
  }
}

/** @param {string} name @param {unknown} error @param {string} fix @returns {Error} */
function unreadable(name, error, fix) {
  const { message } = /** @type {Error} */ (error);
  return against(name, `what can't be read (${message})`, fix);
}

/**
 * @param {string} list as OpenSSL reads it
 * @returns {string[]} names, of which the addon refuses those that it does not know
 */
function readCiphers(list) {
  if (list === constants.defaultCoreCipherList) return SUITES;
  const words = list.split(/[:, ]+/).filter(Boolean);
  const forbidden = words.filter((word) => word[0] === "!").map((word) => word.slice(1));
  const unclear = forbidden.find((word) => !IN_NONE.test(word) && !SUITE.test(word));
  if (unclear !== undefined)
    throw against("ciphers", `"!${unclear}" and others`, "name the suites that are wanted");
  const wanted = words.filter((word) => word[0] !== "!" && !forbidden.includes(word));
  // if none of TLS 1.3 is named, OpenSSL has them all
  return wanted.some((word) => word.startsWith("TLS_")) ? wanted : [...SUITES_13, ...wanted];
}

/** @param {Buffer | undefined} list as it is sent: each name behind its length @returns {string[]} */
function readAlpn(list) {
  if (list !== undefined && !Buffer.isBuffer(list))
    throw against("ALPNProtocols", "no Buffer", "give it to https.createServer()");
  const names = [];
  for (let at = 0; list !== undefined && at < list.length; at += 1 + list[at])
    names.push(list.toString("latin1", at + 1, at + 1 + list[at]));
  const other = names.find((name) => !name.startsWith("http/1."));
  if (other !== undefined) throw against("ALPNProtocols", `"${other}" and others`, LEAVE_OUT);
  return names;
}

/**
 * Has the addon look whether it can speak TLS so.
 *
 * @param {import("../border/border").Border["native"]} native
 * @param {TlsRules} rules
 * @throws {TypeError} that names what can't be done
 */
function checkRules(native, rules) {
  try {
    native.secure(0, rules);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw invalidOption("option tls", "native", message);
  }
}

module.exports = { checkRules, readRules };
