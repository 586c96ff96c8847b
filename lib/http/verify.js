"use strict";

const debug = require("debug")("engine");
const { ENGINE_ERRORS } = require("../base/errors");
const { Dialect } = require("../border");

/**
 * @callback Verdict
 * @param {number} [code] an Engine.IO error code; none when the request may pass
 * @param {any} [context] what "connection_error" listeners are told
 */

/**
 * What an open session speaks.
 *
 * @typedef {object} SessionTraits
 * @property {string} transport its current one
 * @property {number} protocol
 * @property {boolean} [takesBytes] false: its client wants them as base64
 * @property {boolean} [greeted] whether its handshake said that it is in "/"
 */

// a header value may hold tabs, spaces, visible ASCII and the characters from U+0080 to U+00FF
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
 * @returns {number} the dialect of its client: bits of Dialect
 */
function dialectOf(req) {
  return (protocolOf(req) === 3 ? Dialect.PROTOCOL_3 : 0) | (req._query.b64 ? Dialect.BASE64 : 0);
}

/**
 * Says whether a request may pass.
 *
 * @param {any} req an IncomingMessage with `_query`
 * @param {boolean} upgrade whether it is an upgrade request
 * @param {any} opts options of the engine
 * @param {(sid: string) => SessionTraits | undefined} find tells what an open session speaks
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
 * Asks the program. One answer counts: a second one would open a second session, which nobody would ever end. It is the first
 * one; only a refusal that is given before the function returns overrides an earlier "yes".
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
 * @param {SessionTraits | undefined} known
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
