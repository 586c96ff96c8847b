"use strict";

const debug = require("debug")("engine");
const { ENGINE_ERRORS } = require("../base/errors");

/**
 * @callback Verdict
 * @param {number} [code] an Engine.IO error code; none when the request may pass
 * @param {any} [context] what "connection_error" listeners are told
 */

/**
 * @typedef {object} Known an open session
 * @property {string} transport its current one
 * @property {number} protocol
 * @property {boolean} [takesBytes] false: its client wants them as base64
 * @property {boolean} [greeted] whether its handshake said that it is in "/"
 */

// a header value is made of tabs, spaces, and visible or high characters
// eslint-disable-next-line no-control-regex
const INVALID_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * @param {any} req
 * @returns {number} the revision of the Engine.IO protocol that the request asks for: exactly "4", or else 3
 */
function protocolOf(req) {
  return req._query.EIO === "4" ? 4 : 3;
}

/**
 * @param {any} req
 * @returns {number} how its client speaks, as the addon numbers it: 1 protocol 3, 2 bytes as base64
 */
function dialectOf(req) {
  return (protocolOf(req) === 3 ? 1 : 0) + (req._query.b64 ? 2 : 0);
}

/**
 * Says whether a request may pass.
 *
 * @param {any} req an IncomingMessage with `_query`
 * @param {boolean} upgrade whether it is an upgrade request
 * @param {any} opts options of the engine
 * @param {(sid: string) => Known | undefined} find what is known of an open session
 * @param {Verdict} done
 * @returns {void}
 */
function verify(req, upgrade, opts, find, done) {
  const { transport, sid } = req._query;
  if (!opts.transports.includes(transport) || transport === "webtransport") {
    if (debug.enabled) debug('unknown transport "%s"', transport);
    return done(ENGINE_ERRORS.UNKNOWN_TRANSPORT, { transport });
  }
  const { origin } = req.headers;
  if (origin !== undefined && INVALID_HEADER.test(origin)) {
    req.headers.origin = null; // so that nothing reflects it
    return done(ENGINE_ERRORS.BAD_REQUEST, { name: "INVALID_ORIGIN", origin });
  }
  if (sid) return verifySession(req, upgrade, find(sid), done);
  if (req.method !== "GET") return done(ENGINE_ERRORS.BAD_HANDSHAKE_METHOD, { method: req.method });
  if (transport === "websocket" && !upgrade) {
    return done(ENGINE_ERRORS.BAD_REQUEST, { name: "TRANSPORT_HANDSHAKE_ERROR" });
  }
  if (opts.allowRequest) askProgram(req, opts, done);
  else done();
}

/**
 * Asks the program. One answer counts, or a second would open a second session, which nobody would ever end: the first,
 * but a refusal that comes before the function returns goes before it.
 *
 * @param {any} req
 * @param {{ allowRequest: Function }} opts
 * @param {Verdict} done
 * @returns {void}
 */
function askProgram(req, opts, done) {
  let returned = false;
  let settled = false;
  /** @type {{ message: any, success: boolean } | undefined} */
  let answer;
  const settle = () => {
    if (settled || !returned || answer === undefined) return;
    settled = true;
    if (answer.success) done();
    else done(ENGINE_ERRORS.FORBIDDEN, { message: answer.message });
  };
  try {
    opts.allowRequest(req, (/** @type {any} */ message, /** @type {boolean} */ success) => {
      if (answer === undefined || (answer.success && !success)) answer = { message, success };
      settle();
    });
  } finally {
    returned = true;
    settle();
  }
}

/**
 * @param {any} req
 * @param {boolean} upgrade
 * @param {Known | undefined} known
 * @param {Verdict} done
 * @returns {void}
 */
function verifySession(req, upgrade, known, done) {
  const { transport, sid } = req._query;
  if (known === undefined) {
    if (debug.enabled) debug("unknown sid");
    return done(ENGINE_ERRORS.UNKNOWN_SID, { sid });
  }
  if (!upgrade && known.transport !== transport) {
    return done(ENGINE_ERRORS.BAD_REQUEST, {
      name: "TRANSPORT_MISMATCH",
      transport,
      previousTransport: known.transport,
    });
  }
  const protocol = protocolOf(req);
  if (protocol !== known.protocol) {
    return done(ENGINE_ERRORS.BAD_REQUEST, {
      name: "PROTOCOL_MISMATCH",
      protocol,
      previousProtocol: known.protocol,
    });
  }
  done();
}

module.exports = { dialectOf, protocolOf, verify };
