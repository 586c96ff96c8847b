"use strict";

// The memory and the CPU time of another process, from /proc.

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

/** Ticks of a second, in which the kernel tells times: 100 wherever Node.js runs. */
const TICKS = 100;

/** Seconds of CPU time that it has had. */
function cpuSeconds(pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  const [user, system] = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) / TICKS;
}

module.exports = { cpuSeconds, peak, resident };
