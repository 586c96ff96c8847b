"use strict";

// This thread's border to the workers: records come up in batches, operations go down in batches. Its other side is
// src/binding/. There is one border in each JavaScript thread.

const { Record, getBorder, loadAddon, workerCount } = require("./border");
const { messagesOf } = require("./messages");
const { NO_COMPRESS, VOLATILE, pushConnection, pushRoom } = require("./operations");

module.exports = {
  getBorder,
  loadAddon,
  messagesOf,
  NO_COMPRESS,
  pushConnection,
  pushRoom,
  Record,
  VOLATILE,
  workerCount,
};
