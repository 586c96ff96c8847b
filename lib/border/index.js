"use strict";

// This thread's border to the workers: records come up in batches, operations go down in batches. Its other side is
// src/binding/, and what the numbers mean that cross it tells src/border/. There is one border in each JavaScript thread.

const {
  BodyFault,
  BodyKind,
  Dialect,
  FormFlag,
  RecordKind,
  Returned,
  SendFlag,
  Watch,
  WireKind,
} = require("../../native/border");
const { getBorder, loadAddon, workerCount } = require("./addon");
const { unknownRecord } = require("./border");
const { messagesOf } = require("./messages");
const { pushConnection, pushRoom } = require("./operations");

const { NO_COMPRESS, VOLATILE } = SendFlag;

module.exports = {
  BodyFault,
  BodyKind,
  Dialect,
  FormFlag,
  getBorder,
  loadAddon,
  messagesOf,
  NO_COMPRESS,
  pushConnection,
  pushRoom,
  RecordKind,
  Returned,
  unknownRecord,
  VOLATILE,
  Watch,
  WireKind,
  workerCount,
};
