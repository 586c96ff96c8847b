"use strict";

/** Says what asynchronous resources there are, once a server has been made, that are not Node's; and ends. */

const async_hooks = require("node:async_hooks");

const NAMES = /custom|threadsafe|ferrosocket|napi/i;

const found = new Set();
const hook = async_hooks.createHook({
  init(_id, type) {
    if (NAMES.test(type)) found.add(type);
  },
});
hook.enable();
const { Server } = require(process.argv[2]);
const io = new Server(0);
io.httpServer.once("listening", () => {
  hook.disable();
  process.send([...found], () => process.disconnect());
  io.close();
});
