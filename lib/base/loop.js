"use strict";

// The event loop as Node.js runs it: what this library needs in order to go on at all (ticks, immediates, the timer that keeps
// the process) is taken here, when it is loaded. Fake timers of test runners replace these functions, on the global object,
// on `process` and in the module, and nobody would turn their clock for us: connections would hang.
//
// Times that programs set (timeout(), connectTimeout, destroyUpgradeTimeout …) are counted by the global setTimeout() at the
// moment of the call, as upstream counts them: a test can let them pass. `__test__/fake-timers.test.js` keeps both so.

const {
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
} = require("node:timers");

const { nextTick } = process;

module.exports = { clearInterval, clearTimeout, nextTick, setImmediate, setInterval, setTimeout };
