"use strict";

const { Server } = require("socket.io");
const { io } = require("socket.io-client");
const timers = require("../timers");

// A client connects by these, and npm's server answers by them.
const doNotFake = ["nextTick", "queueMicrotask", "setImmediate"];
timers(
  {
    it,
    fake: () => jest.useFakeTimers({ doNotFake }),
    advance: (ms) => jest.advanceTimersByTimeAsync(ms),
    real: () => jest.useRealTimers(),
  },
  Server,
  io,
);
