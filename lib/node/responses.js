"use strict";

// Responses of which nothing may leave.

const http = require("node:http");
const net = require("node:net");
const stream = require("node:stream");
const { declare } = require("./parts");

/** @typedef {import("./inside").Response} Response */
/** @typedef {import("./inside").Socket} Socket */

/**
 * @callback WriteOut
 * @param {unknown} data
 * @param {unknown} encoding it may be left out
 * @param {unknown} callback
 * @returns {boolean}
 */

/** @typedef {{ _send: WriteOut, _writeRaw: WriteOut, _headerSent: boolean }} ResponseParts */

const MUTES_RESPONSES = declare(
  "bytes of a response",
  "`_send()`, `_writeRaw()`, `_headerSent` of a response",
  "no worker answers heartbeats in place of this thread when it is blocked",
  () => {
    const res = new http.ServerResponse(new http.IncomingMessage(new net.Socket()));
    let bytes = 0;
    let writes = 0;
    const write = (
      /** @type {Buffer} */ chunk,
      /** @type {string} */ _encoding,
      /** @type {() => void} */ done,
    ) => {
      bytes += chunk.length;
      writes++;
      done();
    };
    res.assignSocket(/** @type {Socket} */ (new stream.Duplex({ write })));
    let asked = 0;
    beforeSending(res, () => ++asked > 0);
    res.writeHead(200, { a: "b" });
    res.write(Buffer.from("one"));
    res.end("two");
    return bytes === 0 && writes > 0 && asked === 1 && res.headersSent;
  },
);

/**
 * Has nothing of a response leave; to the program, all is as if it did.
 *
 * @param {Response} res
 */
function mute(res) {
  const inner = /** @type {Response & ResponseParts} */ (res);
  inner._writeRaw = writeNothing;
  inner._send = sendNothing;
}

/**
 * Asks before the first byte of a response leaves whether any may.
 *
 * @param {Response} res
 * @param {() => boolean} isMuted called once
 */
function beforeSending(res, isMuted) {
  const inner = /** @type {Response & ResponseParts} */ (res);
  const decide = () => {
    Reflect.deleteProperty(inner, "_writeRaw");
    Reflect.deleteProperty(inner, "_send");
    if (isMuted()) mute(res);
  };
  inner._writeRaw = (...args) => {
    decide();
    return inner._writeRaw(...args);
  };
  inner._send = (...args) => {
    decide();
    return inner._send(...args);
  };
}

/** @this {Response & ResponseParts} @type {WriteOut} */
function writeNothing(_data, encoding, callback) {
  const done = typeof encoding === "function" ? encoding : callback;
  const { _writeRaw } = /** @type {ResponseParts & Response} */ (http.ServerResponse.prototype);
  // an empty text, so that "finish" comes when it is the turn of this response, and not before
  return Reflect.apply(_writeRaw, this, ["", "latin1", done]);
}

/** @this {Response & ResponseParts} @type {WriteOut} */
function sendNothing(data, encoding, callback) {
  this._headerSent = true;
  return this._writeRaw(data, encoding, callback);
}

module.exports = { beforeSending, mute, MUTES_RESPONSES };
