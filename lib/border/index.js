"use strict";

// This thread's border to the workers: records come up in batches, operations go down in batches. There is one border in each
// JavaScript thread.
//
//     border.js        Border: takes records, and brings each to whom it is for
//       side-data.js     what travels beside them
//       orphan.js        stands for a session that nobody wants
//       bodies.js        how much of bodies of requests is gathered here
//     operations.js    Operations: what can be asked of the workers
//       batch.js         how that is written, and when it leaves
//       messages.js    how much room messages take there
//       short-strings.js   packets of short strings, written there at once
//     measured.js      what has been counted, and sums of it
//     addon.js         makes the border
//
// The other side is src/binding/. The numbers that cross are those of src/border/mod.rs; native/border.js is made of them.

const {
  BodyFault,
  BodyKind,
  Dialect,
  HandoverEvent,
  SessionFlag,
  RecordKind,
  Returned,
  SendFlag,
  Token,
  Observed,
  WireKind,
} = require("../../native/border");
const { getBorder, workerCount } = require("./addon");
const { unknownRecord } = require("./border");
const { addUp } = require("./measured");
const { messagesOf } = require("./messages");
const { pushConnection, pushRoom } = require("./operations");
const { isShortString } = require("./short-strings");

const { NO_COMPRESS, VOLATILE } = SendFlag;

module.exports = {
  addUp,
  BodyFault,
  BodyKind,
  Dialect,
  HandoverEvent,
  SessionFlag,
  getBorder,
  isShortString,
  messagesOf,
  NO_COMPRESS,
  pushConnection,
  pushRoom,
  RecordKind,
  Returned,
  Token,
  unknownRecord,
  VOLATILE,
  Observed,
  WireKind,
  workerCount,
};
