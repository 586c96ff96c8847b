"use strict";

// `tls: "native"`: the workers speak TLS for an HTTPS server, as that has been told to. What they can't do stands against it: it
// is named when the engine is attached, and when it comes later, Node.js speaks TLS from then on.

const https = require("node:https");
const { countContexts, secureContextOf, SHOWS_TLS, speaksTls, tlsSetting } = require("../node");
const { parseTlsDetails } = require("../base/decrypted-socket");
const { soleListener } = require("../http");
const { checkRules, readRules } = require("./tls-rules");

/** @typedef {import("../../native").TlsRules} TlsRules */
/** @typedef {import("../node/inside").HttpServer} HttpServer */
/** @typedef {import("../node/inside").TlsServer} TlsServer */
/** @typedef {import("../border/border").Border} Border */
/** @typedef {import("node:crypto").X509Certificate} Certificate */
/** @typedef {import("./tls-rules").Named} Named */

/** Node's own "secureConnection" listener. */
const NODES = soleListener(new https.Server(), "secureConnection");

/** What programs may listen to of an HTTPS server, and a worker can't tell. */
const UNTOLD = ["newSession", "resumeSession", "OCSPRequest", "keylog"];

/** All events by which programs hear of TLS. */
const TLS_EVENTS = ["secureConnection", "tlsClientError", "clientError", ...UNTOLD];

/** @type {WeakMap<object, NativeTls>} the HTTPS servers for which workers are to speak TLS */
const nativeTls = new WeakMap();

/** An HTTPS server for which workers are to speak TLS, and whether they can. */
class NativeTls {
  /**
   * @param {TlsServer} server
   * @param {() => Border} border
   */
  constructor(server, border) {
    this.server = server;
    /** @private */
    this._border = border;
    /** @private @type {Named[]} what its `addContext()` has been given since, the last one first */
    this._named = [];
    /** @private @type {TlsRules | undefined} */
    this._rules = undefined;
    /** @private @type {Error | undefined} */
    this._fault = undefined;
    /** @private @type {Map<number, Certificate>} what the workers are to show, by its numbers */
    this._shown = new Map();
    /** @private @type {Map<number, Certificate>} that, and what they were to show before */
    this._certificates = this._shown;
    /** @private the number of the last one that was new */
    this._lastNumber = 0;
    /** @private @type {unknown[]} what the server had when it was read; another means that it has been told something else */
    this._state = [];
    /** @private @type {TlsRules | undefined} what the workers have been told last */
    this._told = undefined;
    /** @private by which number they know the server */
    this._number = 0;
    this.noteContexts();
  }

  /** Begins to note what contexts the server gets: it can't be asked for them later. @private */
  noteContexts() {
    const { server, _named: named } = this;
    const { addContext } = server;
    server.addContext = function (pattern, context) {
      addContext.call(server, pattern, context);
      named.unshift({ pattern, context });
    };
  }

  /** @returns {Error | undefined} what stands against it */
  fault() {
    this.read();
    return this._fault;
  }

  /**
   * Tells the workers how to speak TLS, if they do not know. There must be nothing against it.
   *
   * @param {number} number by which they know the server
   */
  tell(number) {
    this.read();
    const rules = /** @type {TlsRules} */ (this._rules);
    const tellsFailures = hearsOfFailures(this.server);
    const isTold = this._told === rules && this._number === number;
    if (isTold && rules.tellsFailures === tellsFailures) return;
    rules.tellsFailures = tellsFailures;
    this._border().native.secure(number, rules);
    this._told = rules;
    this._number = number;
  }

  /**
   * @param {string} text what the addon tells of a connection
   * @returns {import("../base/decrypted-socket").TlsDetails}
   */
  details(text) {
    return parseTlsDetails(text, (number) => this._certificates.get(number));
  }

  /** The workers know nothing of it any more. */
  forgetTold() {
    this._told = undefined;
  }

  /** Reads what the server has been told, if that is another. @private */
  read() {
    const { server } = this;
    const state = [
      secureContextOf(server),
      countContexts(server),
      tlsSetting(server, "requestCert"),
      tlsSetting(server, "ALPNProtocols"),
      tlsSetting(server, "ALPNCallback"),
    ];
    if (state.every((part, i) => part === this._state[i])) return;
    const certificates = [...this._certificates];
    const known = new Map(certificates.map(([number, one]) => [one.fingerprint256, number]));
    /** @type {Map<number, Certificate>} */
    const shown = new Map();
    const numberOf = (/** @type {Certificate} */ certificate) => {
      const number = known.get(certificate.fingerprint256) ?? ++this._lastNumber;
      shown.set(number, certificate);
      return number;
    };
    try {
      this._rules = { ...readRules(server, this._named, numberOf), tellsFailures: false };
      checkRules(this._border().native, this._rules);
      this._fault = undefined;
      // of those from before, a handshake may be under way
      this._certificates = new Map([...this._shown, ...shown]);
      this._shown = shown;
    } catch (error) {
      this._fault = /** @type {Error} */ (error);
    }
    this._state = state;
  }
}

/**
 * Has workers speak TLS for an HTTPS server, if that is wanted.
 *
 * @param {{ opts: import("../base/options").EngineOptions, border(): Border }} engine one that is about to be attached to it
 * @param {HttpServer} server
 * @throws {TypeError} that names what they can't do
 */
function useNativeTls(engine, server) {
  if (engine.opts.tls !== "native" || !speaksTls(server) || nativeTls.has(server)) return;
  const native = new NativeTls(/** @type {TlsServer} */ (server), () => engine.border());
  const fault = native.fault();
  if (fault !== undefined && SHOWS_TLS) throw fault;
  nativeTls.set(server, native);
}

/** @param {HttpServer} server @returns {boolean} whether a program hears of TLS what a worker can't tell */
function hearsUntold(server) {
  if (soleListener(server, "secureConnection") !== NODES) return true;
  return UNTOLD.some((name) => server.listenerCount(name) > 0);
}

/** @param {HttpServer} server @returns {boolean} whether a program hears of handshakes that fail */
function hearsOfFailures(server) {
  return server.listenerCount("tlsClientError") > 1 || server.listenerCount("clientError") > 0;
}

/** @param {HttpServer} server @returns {number} another one when listeners have come or gone that count here */
function countTlsListeners(server) {
  let count = 0;
  for (const name of TLS_EVENTS) count = count * 64 + server.listenerCount(name);
  return count;
}

module.exports = { countTlsListeners, hearsUntold, nativeTls, TLS_EVENTS, useNativeTls };
