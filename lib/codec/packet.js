"use strict";

/** Socket.IO packet types, as on the wire. */
const PacketType = Object.freeze({
  CONNECT: 0,
  DISCONNECT: 1,
  EVENT: 2,
  ACK: 3,
  CONNECT_ERROR: 4,
  BINARY_EVENT: 5,
  BINARY_ACK: 6,
});

/** The revision of the Socket.IO protocol. */
const PROTOCOL = 5;

/** Names that a program may not emit to a client, nor a client to the server. */
const RESERVED_EVENTS = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/** Names that `serverSideEmit()` refuses. */
const NAMESPACE_RESERVED_EVENTS = new Set(["connect", "connection", "new_namespace"]);

/**
 * @typedef {object} Packet
 * @property {number} type
 * @property {string} [nsp]
 * @property {any} [data]
 * @property {number} [id]
 * @property {number} [attachments]
 */

module.exports = { NAMESPACE_RESERVED_EVENTS, PROTOCOL, PacketType, RESERVED_EVENTS };
