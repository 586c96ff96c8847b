"use strict";

// The memory of another process, from /proc.

const fs = require("node:fs");

/** A line of `/proc/PID/status` that counts KiB, in MiB. */
function status(pid, name) {
  const text = fs.readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) / 1024;
}

/** MiB that are resident now. */
const resident = (pid) => status(pid, "VmRSS");

/** MiB that were resident at most. */
const peak = (pid) => status(pid, "VmHWM");

module.exports = { peak, resident };
