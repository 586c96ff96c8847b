"use strict";

// Packets: of Socket.IO, as text and attachments; of Engine.IO, where this thread makes one; and the frames of WebTransport.
// Nothing here knows of connections. What a worker reads it decodes by itself: see src/socketio/ and src/engineio/.

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
const { PacketReader, encodePackets, webSocketFrame } = require("./webtransport-codec");

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
  reconstruct,
  RESERVED_EVENTS,
  webSocketFrame,
  withEnd,
  writePacket,
  writeText,
};
