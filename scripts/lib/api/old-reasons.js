"use strict";

// Why something of npm socket.io 2.x is not here, or is something else, by its key in the comparison.

/** @param {string[]} keys @param {string} reason */
const all = (keys, reason) => Object.fromEntries(keys.map((key) => [key, reason]));

const namespaces = (...names) =>
  ["Namespace", "ParentNamespace"].flatMap((title) => names.map((name) => `${title}.${name}`));

const SHAPE = "4.x has another shape.";
const OTHER_ADAPTER = "4.x has adapters of another kind; in v2 they are those of 2.x.";

/** @type {Readonly<Record<string, string>>} */
const OLD_REASONS = Object.freeze({
  "static Socket.events": "In 4.x, to emit one of these names throws.",
  "Server.parser": "4.x: `_parser`.",
  ...all(namespaces("sockets"), "4.x has another shape; `connected` is the plain object."),
  ...all(namespaces("fns", "ids"), "4.x: `_fns`, `_ids`."),
  ...all(namespaces("rooms"), "In 4.x, `to()` gives an operator that holds the rooms."),
  ...all(["Socket.rooms", "Socket.acks", "Client.sockets", "Client.nsps"], SHAPE),
  "Client.connectBuffer": 'In 4.x, a client need not be in "/" first.',
  ...all(
    ["rooms", "sids", "add", "clients", "clientRooms"].map((name) => `Adapter.${name}`),
    OTHER_ADAPTER,
  ),
  "option allowRequest": "Set when `origins` are: otherwise there is nothing to ask.",
  "option initialPacket": "The workers write it.",
  "option wsEngine": "Accepted, without effect: that is what this package replaces.",
  "option cookie": "4.x sets none unless it is told to; in v2 it is an object by then.",
  ...all(
    ["option cookiePath", "option cookieHttpOnly"],
    "4.x: part of `cookie`; v2 makes that of them.",
  ),
  "option handlePreflightRequest": "4.x: the option `cors`.",
});

module.exports = { OLD_REASONS };
