"use strict";

// What requests are, and how they are answered or refused. Nothing here knows of sessions: it is given a request, and options.

const {
  ENCODERS,
  checkHttpCompression,
  compressFrom,
  deflateOptions,
  isWorthIt,
  nativeDeflate,
} = require("./compression");
const { serializeCookie } = require("./cookie");
const { crossOriginLines, isConstant } = require("./cross-origin");
const { endUnread } = require("./end-unread");
const { UpgradeResponse, applyMiddlewares } = require("./middleware");
const { parseQuery } = require("./query");
const { abortRequest, abortUpgrade } = require("./refusal");
const { interceptRequests, passOn } = require("./request-listeners");
const { answerUpgrade, wholeAnswer } = require("./upgrade-answer");
const { dialectOf, protocolOf, verify } = require("./verify");

module.exports = {
  abortRequest,
  abortUpgrade,
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
  isWorthIt,
  nativeDeflate,
  parseQuery,
  passOn,
  protocolOf,
  serializeCookie,
  UpgradeResponse,
  verify,
  wholeAnswer,
};
