"use strict";

// Why something that upstream declares is not here, by its key in the comparison.

const IN_WORKERS = "The transports are in the workers; programs see their name and state.";
const PROTECTED =
  "For subclasses only; our engine is not made of these parts. `bind()` takes a subclass of npm `engine.io`'s.";
const ACCEPTED = "Accepted, without effect: the workers compress.";

/** @param {string[]} keys @param {string} reason */
const all = (keys, reason) => Object.fromEntries(keys.map((key) => [key, reason]));

const server = (name) => `engine.io Server.${name}`;
const transport = (name) => `engine.io Transport.${name}`;
const transportEvent = (name) => `engine.io Transport: ${name}`;

/** @type {Readonly<Record<string, string>>} */
const REASONS = Object.freeze({
  ...all(
    ["Server.emitReserved", "Server.emitUntyped"],
    "Upstream's reach nobody: the listeners of a server are those of its main namespace.",
  ),
  "scope engine:uws": "`attachApp()` is served by engine.io itself, which writes it.",
  "scope socket.io:adapter-uws":
    "The rooms of `attachApp()` are served by the adapter, without topics.",
  ...all(
    ["init", "cleanup", "createTransport", "handshake", "_computePath", "_applyMiddlewares"].map(
      server,
    ),
    PROTECTED,
  ),
  "engine.io Socket._maybeUpgrade": "The workers upgrade sessions.",
  ...all(
    ["_readyState", "parser", "onRequest", "onError", "onPacket", "onData", "onClose"].map(
      transport,
    ),
    IN_WORKERS,
  ),
  ...all(["doClose"].map(transport), IN_WORKERS),
  ...all(["error", "packet", "ready", "drain", "headers"].map(transportEvent), IN_WORKERS),
  "engine.io Socket: open": "Emitted before anybody can listen.",
  "option perMessageDeflate": "Off by default in both.",
  "option wsEngine": "Accepted, without effect: that is what this package replaces.",
  "option perMessageDeflate.zlibInflateOptions": ACCEPTED,
  "option perMessageDeflate.concurrencyLimit": ACCEPTED,
});

module.exports = { REASONS };
