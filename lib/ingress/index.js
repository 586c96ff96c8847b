"use strict";

// How connections come in: what each of them is before it carries a session, and beside it. The doors have the ways to
// a worker; the engine opens them.

const { AcceptedRequest } = require("./accepted-request");
const { Acceptor } = require("./acceptor");
const { PollingDoor } = require("./polling-door");
const { PollingTakeover, handleHead } = require("./polling-takeover");
const { DROP_REQUEST, reasonAgainst, show, watchSockets } = require("./reasons");
const { CLOSE_TIMEOUT, WebSocketDoor } = require("./websocket-door");
const { WebTransportDoor, receiveSession } = require("./webtransport");
const { makeSocket } = require("./worker-socket");

module.exports = {
  AcceptedRequest,
  Acceptor,
  CLOSE_TIMEOUT,
  DROP_REQUEST,
  handleHead,
  makeSocket,
  PollingDoor,
  PollingTakeover,
  reasonAgainst,
  receiveSession,
  show,
  watchSockets,
  WebSocketDoor,
  WebTransportDoor,
};
