"use strict";

/** The descriptors of this process, on Linux. */

const fs = require("node:fs");

/** @returns {string[]} what each of them is, as in "socket:[19792035]"; that of the list itself is "" */
function descriptors() {
  return fs.readdirSync("/proc/self/fd").map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // it is closed by now
    }
  });
}

module.exports = { descriptors };
