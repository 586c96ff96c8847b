"use strict";

// How connections come in: what each of them is before it carries a session, and beside it.
//
//     reasons.js           which way a connection goes, and why no faster one
//     door.js              Door: what carries a session, as an engine sees it, and what it asks of the engine
//     acceptor.js          connections that are taken before Node.js reads them
//     taken-connection.js  what programs see of a connection that a worker has
//       takeover.js        those of polling requests, and their way back to Node.js
//       websocket.js       those of WebSockets; and WebSockets that are pumped
//     bridge.js            bytes that are pumped through this thread
//       webtransport.js    those of WebTransport
//     held-listen.js       HTTP servers that are not to listen before they are told with what
//     native-tls.js        HTTPS servers for which workers speak TLS
//     origins.js           from where browsers may read the answers of workers
//     idle.js              kept connections that Node.js is about to close
//     polling.js           a polling request that Node.js has read
//     relayed.js           connections that workers relay to Node.js, and their requests

const { Acceptor } = require("./acceptor");
const { CLOSE_TIMEOUT } = require("./bridge");
const { doorOf } = require("./door");
const { HeldListen } = require("./held-listen");
const { readBeforeClosing } = require("./idle");
const { PollingDoor } = require("./polling");
const { DROP_REQUEST, noteShown, reasonAgainst, trackConnectionListeners } = require("./reasons");
const { noteRequest } = require("./relayed");
const { PollingTakeover, stopAwaitingHead } = require("./takeover");
const { useNativeTls } = require("./native-tls");
const { openWebSocket, TakenWebSocket } = require("./websocket");
const { WebTransportBridge, receiveSession } = require("./webtransport");

module.exports = {
  Acceptor,
  CLOSE_TIMEOUT,
  doorOf,
  DROP_REQUEST,
  HeldListen,
  noteRequest,
  noteShown,
  openWebSocket,
  PollingDoor,
  PollingTakeover,
  readBeforeClosing,
  reasonAgainst,
  receiveSession,
  stopAwaitingHead,
  TakenWebSocket,
  trackConnectionListeners,
  useNativeTls,
  WebTransportBridge,
};
