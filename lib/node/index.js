"use strict";

// What Node.js has and does not document, by plain names.
//
//     parts.js         how a part is declared and tried out, and the list of them
//     inside.js        the types of what has such parts
//     servers.js       the connections that a server counts, and what it has been told
//     tls-servers.js   what it has been told of TLS
//     accepting.js     connections as it accepts them
//     sockets.js       the sockets of connections that somebody else has
//     requests.js      requests that Node.js has not read
//     next-request.js  what comes behind a request
//     responses.js     responses of which nothing may leave
//     half-open.js     connections whose peer has ended its half
//     texts.js         texts that are written into a buffer
//     listeners.js     emitters, and the tables of their listeners

const {
  acceptDescriptor,
  anyListeningDescriptor,
  beforeClose,
  listeningDescriptor,
  listeningHandle,
  listensOnTcp,
  showAccepted,
} = require("./accepting");
const { answersHalfOpen, awaitAnswer, keepHalfOpen, leaveUnanswered } = require("./half-open");
const { HAS_DESCRIPTORS } = require("./inside");
const { LazyEmitter, listenersOf, listenFirst, soleOf, useTable } = require("./listeners");
const {
  expectNext,
  isBetweenRequests,
  isQuiet,
  keepsConnection,
  responseOn,
} = require("./next-request");
const { PARTS } = require("./parts");
const { buildRequest, readHeaders, REBUILDS_REQUESTS, setSocket } = require("./requests");
const { beforeSending, mute, MUTES_RESPONSES } = require("./responses");
const {
  countConnection,
  countingServer,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  httpServerOf,
  isOver,
  isSetAs,
  lacksHeaders,
  longestHead,
  settingsOf,
  uncountConnection,
  upgradesByDefault,
} = require("./servers");
const {
  breakSocket,
  closeSilently,
  descriptorOf,
  endStandIn,
  FAILS_BROKEN_WRITES,
  hasConnection,
  MOVES_CONNECTIONS,
  relayedSocket,
  replaceHandle,
  socketOf,
  standInSocket,
  SWAPS_HANDLES,
} = require("./sockets");
const { writeLatin1, writeUtf16, writeUtf8 } = require("./texts");
const {
  countContexts,
  secureContextOf,
  SHOWS_TLS,
  speaksTls,
  tlsOptions,
  tlsSetting,
} = require("./tls-servers");

module.exports = {
  answersHalfOpen,
  acceptDescriptor,
  anyListeningDescriptor,
  awaitAnswer,
  beforeClose,
  beforeSending,
  breakSocket,
  buildRequest,
  closeSilently,
  countConnection,
  countContexts,
  countingServer,
  descriptorOf,
  endStandIn,
  FAILS_BROKEN_WRITES,
  HAS_DESCRIPTORS,
  hasConnection,
  hasOwnRequests,
  hasOwnResponses,
  hasSetting,
  httpServerOf,
  lacksHeaders,
  isBetweenRequests,
  isOver,
  isQuiet,
  isSetAs,
  keepHalfOpen,
  keepsConnection,
  LazyEmitter,
  leaveUnanswered,
  listenersOf,
  listenFirst,
  listeningDescriptor,
  listeningHandle,
  listensOnTcp,
  longestHead,
  MOVES_CONNECTIONS,
  mute,
  MUTES_RESPONSES,
  PARTS,
  readHeaders,
  REBUILDS_REQUESTS,
  relayedSocket,
  replaceHandle,
  responseOn,
  secureContextOf,
  setSocket,
  settingsOf,
  showAccepted,
  SHOWS_TLS,
  socketOf,
  soleOf,
  speaksTls,
  standInSocket,
  SWAPS_HANDLES,
  tlsOptions,
  tlsSetting,
  uncountConnection,
  upgradesByDefault,
  useTable,
  expectNext,
  writeLatin1,
  writeUtf16,
  writeUtf8,
};
