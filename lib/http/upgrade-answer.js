"use strict";

const debug = require("debug")("engine");
const { abortHandshake } = require("./refusal");
const { Returned } = require("../border");

/**
 * Whose connections are upgraded.
 *
 * @typedef {object} Upgrader
 * @property {{ perMessageDeflate: any }} opts
 * @property {() => import("../border/border").Border} border
 * @property {() => number} nativeId its number there
 * @property {boolean} refusesWebSockets whether it has been closed, and no HTTP server has begun to listen since
 * @property {(headers: Record<string, any> | undefined, req: any) => Record<string, any> | undefined} showUpgradeHeaders
 *   lets programs change the headers of an answer
 */

/**
 * The answer to an upgrade request that is let through.
 *
 * @typedef {object} UpgradeAnswer
 * @property {string} text the whole `101` response; or, with `keyOnly`, what the worker makes it of
 * @property {boolean} keyOnly whether the text is the Sec-WebSocket-Key, followed by further header lines
 * @property {number} deflate what was agreed on about compression, or NO_AGREEMENT
 */

const KEY = /^[+/0-9A-Za-z]{22}==$/;

/**
 * Checks the WebSocket handshake and writes its answer.
 *
 * @param {Upgrader} engine
 * @param {any} req
 * @param {import("node:stream").Duplex} socket
 * @param {Record<string, any> | undefined} headers set by middlewares
 * @returns {UpgradeAnswer | undefined} nothing when the request has been refused
 */
function answerUpgrade(engine, req, socket, headers) {
  if (engine.refusesWebSockets) {
    refuseAsClosed(engine, req, socket);
    return undefined;
  }
  headers = engine.showUpgradeHeaders(headers, req);
  if (debug.enabled) debug("writing headers: %j", headers ?? {});
  const agreed = agreeOnDeflate(engine, req);
  let lines = agreed ? `Sec-WebSocket-Extensions: ${agreed.value}\r\n` : "";
  if (headers !== undefined)
    for (const name of Object.keys(headers)) lines += `${name}: ${headers[name]}\r\n`;
  if (agreed?.agreement !== Returned.NO_AGREEMENT && isPlain(req)) {
    const text = req.headers["sec-websocket-key"] + lines;
    return { text, keyOnly: true, deflate: agreed ? agreed.agreement : Returned.NO_AGREEMENT };
  }
  const text = wholeAnswer(engine, req, lines);
  if (refuseAs(text, socket)) return undefined;
  if (agreed?.agreement === Returned.NO_AGREEMENT) {
    abortHandshake(socket, 400, agreed.value, "");
    return undefined;
  }
  return { text, keyOnly: false, deflate: agreed ? agreed.agreement : Returned.NO_AGREEMENT };
}

/**
 * @param {string} answer
 * @param {import("node:stream").Duplex} socket
 * @returns {boolean} whether it was a refusal, which has been written then
 */
function refuseAs(answer, socket) {
  if (!answer.startsWith("!")) return false;
  const { status, message, headers } = JSON.parse(answer.slice(1));
  abortHandshake(socket, status, message, headers ?? "");
  return true;
}

/**
 * @param {Upgrader} engine one that has been closed
 * @param {any} req
 * @param {import("node:stream").Duplex} socket
 */
function refuseAsClosed(engine, req, socket) {
  if (refuseAs(wholeAnswer(engine, req, ""), socket)) return;
  const agreed = agreeOnDeflate(engine, req);
  if (agreed?.agreement === Returned.NO_AGREEMENT) abortHandshake(socket, 400, agreed.value, "");
  else abortHandshake(socket, 503, "Service Unavailable", "");
}

/**
 * @param {Upgrader} engine
 * @param {any} req
 * @param {string} lines further header lines
 * @returns {string} the response; a refusal begins with "!", see DataPlane.checkUpgrade in the addon
 */
function wholeAnswer(engine, req, lines) {
  const { method, headers } = req;
  return engine
    .border()
    .native.checkUpgrade(
      method,
      headers.upgrade,
      headers["sec-websocket-key"],
      headers["sec-websocket-version"],
      headers["sec-websocket-protocol"],
      lines,
    );
}

/**
 * @param {any} req
 * @returns {boolean} whether it is a handshake as clients make it: then nothing is left to be checked, and its answer
 * can be made by the worker
 */
function isPlain(req) {
  const { headers } = req;
  return (
    headers.upgrade === "websocket" &&
    headers["sec-websocket-version"] === "13" &&
    headers["sec-websocket-protocol"] === undefined &&
    req.method === "GET" &&
    KEY.test(headers["sec-websocket-key"])
  );
}

/**
 * @param {Upgrader} engine
 * @param {any} req
 * @returns {import("../../native").DeflateAnswer | null}
 */
function agreeOnDeflate(engine, req) {
  const offers = engine.opts.perMessageDeflate && req.headers["sec-websocket-extensions"];
  return offers ? engine.border().native.negotiateDeflate(engine.nativeId(), offers) : null;
}

module.exports = { answerUpgrade, wholeAnswer };
