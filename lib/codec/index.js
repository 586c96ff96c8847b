"use strict";

// Packets, to and from values of JavaScript. Nothing here knows of connections.
//
//     packet.js              the types of Socket.IO packets, and reserved events
//     encoder.js             a packet as text and attachments
//       long-text.js         the same with long strings beside the JSON
//     decoder.js             attachments put in place; the decoder that programs can use
//     engine-packet.js       Engine.IO packets that this thread makes
//     webtransport-codec.js  the frames of WebTransport
//
// What a worker reads it decodes by itself: see src/socketio/ and src/engineio/.

const { Decoder, reconstruct } = require("./decoder");
const {
  Encoder,
  encode,
  encodeForWorker,
  encodeText,
  hasBinary,
  isBinary,
  writeText,
} = require("./encoder");
const { PACKET_TYPES, writePacket } = require("./engine-packet");
const { LongText, joined, withEnd } = require("./long-text");
const { NAMESPACE_RESERVED_EVENTS, PROTOCOL, PacketType, RESERVED_EVENTS } = require("./packet");
const {
  PacketReader,
  encodePackets,
  readWebSocketFrame,
  webSocketFrame,
} = require("./webtransport-codec");

module.exports = {
  Decoder,
  encode,
  encodeForWorker,
  encodeText,
  encodePackets,
  Encoder,
  hasBinary,
  isBinary,
  joined,
  LongText,
  NAMESPACE_RESERVED_EVENTS,
  PACKET_TYPES,
  PacketReader,
  PacketType,
  PROTOCOL,
  readWebSocketFrame,
  reconstruct,
  RESERVED_EVENTS,
  webSocketFrame,
  withEnd,
  writePacket,
  writeText,
};
