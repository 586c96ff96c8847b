"use strict";

// What requests are, and how they are answered or refused. Nothing here knows of sessions: it is given a request, and options.
//
//     server-listeners.js   our place among the listeners of an HTTP server
//     verify.js             whether a request may pass
//     query.js              the query of its URL
//     middleware.js         the middlewares of an engine
//     refusal.js            the answer when it may not
//     upgrade-answer.js     the answer to an upgrade request
//     compression.js        how answers and messages are compressed
//     cookie.js             the header Set-Cookie
//     cross-origin.js       the headers of `cors`
//     pass-on-request.js    a request that another process answers
//     end-unread.js         the end of a connection that nobody reads

const {
  ENCODERS,
  checkHttpCompression,
  compressFrom,
  deflateOptions,
  isWorthIt,
  nativeDeflate,
} = require("./compression");
const { serializeCookie } = require("./cookie");
const { crossOriginLines, isConstant, variesByOrigin } = require("./cross-origin");
const { endUnread } = require("./end-unread");
const { UpgradeResponse, applyMiddlewares } = require("./middleware");
const { passOnRequest } = require("./pass-on-request");
const { parseQuery } = require("./query");
const { abortRequest, abortUpgrade } = require("./refusal");
const { addOurs, interceptRequests, isOurs, passOn, soleListener } = require("./server-listeners");
const { answerUpgrade, wholeAnswer } = require("./upgrade-answer");
const { dialectOf, protocolOf, verify } = require("./verify");

module.exports = {
  abortRequest,
  abortUpgrade,
  addOurs,
  answerUpgrade,
  applyMiddlewares,
  checkHttpCompression,
  compressFrom,
  crossOriginLines,
  deflateOptions,
  dialectOf,
  ENCODERS,
  endUnread,
  interceptRequests,
  isConstant,
  isOurs,
  isWorthIt,
  nativeDeflate,
  parseQuery,
  passOn,
  passOnRequest,
  protocolOf,
  serializeCookie,
  soleListener,
  UpgradeResponse,
  variesByOrigin,
  verify,
  wholeAnswer,
};
