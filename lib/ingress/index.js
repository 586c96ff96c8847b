"use strict";

// How connections come in: what each of them is before it carries a session, and beside it. door.js says what an engine sees of
// them, and what they ask of it; reasons.js which way a connection goes.

const { Acceptor } = require("./acceptor");
const { doorOf } = require("./door");
const { PollingDoor } = require("./polling");
const { DROP_REQUEST, reasonAgainst, show, watchSockets } = require("./reasons");
const { PollingTakeover, stopAwaitingHead } = require("./takeover");
const { CLOSE_TIMEOUT, openWebSocket } = require("./websocket");
const { WebTransportBridge, receiveSession } = require("./webtransport");

module.exports = {
  Acceptor,
  CLOSE_TIMEOUT,
  doorOf,
  DROP_REQUEST,
  openWebSocket,
  PollingDoor,
  PollingTakeover,
  reasonAgainst,
  receiveSession,
  show,
  stopAwaitingHead,
  watchSockets,
  WebTransportBridge,
};
